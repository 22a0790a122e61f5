"""The studio on another computer: dreams are computed by the daemon there.

Finished dreams are kept there, too; blending one again is a request to that daemon.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import NoReturn

from dreamlayer.runtime import interruption
from dreamlayer.server.config.address import Address
from dreamlayer.server.remote.link import Message, RemoteLink, RemoteUnreachable, answer
from dreamlayer.server.transport.keys import KeyPair
from dreamlayer.studio.progress import LooksProgress, Progress, RecipeLook
from dreamlayer.studio.protocol import DreamOverlay, Finished, Listing
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import progress_text
from dreamlink.wire.answers import check
from dreamlink.wire.looks import LookAnswer, LooksRequest
from dreamlink.wire.messages import BlendRequest, DreamRequest, Frame, Header, new_id
from dreamlink.wire.seeing import Seen, SeeRequest

POLL = 0.05  # seconds after which a dream without messages returns control to the worker
ANSWER_WITHIN = 120.0  # seconds; the first answer may wait until torch is loaded there
WRONG_PIXELS = "The other computer sent pixels that don't fit the request."
OVERLAY_BYTES = 4096  # memory that a dream kept elsewhere takes here, roughly


class RemoteRefusal(ValueError):
    """The other computer refused a request; the text is for the user."""


class RemoteOverlay:
    """A finished dream that the other computer keeps, under the id `dream_id`."""

    nbytes = OVERLAY_BYTES

    def __init__(self, link: RemoteLink, dream_id: str, layout: Picture) -> None:
        self._link = link
        self.dream_id = dream_id
        self._layout = layout

    def blend(self, recipe: Recipe) -> Frame:
        """The region's pixels with other live parameters, blended by the other computer.

        Raises:
            RemoteUnreachable: the other computer can't be reached.
            RemoteRefusal: it no longer keeps the dream, or the recipe needs a new one.
        """
        conversation = self._link.ask(BlendRequest(self.dream_id, recipe).header())
        try:
            while True:
                message = conversation.next(ANSWER_WITHIN)
                if message is None:
                    raise RemoteUnreachable("The other computer does not answer.")
                header, frames = _checked(message)
                if header["op"] == "done":
                    return _pixels(frames, self._layout)
        finally:
            conversation.close()


class RemoteStudio:
    """Dreams on another computer.

    Args:
        address: where its daemon listens.
        key: its public key.
        own: this computer's key pair.
        frame_max: bytes that a picture may have.
    """

    networks: tuple[str, ...] = ()  # none is loaded on this computer

    def __init__(self, address: Address, key: bytes, own: KeyPair, frame_max: int) -> None:
        self._link = RemoteLink(address, key, own, frame_max)
        self._address = address
        self.device = f"the computer {address}"

    def drop_idle(self) -> None:
        """No network is loaded here."""

    def layers(self, model: str) -> Listing:
        """The layers and kinds of a model there; raises RemoteRefusal, RemoteUnreachable."""
        header = self._ask({"op": "layers", "model": model})
        kinds = self._rows(header, "kinds") if "kinds" in header else []  # older ones name none
        return {"layers": self._rows(header, "layers"), "kinds": kinds}

    def models(self) -> list[dict[str, object]]:
        """The models there; raises RemoteRefusal, RemoteUnreachable."""
        return self._rows(self._ask({"op": "models"}), "models")

    def _ask(self, request: Header) -> Header:
        conversation = self._link.ask({**request, "id": new_id()})
        header = answer(conversation, ANSWER_WITHIN)
        if header["op"] == "error":
            _checked((header, []))
        return header

    def _rows(self, header: Header, name: str) -> list[dict[str, object]]:
        rows = header.get(name)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise RemoteRefusal(f"The computer {self._address} sent no list of {name}.")
        return rows

    def see(self, request: SeeRequest, frames: Sequence[Frame]) -> tuple[Header, list[Frame]]:
        """What the other computer's networks see; raises RemoteRefusal, RemoteUnreachable."""
        theirs = replace(request, id=new_id())
        conversation = self._link.ask(theirs.header(), frames)
        end = time.monotonic() + ANSWER_WITHIN
        over = False
        try:
            while time.monotonic() < end:
                interruption.check()
                message = conversation.next(POLL)
                if message is not None:
                    over = True
                    return _seen(message)
            raise RemoteUnreachable("The other computer does not answer.")
        finally:
            conversation.close(None if over else "cancel")

    def dream(
        self,
        request: DreamRequest,
        frames: Sequence[Frame],
        before: DreamOverlay | None = None,
    ) -> Generator[Progress, None, Finished]:
        """Dream there; closing the generator cancels it. `before` is the dream to start from.

        Raises:
            RemoteUnreachable: the other computer can't be reached, or disconnected.
            RemoteRefusal: it refused the request; the text says why.
        """
        theirs = replace(request, id=new_id(), keep=False, after="", carry=0.0)
        if before is not None:
            if not isinstance(before, RemoteOverlay):
                raise TypeError(f"{type(before).__name__} is no dream of another computer")
            theirs = replace(theirs, after=before.dream_id, carry=request.carry)
        progress = Progress(0.0, f"Asking the computer {self._address}…")
        previews = _Previews()
        yield progress
        conversation = self._link.ask(theirs.header(), frames)
        over = False
        try:
            while True:
                message = conversation.next(POLL)
                if message is None:
                    yield replace(progress, preview=previews.offer, look=False)
                    continue
                over = message[0]["op"] in ("done", "cancelled", "error")
                header, answered = _checked(message)
                if over:
                    return self._finished(theirs, header, answered)
                progress = _progress(header)
                if header.get("live") is True:
                    pixels = _pixels(answered, request.result)
                    yield replace(progress, live=functools.partial(_identity, pixels))
                    continue
                if answered:
                    previews.put(Picture.of(header["preview"]), answered[0])
                look = request.quick and bool(answered)
                yield replace(progress, preview=previews.offer, look=look)
        finally:
            conversation.close("received" if over else "cancel")

    def looks(
        self, request: LooksRequest, frames: Sequence[Frame]
    ) -> Generator[LooksProgress, None, None]:
        """Looks of several recipes, taken there; closing the generator cancels them.

        Raises:
            RemoteUnreachable, RemoteRefusal: as `dream`.
        """
        theirs = request.with_id(new_id())
        yield LooksProgress(0.0)
        conversation = self._link.ask(theirs.header(), frames)
        count, complete, over = len(request.dreams), 0, False
        try:
            while True:
                message = conversation.next(POLL)
                if message is None or message[0]["op"] in ("queued", "progress"):
                    yield LooksProgress(complete / count)
                    continue
                header, answered = message
                over = header["op"] != "look"
                if over:
                    if header["op"] != "looked":
                        _refuse(message)
                    return
                look = LookAnswer.of(header, answered, count)
                complete += look.complete
                error = RemoteRefusal(f"The other computer says: {look.text}")
                told = RecipeLook(look.index, look.complete, look.picture, error)
                yield LooksProgress(min(1.0, complete / count), told)
        finally:
            conversation.close(None if over else "cancel")

    def _finished(self, request: DreamRequest, header: Header, frames: Sequence[Frame]) -> Finished:
        notes = header.get("notes")
        device = f"{header.get('device', '?'):.80} of {self._address}"
        self.device = device
        return Finished(
            pixels=_pixels(frames, request.result),
            overlay=RemoteOverlay(self._link, request.id, request.result),
            device=device,
            recipe=Recipe.of(header["recipe"]),
            megapixel_steps=header.get("megapixel_steps") or 0.0,
            gain=header.get("gain"),
            notes=tuple(f"{note!s:.300}" for note in notes) if isinstance(notes, list) else (),
        )


