"""One dream of one layer, from its pixels to the new layer above. No Qt here.

A job advances when the link calls it, and calls its owner after every change. It adds the layer as
its last step, so a failure before that leaves the document unchanged. There may be several jobs;
the daemon runs them one after another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dreamlink.client.client import LinkError
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State, layer_name, lost
from dreamlink.session.reconnection import ReconnectPolicy
from dreamlink.wire.messages import Frame, Header

from ..document import layer_io
from .daemon_link import DaemonLink


@dataclass(frozen=True)
class FinishedDream:
    """A dream that has become a layer of the document.

    Attributes:
        node_id: the new layer's unique id.
        source: what was dreamed on, without its pixels, which take as much memory as the layer.
        recipe: the recipe, with the seed that was drawn.
        dream: blends again with other live parameters, over the same link.
    """

    document: Any
    node_id: Any
    source: layer_io.LayerSource
    recipe: Recipe
    dream: Dream


class NewLayer:
    """Puts a dream's pixels into a new layer above the source. One for each job.

    Attributes:
        grown_id: the unique id of the layer if it is added before the dream is done, else None.
        note: once it is added, what the user is told about it, or "".
    """

    def __init__(self, source: layer_io.LayerSource) -> None:
        self.source = source
        self.grown_id: Any = None
        self.note = ""

    def explain_loss(self) -> str | None:
        """Why the layer can't be added any more, or None if it can."""
        return layer_io.explain_loss(self.source)

    def show_progress(self, dream: Dream) -> None:
        """The dream has made progress, perhaps with pixels (`live` or `preview`)."""

    def finish(self, dream: Dream, recipe: Recipe) -> Any:
        """Add the finished pixels to the document and return the layer's unique id.

        Raises:
            DocumentError: the picture was closed or the layer is gone.
        """
        name = layer_name(self.source.name, recipe)
        return self._add_layer(name, dream.pixels or bytearray())

    def discard(self) -> None:
        """The dream was cancelled or has failed."""

    def _add_layer(self, name: str, pixels: Frame) -> Any:
        """Add the layer; returns its unique id, or raises DocumentError."""
        node_id, self.note = layer_io.add_layer(self.source, name, pixels)
        return node_id


class DreamJob:
    """A dream that is waiting, being dreamed, or over.

    Attributes:
        state: WAITING until the daemon is connected and has begun.
        fraction: how much of the work is done, 0 to 1; None while unknown.
        text: one line for the user.
        source, recipe: what was requested.
        result: the finished dream, or None.
    """

    def __init__(
        self,
        link: DaemonLink,
        source: layer_io.LayerSource,
        recipe: Recipe,
        changed: Callable[[DreamJob], None],
        finished: Callable[[FinishedDream], None] | None = None,
        goal: NewLayer | None = None,
        **options: Any,
    ) -> None:
        """`goal` takes the pixels; `options` are further fields of the `DreamRequest`."""
        self.state = State.WAITING
        self.fraction: float | None = None
        self.text = "Looking for the daemon…"
        self.source = source
        self.recipe = recipe
        self.result: FinishedDream | None = None
        self._link = link
        self._changed = changed
        self._finished = finished
        self._goal = goal or NewLayer(source)
        self._options = options
        self._dream: Dream | None = None
        self._reconnect = ReconnectPolicy()
        self._finishing = False  # Krita processes events while a layer is added

    @property
    def over(self) -> bool:
        return self.state in (State.DONE, State.CANCELLED, State.FAILED)

    @property
    def grown_id(self) -> Any:
        """The unique id of the layer that shows this dream so far, or None."""
        return self._goal.grown_id

    def start(self) -> None:
        self._changed(self)
        self._link.open(self)

    def cancel(self) -> None:
        """Stop at once; the daemon's answer is not awaited."""
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
                self._dream = self._send_request()
            else:
                self._dream.resume()
        except LinkError as error:
            self._end(State.FAILED, lost(str(error)))

    def _send_request(self) -> Dream:
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
        elif reason := self._goal.explain_loss():
            self.fail(reason)
        else:
            self._goal.show_progress(dream)
            if self.over:  # cancelled while Krita added a layer
                return
            self.state, self.text = dream.state, dream.text
            self.fraction = dream.fraction if dream.state is State.RUNNING else None
            self._changed(self)

    def lost(self, reason: str) -> None:
        if self._dream is None:
            self._end(State.FAILED, reason)
        elif self._reconnect.try_again():  # the daemon continues the dream for a while
            self._link.reopen(self, reason)
        else:
            self._end(State.FAILED, lost(reason))

    def _finish(self, dream: Dream) -> None:
        report = dream.report
        recipe = Recipe.of(report["recipe"])
        self._finishing = True
        try:
            node_id = self._goal.finish(dream, recipe)
        except layer_io.DocumentError as error:
            self._end(State.FAILED, str(error))
            return
        dream.pixels = dream.live = None  # the document has them now
        source = replace(self.source, pixels=b"", guide=None, strength=None, dream_map=None)
        self.result = FinishedDream(source.document, node_id, source, recipe, dream)
        self.fraction = 1.0
        text = f"Dreamed in {report['seconds']:.1f} s with seed {recipe.seed}."
        self._end(State.DONE, " ".join([text, *dream.notes, self._goal.note]).strip())
        if self._finished is not None:
            self._finished(self.result)

    def tell_daemon_to_stop(self) -> None:
        try:
            if self._dream is not None:
                self._dream.cancel()
        except LinkError:
            pass  # then no daemon dreams it any more

    def _end(self, state: State, text: str) -> None:
        self.state, self.text = state, text
        self._dream = None
        self._link.leave(self)
        try:
            if state is not State.DONE:
                self._goal.discard()
        finally:  # even if its layer fails, the job is over
            self._changed(self)
