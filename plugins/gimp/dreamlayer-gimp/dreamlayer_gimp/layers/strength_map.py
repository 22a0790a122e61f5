"""The strength map: another layer, channel or mask that says how strongly each pixel dreams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dreamlink.picture import Picture, Region
from dreamlink.wire.messages import Frame

from ..call.errors import Refused
from . import buffers, layouts


@dataclass(frozen=True)
class StrengthMap:
    """The part of a drawable that lies where the dream will be.

    Attributes:
        area: this part, in the drawable's coordinates. What of it lies beside the drawable is
            empty: nothing is dreamed there.
        layout: how it travels.
        form: babl's name of that layout.
    """

    drawable: Any
    area: Region
    layout: Picture
    form: str

    @classmethod
    def of(cls, drawable: Any, box: Region) -> StrengthMap:
        """Look at the part in `box`, in the image's coordinates. Raises Refused."""
        _, left, top = drawable.get_offsets()
        area = box.moved(-left, -top)
        if area.clip(Region(0, 0, drawable.get_width(), drawable.get_height())).empty:
            raise Refused(
                f"The strength map “{drawable.get_name()}” does not reach to where you want to"
                " dream: move it there or choose another one, then call Deep Dream again."
            )
        if drawable.is_layer():
            order, form = "GA", "Y'A u8"  # as light as it looks
        else:
            order, form = "G", f"Y{layouts.curve(drawable)} u8"  # an amount, as it stands
        return cls(drawable, area, Picture(area.width, area.height, "U8", order), form)

    def read(self) -> Frame:
        """The map's pixels now. Raises Refused if it was removed."""
        if not self.drawable.is_valid():
            raise Refused(
                "The strength map was removed, so nothing was dreamed. Call Deep Dream again."
            )
        return buffers.read(self.drawable.get_buffer(), self.area, self.form)
