"""The place of an old dream: the new one on the same layer takes over its box and its mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gi.repository import Babl, Gimp

from dreamlink.picture import Region
from dreamlink.wire.messages import Frame

from . import buffers, lossless


@dataclass(frozen=True)
class Place:
    """Where an old dream lies, as it is when the new one begins.

    Attributes:
        layer: the old dream; the new one goes right above it.
        region: its part of the layer that it is a dream of, in that layer's coordinates. None
            where something else is selected now.
        veil: its mask there, or else its transparency; None where it has neither.
        form: babl's name of the veil's layout.
        mask: the veil as a selection, one byte a pixel, where it says all about what of the new
            dream is to be seen; None where the source's own transparency counts too.
    """

    layer: Any
    region: Region | None = None
    veil: Frame | None = None
    form: str = ""
    mask: Frame | None = None

    @classmethod
    def of(cls, image: Any, drawable: Any, layer: Any) -> Place:
        """Look where `layer`, a dream of `drawable`, lies."""
        whole = Region(0, 0, drawable.get_width(), drawable.get_height())
        _, left, top = drawable.get_offsets()
        _, x, y = layer.get_offsets()
        own = Region(x - left, y - top, layer.get_width(), layer.get_height())
        region = own.clip(whole)
        if not Gimp.Selection.is_empty(image) or region.empty:
            return cls(layer)
        inside = region.moved(-own.x, -own.y)  # in the old dream's coordinates
        alpha = buffers.read(layer.get_buffer(), inside, "A u8")
        opaque = alpha.count(255) == len(alpha)
        mask = layer.get_mask()
        if mask is not None:
            form = Babl.get_name(mask.get_format())
            veil = buffers.read(mask.get_buffer(), inside, form)
            shown = buffers.read(mask.get_buffer(), inside, "Y u8") if opaque else None
            return cls(layer, region, veil, form, shown)
        if region == whole or opaque:
            return cls(layer, region)
        return cls(layer, region, alpha, "Y u8", alpha)

    def dress(self, layer: Any) -> None:
        """Give the new dream, whose pixels are there, the old one's veil."""
        if self.veil is None:
            return
        box = Region(0, 0, layer.get_width(), layer.get_height())
        layer.add_mask(layer.create_mask(Gimp.AddMaskType.WHITE))
        buffers.write(layer.get_mask().get_buffer(), box, self.form, self.veil)
        if self.mask is not None:
            lossless.make_opaque(layer, box)
