"""Where an earlier dream lies: a new dream of the same layer takes over its box and its shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gi.repository import Babl, Gimp

from dreamlink.picture import Region
from dreamlink.wire.messages import Frame

from . import buffers, lossless
from .look import is_full


@dataclass(frozen=True)
class DreamPlacement:
    """The placement of an earlier dream when the new one begins.

    Attributes:
        layer: the earlier dream; the new one is inserted right above it.
        region: its part of the source layer, in the source's coordinates; None if there is a
            selection now, which takes precedence.
        shape: its mask in the region, or else its transparency; None if it has neither.
        form: babl's name of the shape's format.
        mask: the shape as a selection, one byte a pixel, if the shape alone decides what of the
            new dream is visible; None if the source's own transparency counts too.
        covered: whether the region is all of the earlier dream.
        opaque: whether the earlier dream is opaque all over the source, with its mask.
    """

    layer: Any
    region: Region | None = None
    shape: Frame | None = None
    form: str = ""
    mask: Frame | None = None
    covered: bool = False
    opaque: bool = False

    @classmethod
    def of(cls, image: Any, drawable: Any, layer: Any) -> DreamPlacement:
        """The placement of `layer`, a dream of `drawable`."""
        whole = Region(0, 0, drawable.get_width(), drawable.get_height())
        _, left, top = drawable.get_offsets()
        _, x, y = layer.get_offsets()
        own = Region(x - left, y - top, layer.get_width(), layer.get_height())
        region = own.clip(whole)
        inside = region.moved(-own.x, -own.y)  # in the earlier dream's coordinates
        alpha = buffers.read(layer.get_buffer(), inside, "A u8")
        values, mask = None, layer.get_mask()
        if mask is not None:
            values = buffers.read(mask.get_buffer(), inside, "Y u8")
        colours = is_full(alpha)  # are opaque
        opaque = colours and (values is None or is_full(values))
        if not Gimp.Selection.is_empty(image) or region.empty:
            return cls(layer, opaque=opaque)
        covered = region == own
        if mask is not None:
            form = Babl.get_name(mask.get_format())
            shape = buffers.read(mask.get_buffer(), inside, form)
            return cls(layer, region, shape, form, values if colours else None, covered, opaque)
        if region == whole or colours:
            return cls(layer, region, covered=covered, opaque=opaque)
        return cls(layer, region, alpha, "Y u8", alpha, covered)

    def apply_shape(self, layer: Any) -> None:
        """Give the new dream, which has its pixels already, the earlier dream's shape as a mask."""
        if self.shape is None:
            return
        box = Region(0, 0, layer.get_width(), layer.get_height())
        layer.add_mask(layer.create_mask(Gimp.AddMaskType.WHITE))
        buffers.write(layer.get_mask().get_buffer(), box, self.form, self.shape)
        if self.mask is not None:
            lossless.make_opaque(layer, box)
