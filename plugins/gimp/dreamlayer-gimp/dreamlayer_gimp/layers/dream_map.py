"""The dream map: another layer, whose flat colours say what is dreamed where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dreamlink.picture import Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.inputs import Pixels
from dreamlink.wire.messages import DREAM_MAP_FREE

from ..call.errors import CallRefused
from . import buffers
from .look import refuse_without_look, shown

FORM = "R'G'B'A u8"  # sRGB, as colours are bound
SAMPLE_SIDE = 256  # rows and columns that are searched for flat colours


@dataclass(frozen=True)
class DreamMapDrawable:
    """The part of a drawable that lies where the dream will be.

    Attributes:
        area: this part, in the drawable's coordinates; outside the drawable it is empty, and
            nothing is dreamed there.
    """

    drawable: Any
    area: Region

    @classmethod
    def of(cls, drawable: Any, box: Region, recipe: Recipe) -> DreamMapDrawable | None:
        """The part in `box`, in the image's coordinates; None without a map.

        Raises CallRefused if it is empty, or if the recipe and the chosen map disagree.
        """
        bound = bool(recipe.bindings())
        if drawable is None and bound:
            raise CallRefused(
                "“Map colours” says what the colours of a dream map stand for, but no map is"
                " chosen: choose a layer as the dream map, or leave “Map colours” empty."
            )
        if drawable is None:
            return None
        _refuse_removed(drawable)
        if not bound:
            raise CallRefused(
                "A dream map was chosen, but nothing says what its colours stand for: enter it in"
                " “Map colours”, e.g. #ff0000=10:30; #00ff00=kind:dogs, or choose no dream map."
            )
        refuse_without_look(drawable)
        _, left, top = drawable.get_offsets()
        area = box.moved(-left, -top)
        if area.clip(Region(0, 0, drawable.get_width(), drawable.get_height())).empty:
            raise CallRefused(
                f"The dream map “{drawable.get_name()}” does not overlap the area to dream in:"
                " move it there or choose another one, then call Deep Dream again."
            )
        return cls(drawable, area)

    def read(self) -> Pixels:
        """The map's current look, reduced if it is large. Raises CallRefused if it was removed."""
        x, y, width, height = self.area
        shrink = max(1.0, (width * height / DREAM_MAP_FREE) ** 0.5)
        columns, rows = (max(1, int(side / shrink)) for side in (width, height))
        return read_sampled(self.drawable, places(x, width, columns), places(y, height, rows))


def refuse_other_image(image: Any, drawable: Any) -> None:
    """Raise CallRefused for a map of another image: its place, and Dream Again, need this one's."""
    if drawable is None:
        return
    _refuse_removed(drawable)
    if drawable.get_image() != image:
        raise CallRefused(
            f"The dream map “{drawable.get_name()}” belongs to another image: copy it into this"
            " one, where it lies over what it is for, then call Deep Dream again."
        )


def sample(drawable: Any) -> bytes:
    """Pixels from all over a map, R, G, B, A in 8 bits, not averaged. Raises CallRefused."""
    width, height = drawable.get_width(), drawable.get_height()
    columns, rows = (places(0, side, min(side, SAMPLE_SIDE)) for side in (width, height))
    return bytes(read_sampled(drawable, columns, rows).frame)


def places(start: int, length: int, count: int) -> list[int]:
    """The middles of `count` equal parts of `length` pixels, from `start`; all if it has as many.

    So each pixel of a reduced map is one of the map's own: an average of two flat colours would be
    a third.
    """
    return [start + (2 * number + 1) * length // (2 * count) for number in range(count)]


def read_sampled(drawable: Any, columns: Sequence[int], rows: Sequence[int]) -> Pixels:
    """The pixels in some columns and rows of a map, which rise. Raises CallRefused."""
    _refuse_removed(drawable)
    across, down = columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]
    with shown(drawable, masked=True) as layer:
        look = layer.part(Region(columns[0], rows[0], across, down))
    layout = Picture(len(columns), len(rows), "U8", "RGBA")
    return Pixels(layout, buffers.read_sampled(look.buffer, columns, rows, FORM))


def _refuse_removed(drawable: Any) -> None:
    if not drawable.is_valid():
        raise CallRefused(
            "The dream map was removed, so nothing was dreamed: choose another layer, then call"
            " Deep Dream again."
        )
