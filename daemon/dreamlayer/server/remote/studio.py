"""A studio on another computer: the worker dreams with it as with the one here.

What is dreamed stays there, too: a finished dream that is blended anew is asked for there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

from dreamlayer.server.config.address import Address
from dreamlayer.server.remote.link import Message, RemoteGone, RemoteLink, answer
from dreamlayer.server.transport.keys import Pair
from dreamlayer.studio.progress import Progress
from dreamlayer.studio.protocol import DreamOverlay, Finished
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import progress_text
from dreamlink.wire.answers import check
from dreamlink.wire.messages import BlendRequest, DreamRequest, Frame, Header, new_id

BEAT = 0.05  # seconds after which a dream without news lets its worker look up
ANSWER_WITHIN = 120.0  # seconds; the first answer may wait until torch is loaded there
NO_SENSE = "The other computer sent pixels that don't fit the request."
OVERLAY_BYTES = 4096  # what a dream that is kept elsewhere takes here, roughly


class RemoteRefusal(ValueError):
    """What the other computer said against it."""


class RemoteOverlay:
    """A finished dream that the other computer keeps, as `dream_id`."""

    nbytes = OVERLAY_BYTES

    def __init__(self, link: RemoteLink, dream_id: str, layout: Picture) -> None:
        self._link = link
        self.dream_id = dream_id
        self._layout = layout

    def blend(self, recipe: Recipe) -> Frame:
        """The region's pixels with other live parameters.

        Raises:
            RemoteGone: the other computer can't be reached.
            RemoteRefusal: it does not keep the dream any more, or the recipe asks for a new one.
        """
        conversation = self._link.ask(BlendRequest(self.dream_id, recipe).header())
        try:
            while True:
                message = conversation.next(ANSWER_WITHIN)
                if message is None:
                    raise RemoteGone("The other computer does not answer.")
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
        frame_max: bytes that one picture may have.
    """

    networks: tuple[str, ...] = ()  # they are there, not here

    def __init__(self, address: Address, key: bytes, own: Pair, frame_max: int) -> None:
        self._link = RemoteLink(address, key, own, frame_max)
        self._address = address
        self.device = f"the computer {address}"

    def drop_idle(self) -> None:
        """No network is loaded here."""

    def layers(self, model: str) -> list[dict[str, object]]:
        """The layers of a model there; raises RemoteRefusal, RemoteGone."""
        return self._told({"op": "layers", "model": model}, "layers")

    def models(self) -> list[dict[str, object]]:
        """The models there; raises RemoteGone."""
        return self._told({"op": "models"}, "models")

    def _told(self, request: Header, name: str) -> list[dict[str, object]]:
        conversation = self._link.ask({**request, "id": new_id()})
        header = answer(conversation, ANSWER_WITHIN)
        told = header.get(name)
        if header["op"] == "error":
            _checked((header, []))
        if not isinstance(told, list) or not all(isinstance(row, dict) for row in told):
            raise RemoteRefusal(f"The computer {self._address} told no {name}.")
        return told

    def dream(
        self,
        request: DreamRequest,
        frames: Sequence[Frame],
        before: DreamOverlay | None = None,
    ) -> Generator[Progress, None, Finished]:
        """Dream there; closing the generator cancels it. `before` is the dream to go on from.

        Raises:
            RemoteGone: the other computer can't be reached, or went away.
            RemoteRefusal: it says why it can't dream this.
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
                message = conversation.next(BEAT)
                if message is None:
                    yield replace(progress, preview=previews.offer, look=False)
                    continue
                over = message[0]["op"] in ("done", "cancelled", "error")
                header, came = _checked(message)
                if over:
                    return self._finished(theirs, header, came)
                progress = _progress(header)
                if header.get("live") is True:
                    pixels = _pixels(came, request.result)
                    yield replace(progress, live=functools.partial(_same, pixels))
                    continue
                if came:
                    previews.put(Picture.of(header["preview"]), came[0])
                look = request.quick and bool(came)
                yield replace(progress, preview=previews.offer, look=look)
        finally:
            conversation.close("received" if over else "cancel")

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


def _checked(message: Message) -> Message:
    """An answer that makes sense and goes on; raises what ends a request without pixels."""
    header, frames = message
    check(header, frames)
    if header["op"] == "error":
        raise RemoteRefusal(f"The other computer says: {header['text']:.1000}")
    if header["op"] == "cancelled":
        raise RemoteGone("The other computer's daemon has ended this: dream again.")
    return message


def _pixels(frames: Sequence[Frame], layout: Picture) -> Frame:
    if len(frames) != 1 or len(frames[0]) != layout.nbytes:
        raise RemoteRefusal(NO_SENSE)
    return frames[0]


def _same(pixels: Frame) -> Frame:
    return pixels


def _progress(header: Header) -> Progress:
    """What an answer on the way says."""
    if header["op"] == "queued":
        waiting = "Waiting: other dreams are ahead on the other computer…"
        return Progress(0.0, waiting if header["ahead"] else "Starting to dream…")
    if "octave" not in header:
        return Progress(header["fraction"], progress_text(header)[:300])
    numbers = {name: header[name] for name in ("octave", "octaves", "step", "steps")}
    return Progress(header["fraction"], **numbers)


class _Previews:
    """The newest preview, offered until it is shown: it comes when it likes."""

    def __init__(self) -> None:
        self._newest: tuple[Picture, Frame] | None = None

    def put(self, layout: Picture, pixels: Frame) -> None:
        self._newest = layout, pixels

    @property
    def offer(self) -> Callable[[int], tuple[Picture, Frame]] | None:
        """What shows it, of the size that was asked for; None if there is no news."""
        newest = self._newest
        if newest is None:
            return None

        def show(_side: int) -> tuple[Picture, Frame]:
            self._newest = None
            return newest

        return show
