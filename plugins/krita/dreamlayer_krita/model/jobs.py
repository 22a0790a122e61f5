"""One dream of one layer, from its pixels to the new layer above. No Qt here.

A job moves on when the link calls it. It tells its owner of every change, and adds the layer as
its very last act: whatever goes wrong before leaves the document as it was. Several jobs may be
under way; they wait for each other in the daemon.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dreamlink.client.client import LinkError
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State, layer_name, lost
from dreamlink.session.reconnection import ReconnectPolicy
from dreamlink.wire.messages import Header

from ..document import layer_io
from .daemon_link import DaemonLink


@dataclass(frozen=True)
class Dreamed:
    """A dream that is finished and in the document.

    Attributes:
        node_id: the new layer's unique id.
        source: what was dreamed on, but for its pixels: they are as large as the layer.
        recipe: with the seed that was drawn.
        dream: to `blend` it anew, over the link that it came by.
    """

    document: Any
    node_id: Any
    source: layer_io.Source
    recipe: Recipe
    dream: Dream


class NewLayer:
    """Where a dream's pixels go: into a new layer above the source. One for each job.

    Attributes:
        grown: the unique id of a layer that is in the document before the dream is done.
    """

    def __init__(self, source: layer_io.Source) -> None:
        self.source = source
        self.grown: Any = None

    def gone(self) -> str | None:
        """Why there is no place for the dream any more, or None if there is one."""
        return layer_io.gone(self.source)

    def so_far(self, dream: Dream) -> None:
        """The dream tells how far it is, perhaps with pixels (`live`)."""

    def done(self, dream: Dream, recipe: Recipe) -> Any:
        """The pixels are there: put them into the document and return the layer's unique id.

        Raises:
            DocumentError: the picture was closed or the layer is gone.
        """
        name = layer_name(self.source.name, recipe)
        return layer_io.add_layer(self.source, name, dream.pixels or bytearray())

    def dropped(self) -> None:
        """The dream was cancelled, or has failed."""


class Job:
    """A dream under way.

    Attributes:
        state: where it stands; it is WAITING until the daemon is reached and has begun.
        fraction: how much of the work is done, 0 to 1; None while nobody knows.
        text: one line for the user.
        source, recipe: what was asked for.
        result: when done, what came of it.
    """

    def __init__(
        self,
        link: DaemonLink,
        source: layer_io.Source,
        recipe: Recipe,
        changed: Callable[[Job], None],
        finished: Callable[[Dreamed], None] | None = None,
        goal: NewLayer | None = None,
        **options: Any,
    ) -> None:
        """`goal` takes the pixels; `options` are further fields of the `DreamRequest`."""
        self.state = State.WAITING
        self.fraction: float | None = None
        self.text = "Looking for the daemon…"
        self.source = source
        self.recipe = recipe
        self.result: Dreamed | None = None
        self._link = link
        self._changed = changed
        self._finished = finished
        self._goal = goal or NewLayer(source)
        self._options = options
        self._dream: Dream | None = None
        self._reconnect = ReconnectPolicy()
        self._finishing = False  # Krita lets events happen while a layer is added

    @property
    def over(self) -> bool:
        return self.state in (State.DONE, State.CANCELLED, State.FAILED)

    @property
    def grown(self) -> Any:
        """The unique id of the layer that has this dream's pixels so far, or None."""
        return self._goal.grown

    def start(self) -> None:
        self._changed(self)
        self._link.open(self)

    def cancel(self) -> None:
        """Stop at once; the daemon is told, its answer is not waited for."""
        if self.over or self._finishing:
            return
        self.tell_daemon_to_stop()
        self._end(State.CANCELLED, "Cancelled: nothing was changed.")

    def fail(self, reason: str) -> None:
        """End the dream with a sentence for the user."""
        if not self.over:
            self.tell_daemon_to_stop()
            self._end(State.FAILED, reason)

    def waiting(self, sentence: str) -> None:
        self.text = sentence
        self._changed(self)

    def connected(self) -> None:
        self._reconnect.connected()
        try:
            if self._dream is None:
                self._dream = self._ask()
            else:
                self._dream.resume()
        except LinkError as error:
            self._end(State.FAILED, lost(str(error)))

    def _ask(self) -> Dream:
        request = self.source.request(self.recipe, **self._options)
        return Dream(self._link, request, *self.source.frames())

    def received(self, header: Header, frames: list[bytearray]) -> None:
        dream = self._dream
        if dream is None or not dream.receive(header, frames):
            return
        if dream.state is State.DONE:
            self._finish(dream)
        elif dream.over:
            self._end(dream.state, dream.text)
        elif reason := self._goal.gone():
            self.fail(reason)
        else:
            self._goal.so_far(dream)
            if self.over:  # Krita lets events happen while a layer is added: it was cancelled
                return
            self.state, self.text = dream.state, dream.text
            self.fraction = dream.fraction if dream.state is State.RUNNING else None
            self._changed(self)

    def lost(self, reason: str) -> None:
        if self._dream is None:
            self._end(State.FAILED, reason)
        elif self._reconnect.try_again():  # the daemon dreams on for a while
            self._link.reopen(self, reason)
        else:
            self._end(State.FAILED, lost(reason))

    def _finish(self, dream: Dream) -> None:
        report = dream.report
        recipe = Recipe.of(report["recipe"])
        self._finishing = True
        try:
            node_id = self._goal.done(dream, recipe)
        except layer_io.DocumentError as error:
            self._end(State.FAILED, str(error))
            return
        dream.pixels = dream.live = None  # they are in the document now
        source = replace(self.source, pixels=b"", guide=None, strength=None)
        self.result = Dreamed(source.document, node_id, source, recipe, dream)
        self.fraction = 1.0
        said = f"Dreamed in {report['seconds']:.1f} s with seed {recipe.seed}."
        self._end(State.DONE, " ".join([said, *dream.notes]))
        if self._finished is not None:
            self._finished(self.result)

    def tell_daemon_to_stop(self) -> None:
        try:
            if self._dream is not None:
                self._dream.cancel()
        except LinkError:
            pass  # then there is nobody who still dreams it

    def _end(self, state: State, text: str) -> None:
        self.state, self.text = state, text
        self._dream = None
        self._link.leave(self)
        try:
            if state is not State.DONE:
                self._goal.dropped()
        finally:  # whatever goes wrong with its layer, the job is over
            self._changed(self)
