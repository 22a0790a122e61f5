"""The strength map: another layer, channel or mask that says how strongly each pixel dreams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dreamlink.picture import Picture, Region
from dreamlink.wire.messages import Frame

from ..call.errors import CallRefused
from . import buffers, layouts
from .look import format_of, refuse_without_look, shown


@dataclass(frozen=True)
class StrengthMap:
    """The part of a drawable that lies where the dream will be.

    Attributes:
        area: this part, in the drawable's coordinates; outside the drawable it is empty, and
            nothing is dreamed there.
        layout: the layout in which it is sent.
        form: babl's name of that layout.
    """

    drawable: Any
    area: Region
    layout: Picture
    form: str

    @classmethod
    def of(cls, drawable: Any, box: Region) -> StrengthMap:
        """The part in `box`, in the image's coordinates. Raises CallRefused if it is empty."""
        refuse_without_look(drawable)
        _, left, top = drawable.get_offsets()
        area = box.moved(-left, -top)
        if area.clip(Region(0, 0, drawable.get_width(), drawable.get_height())).empty:
            raise CallRefused(
                f"The strength map “{drawable.get_name()}” does not overlap the area to dream in:"
                " move it there or choose another one, then call Deep Dream again."
            )
        if drawable.is_layer():
            order, form = "GA", "Y'A u8"  # perceived lightness
        else:
            # a channel or mask: its values, unconverted
            order, form = "G", f"Y{layouts.curve(format_of(drawable))} u8"
        return cls(drawable, area, Picture(area.width, area.height, "U8", order), form)

    def read(self) -> Frame:
        """The map's current look. Raises CallRefused if it was removed."""
        if not self.drawable.is_valid():
            raise CallRefused(
                "The strength map was removed, so nothing was dreamed. Call Deep Dream again."
            )
        with shown(self.drawable, masked=True) as layer:
            return buffers.read(layer.part(self.area).buffer, self.area, self.form)
