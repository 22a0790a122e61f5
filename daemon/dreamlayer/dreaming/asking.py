"""The request for one picture's dream, and the frames that go with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from dreamlayer.dreaming import selection
from dreamlayer.dreaming.order import DreamOrder
from dreamlayer.dreaming.selection import Selection
from dreamlayer.files.dream_map import map_pixels
from dreamlink.picture import Picture, Region
from dreamlink.session.inputs import Pixels, RequestInputs
from dreamlink.wire.messages import DreamRequest, Frame


class PixelSource(Protocol):
    """A picture whose pixels can be sent: an `ImageFile`, or one in memory."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    def layout(self, width: int, height: int) -> Picture:
        """The layout of the pixels of a part of it."""

    def pixels(self, region: Region) -> bytes:
        """The raw pixels of a part of it."""


class AskedDream(NamedTuple):
    """A request, and the frames that follow it."""

    request: DreamRequest
    frames: Sequence[Frame]

    @property
    def nbytes(self) -> int:
        """Bytes of the frames."""
        return sum(memoryview(frame).nbytes for frame in self.frames)


def select(order: DreamOrder, size: tuple[int, int]) -> Selection:
    """What is dreamed in of a picture of this size (width, height); raises ValueError."""
    mask = order.mask.of_size(size) if order.mask else None
    return selection.select(size, order.rectangle, mask)


def ask(order: DreamOrder, source: PixelSource, selected: Selection) -> AskedDream:
    """The request for the dream of a picture, with what is selected and its surroundings.

    Raises:
        ValueError: the strength map has another size.
    """
    whole = Region(0, 0, *source.size)
    region = selected.region
    sent = selected.with_context(whole, order.recipe.context)
    guide = order.guide
    inputs = RequestInputs(
        Pixels(source.layout(sent.width, sent.height), source.pixels(sent)),
        mask=selected.mask.tobytes() if selected.mask else None,
        strength=_strength(order, source.size, region),
        guide=Pixels(Picture(*guide.size, "U8", "RGB"), guide.tobytes()) if guide else None,
        dream_map=map_pixels(order.dream_map, source.size, region) if order.dream_map else None,
    )
    request = inputs.request(
        order.recipe,
        region.moved(-sent.x, -sent.y),
        edges=region.edges(whole),
        gain=order.gain,
        device=order.device,
    )
    return AskedDream(request, inputs.frames())


def _strength(order: DreamOrder, size: tuple[int, int], region: Region) -> Pixels | None:
    """The part of the strength map over the region."""
    if order.strength is None:
        return None
    part = order.strength.of_size(size).crop(selection.box(region))
    return Pixels(Picture(*part.size, "U8", "G"), part.tobytes())