def _seen(message: Message) -> tuple[Header, list[Frame]]:
    """The fields of a valid answer to `see`, and its frames."""
    header, frames = message
    if header["op"] != "seen":
        _refuse(message)
    Seen.of(header, frames)
    names = ("channels", "layers", "kinds", "together", "classes", "heat", "notes", "thumbnails")
    return {name: header[name] for name in names if name in header}, list(frames)


def _refuse(message: Message) -> NoReturn:
    """Raise what an error says, or that this answer was not expected."""
    header, _ = _checked(message)
    raise RemoteRefusal(f"The other computer answered {header['op']!r:.40}.")


def _checked(message: Message) -> Message:
    """A valid answer; raises RemoteRefusal for an error and RemoteUnreachable if cancelled."""
    header, frames = message
    check(header, frames)
    if header["op"] == "error":
        raise RemoteRefusal(f"The other computer says: {header['text']:.1000}")
    if header["op"] == "cancelled":
        raise RemoteUnreachable("The daemon on the other computer has cancelled this: dream again.")
    return message


def _pixels(frames: Sequence[Frame], layout: Picture) -> Frame:
    if len(frames) != 1 or len(frames[0]) != layout.nbytes:
        raise RemoteRefusal(WRONG_PIXELS)
    return frames[0]


def _identity(pixels: Frame) -> Frame:
    return pixels


def _progress(header: Header) -> Progress:
    """A progress message, or the confirmation that the dream was queued, as Progress."""
    if header["op"] == "queued":
        waiting = "Waiting: other dreams are ahead on the other computer…"
        return Progress(0.0, waiting if header["ahead"] else "Starting to dream…")
    if "octave" not in header:
        return Progress(header["fraction"], progress_text(header)[:300])
    numbers = {name: header[name] for name in ("octave", "octaves", "step", "steps")}
    return Progress(header["fraction"], **numbers)


class _Previews:
    """The newest preview, offered until it is shown, as previews arrive independently of that."""

    def __init__(self) -> None:
        self._newest: tuple[Picture, Frame] | None = None

    def put(self, layout: Picture, pixels: Frame) -> None:
        self._newest = layout, pixels

    @property
    def offer(self) -> Callable[[int], tuple[Picture, Frame]] | None:
        """A function that returns the newest preview, at the size it has; None if it was shown."""
        newest = self._newest
        if newest is None:
            return None

        def show(_side: int) -> tuple[Picture, Frame]:
            self._newest = None
            return newest

        return show
