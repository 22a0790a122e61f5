"""One dream on the client's side: a state that the daemon's messages update.

Krita feeds it from its event loop, GIMP and the command line from a blocking loop; all show the
same texts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from enum import Enum
from typing import Any, Protocol

from ..picture import Picture
from ..recipe.errors import shortened
from ..recipe.recipe import Recipe
from ..wire.answers import check
from ..wire.messages import BlendRequest, DreamRequest, Frame, Header, MessageError

TARGET_LENGTH = 40  # characters of the expression in a layer's name
WRONG_SIZE = "The daemon sent pixels that don't fit the request; nothing was changed."


class State(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Sender(Protocol):
    """The part of a connection that a dream needs: `Client`, or a host's wrapper of it."""

    def send(self, header: Mapping[str, Any], *frames: Frame) -> None: ...


class PixelRequest:
    """A request to the daemon whose result is pixels.

    Attributes:
        state: the request's state.
        fraction: how much of the work is done, 0 to 1.
        text: one line for a progress bar, or the reason for a failure.
        pixels: when done, the result's raw pixels in the dream's layout `request.result`.
        report: when done, the header of the answer: seconds, recipe, …
    """

    def __init__(self, request_id: str, layout: Picture) -> None:
        self.state = State.WAITING
        self.fraction = 0.0
        self.text = "Waiting for the daemon…"
        self.pixels: bytearray | None = None
        self.report: Header = {}
        self._id = request_id
        self._layout = layout

    @property
    def over(self) -> bool:
        return self.state in (State.DONE, State.CANCELLED, State.FAILED)

    def receive(self, header: Header, frames: list[bytearray]) -> bool:
        """Process a message of the daemon; False if it belongs to another request."""
        if header.get("id") != self._id or self.over:
            return False
        op = header["op"]
        try:
            check(header, frames)
        except MessageError as error:
            self.fail(str(error))
            return True
        if op == "queued":
            self.text = _waiting(header.get("ahead"))
        elif op == "progress":
            self._progress(header, frames)
        elif op == "done":
            self._done(header, frames)
        elif op == "cancelled":
            self.state, self.text = State.CANCELLED, "Cancelled."
        elif op == "error":
            daemon_gone = header.get("lost") is True
            self.fail(lost(header["text"]) if daemon_gone else header["text"])
        return True

    @property
    def notes(self) -> list[str]:
        """Sentences for the user about minor problems of a request that succeeded."""
        notes = self.report.get("notes")
        return [str(note) for note in notes] if isinstance(notes, list) else []

    def fail(self, reason: str) -> None:
        """End the request with a sentence for the user, e.g. that the connection was lost."""
        self.state, self.text = State.FAILED, reason

    def _progress(self, header: Header, frames: list[bytearray]) -> None:
        """Ignored here: only dreams have progress."""

    def _done(self, header: Header, frames: list[bytearray]) -> None:
        if len(frames) != 1 or len(frames[0]) != self._layout.nbytes:
            self.fail(WRONG_SIZE)
            return
        self.pixels = frames[0]
        self.report = header
        self.fraction = 1.0
        self.state, self.text = State.DONE, "Done."


class Dream(PixelRequest):
    """A dream, from its request to its end.

    Attributes:
        preview: layout and RGB pixels of the newest preview, if previews were requested.
        live: the newest pixels so far, in the layout `request.result`, if requested.
    """

    def __init__(self, client: Sender, request: DreamRequest, *frames: Frame) -> None:
        super().__init__(request.id, request.result)
        self.request = request
        self.preview: tuple[Picture, Frame] | None = None
        self.live: Frame | None = None
        self._cancelling = False
        self._client = client
        client.send(request.header(), *frames)

    def cancel(self) -> None:
        """Ask the daemon to stop; the state changes when it has."""
        if not self.over:
            self._cancelling = True  # the current tile is still finished, and may report progress
            self.text = "Cancelling…"
            self._client.send({"op": "cancel", "id": self.request.id})

    def resume(self) -> None:
        """Continue over a new connection after the previous one was lost.

        The sender of this dream must have the new connection by now. The daemon answers with the
        dream's state, or that it is lost.
        """
        self._client.send({"op": "fetch", "id": self.request.id})
        if self._cancelling:
            self._client.send({"op": "cancel", "id": self.request.id})

    def blend(self, recipe: Recipe) -> Blend:
        """Ask for the finished dream's pixels with other `live` parameters, without a new dream.

        `recipe` is the one in the report except for these. If an older blend of the same dream has
        not begun yet, this one replaces it: the older one is cancelled.
        """
        return Blend(self._client, BlendRequest(self.request.id, recipe), self.request.result)

    def _done(self, header: Header, frames: list[bytearray]) -> None:
        super()._done(header, frames)
        with contextlib.suppress(ConnectionError):  # the pixels have arrived: it no longer matters
            self._client.send({"op": "received", "id": self.request.id})

    def _progress(self, header: Header, frames: list[bytearray]) -> None:
        self.state = State.RUNNING
        self.fraction = float(header.get("fraction", 0.0))
        if not self._cancelling:
            self.text = progress_text(header)
        if header.get("live") is True:
            if len(frames[0]) != self._layout.nbytes:
                self.fail(WRONG_SIZE)
                return
            self.live = frames[0]
        elif frames:
            self.preview = (Picture.of(header["preview"]), frames[0])


class Blend(PixelRequest):
    """A finished dream that is being blended with its picture anew."""

    def __init__(self, client: Sender, request: BlendRequest, layout: Picture) -> None:
        super().__init__(request.id, layout)
        self.request = request
        client.send(request.header())


def _waiting(ahead: object) -> str:
    if ahead == 1:
        return "Waiting: another dream is ahead…"
    return f"Waiting: {ahead} dreams are ahead…" if ahead else "Starting to dream…"


def progress_text(header: Header) -> str:
    """E.g. "Octave 2 of 4, step 3 of 10, about 12 s left", without what is unknown."""
    if "octave" not in header:
        return str(header.get("text", "Dreaming…"))
    text = (
        f"Octave {header['octave']} of {header.get('octaves', '?')},"
        f" step {header.get('step', '?')} of {header.get('steps', '?')}"
    )
    remaining = header.get("remaining")
    if isinstance(remaining, int | float):
        text += f", about {duration(remaining)} left"
    return text


def duration(seconds: float) -> str:
    """A rounded time span: "8 s", "3 min", "2 h 5 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def lost(reason: str) -> str:
    """The sentence for the user when the daemon was lost in the middle of a dream."""
    return f"{reason} Your picture is unchanged; call Deep Dream again."


def layer_name(source: str, recipe: Recipe) -> str:
    """The name of the new layer, e.g. "Dream of Cat (features.10:30, seed 7)"."""
    target = "map" if recipe.bindings() else shortened(recipe.expression().text, TARGET_LENGTH)
    return f"Dream of {source} ({target}, seed {recipe.seed})"
