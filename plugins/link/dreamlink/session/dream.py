"""One dream as its client sees it: a state that the daemon's messages move on.

Krita feeds it from its event loop, GIMP and the command line from a waiting loop; all show the
same words.
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

TARGET_LENGTH = 40  # letters of what is amplified that a layer's name shows
BYTES_UNCHECKED = "The daemon sent pixels that don't fit the request; nothing was changed."


class State(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Sender(Protocol):
    """What a dream needs of a connection: `Client`, or what a host wraps around it."""

    def send(self, header: Mapping[str, Any], *frames: Frame) -> None: ...


class Asked:
    """Something asked of the daemon that ends with pixels, or without.

    Attributes:
        state: where it stands.
        fraction: how much of the work is done, 0 to 1.
        text: one line for a progress bar, or the reason of a failure.
        pixels: when done, the result's raw pixels in the dream's layout `request.result`.
        report: when done, the daemon's figures: seconds, recipe, …
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
        """Take a message of the daemon; False if it belongs to another request."""
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
            gone = header.get("lost") is True
            self.fail(lost(header["text"]) if gone else header["text"])
        return True

    @property
    def notes(self) -> list[str]:
        """Sentences for the user: what was not as it should be, though the pixels are there."""
        told = self.report.get("notes")
        return [str(note) for note in told] if isinstance(told, list) else []

    def fail(self, reason: str) -> None:
        """End it with a sentence for the user, e.g. that the connection was lost."""
        self.state, self.text = State.FAILED, reason

    def _progress(self, header: Header, frames: list[bytearray]) -> None:
        """Only a dream tells of its progress."""

    def _done(self, header: Header, frames: list[bytearray]) -> None:
        if len(frames) != 1 or len(frames[0]) != self._layout.nbytes:
            self.fail(BYTES_UNCHECKED)
            return
        self.pixels = frames[0]
        self.report = header
        self.fraction = 1.0
        self.state, self.text = State.DONE, "Done."


class Dream(Asked):
    """A dream under way.

    Attributes:
        preview: layout and RGB pixels of the newest preview, if previews were asked for.
        live: the newest pixels so far, in the layout `request.result`, if asked for.
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
            self._cancelling = True  # the tile in work is still computed, and may tell of it
            self.text = "Cancelling…"
            self._client.send({"op": "cancel", "id": self.request.id})

    def resume(self) -> None:
        """Go on over a new connection, after the one before was lost.

        The sender that this dream was made with has that connection now. The daemon tells how the
        dream stands, or that it is lost.
        """
        self._client.send({"op": "fetch", "id": self.request.id})
        if self._cancelling:
            self._client.send({"op": "cancel", "id": self.request.id})

    def blend(self, recipe: Recipe) -> Blend:
        """Ask for the finished dream's pixels with other `live` parameters; nothing is dreamed.

        `recipe` is the one in the report but for these. A blend that is asked for before an older
        one of the same dream has begun takes its place: the older one is cancelled.
        """
        return Blend(self._client, BlendRequest(self.request.id, recipe), self.request.result)

    def _done(self, header: Header, frames: list[bytearray]) -> None:
        super()._done(header, frames)
        with contextlib.suppress(
            ConnectionError
        ):  # the pixels are here: it does not matter any more
            self._client.send({"op": "received", "id": self.request.id})

    def _progress(self, header: Header, frames: list[bytearray]) -> None:
        self.state = State.RUNNING
        self.fraction = float(header.get("fraction", 0.0))
        if not self._cancelling:
            self.text = progress_text(header)
        if header.get("live") is True:
            if len(frames[0]) != self._layout.nbytes:
                self.fail(BYTES_UNCHECKED)
                return
            self.live = frames[0]
        elif frames:
            self.preview = (Picture.of(header["preview"]), frames[0])


class Blend(Asked):
    """A finished dream that is being laid over its picture again."""

    def __init__(self, client: Sender, request: BlendRequest, layout: Picture) -> None:
        super().__init__(request.id, layout)
        self.request = request
        client.send(request.header())


def _waiting(ahead: object) -> str:
    if ahead == 1:
        return "Waiting: another dream is ahead…"
    return f"Waiting: {ahead} dreams are ahead…" if ahead else "Starting to dream…"


def progress_text(header: Header) -> str:
    """E.g. "Octave 2 of 4, step 3 of 10, about 12 s left"; what is unknown is left out."""
    if "octave" not in header:
        return str(header.get("text", "Dreaming…"))
    words = (
        f"Octave {header['octave']} of {header.get('octaves', '?')},"
        f" step {header.get('step', '?')} of {header.get('steps', '?')}"
    )
    remaining = header.get("remaining")
    if isinstance(remaining, int | float):
        words += f", about {duration(remaining)} left"
    return words


def duration(seconds: float) -> str:
    """A time span as people say it: "8 s", "3 min", "2 h 5 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def lost(reason: str) -> str:
    """What to tell the user when the daemon went away in the middle of a dream."""
    return f"{reason} Your picture is unchanged; call Deep Dream again."


def layer_name(source: str, recipe: Recipe) -> str:
    """What the new layer is called, e.g. "Dream of Cat (features.10:30, seed 7)"."""
    target = shortened(recipe.expression().text, TARGET_LENGTH)
    return f"Dream of {source} ({target}, seed {recipe.seed})"
