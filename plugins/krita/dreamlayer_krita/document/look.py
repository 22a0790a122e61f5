"""What a layer looks like: its pixels with its masks and its style, at full opacity.

Krita gives out a layer's own pixels and its projection. The projection lacks the layer style, and
of a hidden layer whatever was changed since it was hidden. Where it is not the look, Krita composes
a copy of the layer, alone in a hidden document: the user's document has no part in that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from dreamlink.picture import Region

from . import scratch
from .layers import MASKS, OWN, children

RESHAPING = ("filtermask", "transformmask", "colorizemask")  # may show more than the layer's bounds


class Look(NamedTuple):
    """What one layer or mask shows; valid within `look_at`.

    Attributes:
        node: the layer or mask.
        copied: the hidden document with nothing but its copy, or None if `node` itself is read.
    """

    node: Any
    copied: Any = None

    @property
    def bounds(self) -> Region:
        """Where it may have pixels; outside the canvas too."""
        own = _region(self.node.bounds())
        return own if self.copied is None else _union(own, _region(self._drawn.bounds()))

    def pixels(self, box: Region) -> Any:
        """The raw pixels of a box as a QByteArray, in the layer's colour space."""
        if self.copied is not None:
            return self.copied.pixelData(*box)
        # A layer's own pixels are up to date even while Krita still composes the picture.
        own = self.node.type() in MASKS or (self.node.type() in OWN and not masks_on(self.node))
        return (self.node.pixelData if own else self.node.projectionPixelData)(*box)

    def every_nth_pixel(self, box: Region, every: int) -> bytearray:
        """Each nth pixel of each nth row of a box; the rows between are not read."""
        width, height = max(1, box.width // every), max(1, box.height // every)
        line = Region(box.x, box.y, min(box.width, width * every), 1)
        rows = b"".join(
            bytes(self.pixels(line.moved(0, row * every))) for row in range(height)
        )  # fmt: skip
        size = len(rows) // (line.width * height)  # of a pixel
        thinned = bytearray(width * height * size)
        for sample in range(size):
            thinned[sample::size] = rows[sample :: size * every]
        return thinned

    def thumbnail(self, width: int, height: int) -> Any:
        """A QImage of everything within `drawn`; pixels are skipped, not averaged."""
        return self._drawn.thumbnail(width, height)

    @property
    def drawn(self) -> Region:
        """What a thumbnail shows."""
        return _region(self._drawn.bounds())

    @property
    def _drawn(self) -> Any:
        return self.node if self.copied is None else self.copied.rootNode()


@contextmanager
def look_at(
    node: Any, document: Any, time: int | None = None, thumbnail: bool = False
) -> Iterator[Look]:
    """What a layer or mask of a document shows.

    Args:
        node, document: the layer or mask, and its document.
        time: the frame of the animation; None: the current one.
        thumbnail: whether a thumbnail is wanted, which in Krita lacks the masks.

    Raises:
        DocumentError: Krita can't make a document in the layer's colour space.
    """
    if not (is_composed(node) or (thumbnail and masks_on(node))):
        yield Look(node)
        return
    time = document.currentTime() if time is None else time
    with scratch.copied_alone(node, document, time) as copied:
        yield Look(node, copied)


def is_composed(node: Any) -> bool:
    """Whether Krita must compose a copy to have the layer's look."""
    kind = node.type()
    if kind in MASKS:
        return False
    masks = [mask.type() for mask in masks_on(node)]
    if node.layerStyleToAsl() or any(mask in RESHAPING for mask in masks):
        return True
    return not node.visible() and bool(kind not in OWN or masks)


def masks_on(node: Any) -> list[Any]:
    """The masks of a layer that are switched on."""
    return [child for child in children(node) if child.type().endswith("mask") and child.visible()]


def _region(rectangle: Any) -> Region:
    return Region(rectangle.x(), rectangle.y(), rectangle.width(), rectangle.height())


def _union(one: Region, other: Region) -> Region:
    if one.empty or other.empty:
        return other if one.empty else one
    x, y = min(one.x, other.x), min(one.y, other.y)
    right = max(one.x + one.width, other.x + other.width)
    bottom = max(one.y + one.height, other.y + other.height)
    return Region(x, y, right - x, bottom - y)
