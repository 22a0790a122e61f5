"""The look of a layer: its pixels with its filters, as GIMP shows them.

Opacity, blend mode and what lies below are no part of it. GIMP hands out a layer's pixels, or a
group's picture, without the filters and the layer mask that lie over them. So where there are any,
GIMP renders a copy of the layer, alone in an image of its own; the user's image is not touched.
Noise and patterns depend on the place in the image, so the copy stays where it is, and of a layer
with filters only what lies on the canvas is rendered.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gi.repository import Babl, Gegl, Gimp

from dreamlink.picture import Region
from dreamlink.wire.messages import Frame

from ..call.errors import CallRefused
from . import buffers


@dataclass(frozen=True)
class LayerLook:
    """Pixels as they are seen, in the layer's coordinates.

    Attributes:
        buffer: GEGL's buffer of the pixels; beyond what was asked for it is empty.
        form: babl's name of the format in which they are stored.
        whole: where the layer is seen. Filters such as a shadow reach beyond its borders.
    """

    buffer: Any
    form: str
    whole: Region

    @property
    def has_alpha(self) -> bool:
        return "A" in self.form.split(" ")[0]

    @classmethod
    def of(cls, drawable: Any, masked: bool = False) -> LayerLook:
        """The whole look; `masked` with the layer mask. Raises CallRefused."""
        with shown(drawable, masked) as layer:
            return layer.part(layer.whole)


class ShownLayer:
    """A layer whose look can be read.

    Attributes:
        whole: where the layer is seen, in its own coordinates.
    """

    def __init__(self, drawable: Any, whole: Region, origin: tuple[int, int] | None = None) -> None:
        self.whole = whole
        self._drawable = drawable
        self._origin = origin  # of a rendered picture, in the layer's coordinates

    def part(self, area: Region) -> LayerLook:
        """The look of a part; this remains readable when the layer is closed."""
        buffer, form = self._drawable.get_buffer(), format_of(self._drawable)
        if self._origin is None:
            return LayerLook(buffer, form, self.whole)
        own = Gegl.Buffer.new(form, *area)
        rendered = area.moved(-self._origin[0], -self._origin[1])
        rectangles = [Gegl.Rectangle.new(*box) for box in (rendered, area)]
        buffer.copy(rectangles[0], Gegl.AbyssPolicy.NONE, own, rectangles[1])
        return LayerLook(own, form, self.whole)


@contextlib.contextmanager
def shown(drawable: Any, masked: bool = False) -> Iterator[ShownLayer]:
    """Open a layer for reading its look, within its borders also with its mask (`masked`).

    A channel or mask looks as its values are. Raises CallRefused.
    """
    box = Region(0, 0, drawable.get_width(), drawable.get_height())
    refuse_without_look(drawable)
    if not _is_covered(drawable, masked):
        yield ShownLayer(drawable, box)
        return
    frame = box if masked else canvas(drawable)
    scratch = _image_of(drawable, frame, masked)
    try:
        rendered = Gimp.Layer.new_from_visible(scratch, scratch, "look")
        content = _content(rendered).moved(frame.x, frame.y)
        whole = box.clip(frame)
        whole = whole if content.empty else content if whole.empty else union(whole, content)
        yield ShownLayer(rendered, whole, frame[:2])
    finally:
        scratch.delete()


def format_of(drawable: Any) -> str:
    """Babl's name of the format in which a drawable's pixels are stored."""
    name: str = Babl.get_name(drawable.get_format())
    return name


def active_mask(layer: Any) -> Any:
    """The mask that hides a part of the layer; None without one."""
    return layer.get_mask() if layer.get_apply_mask() else None


def is_full(values: Frame) -> bool:
    """Whether all values of an alpha plane or mask, one byte a pixel, are opaque."""
    return bytes(values).count(255) == len(values)


def union(one: Region, other: Region) -> Region:
    """The smallest rectangle that contains both."""
    x, y = min(one.x, other.x), min(one.y, other.y)
    right = max(one.x + one.width, other.x + other.width)
    bottom = max(one.y + one.height, other.y + other.height)
    return Region(x, y, right - x, bottom - y)


def canvas(drawable: Any) -> Region:
    """The image's canvas in the coordinates of one of its layers."""
    image = drawable.get_image()
    _, left, top = drawable.get_offsets()
    return Region(-left, -top, image.get_width(), image.get_height())


def refuse_without_look(layer: Any) -> None:
    """Raise CallRefused if a layer's look can't be told from the image's."""
    if not layer.is_layer():
        return
    name = layer.get_name()
    if layer.is_group() and layer.get_mode() == Gimp.LayerMode.PASS_THROUGH:
        raise CallRefused(
            f"The layer group “{name}” is in pass-through mode, so its look depends on the layers"
            " below it: set its mode to Normal or choose a layer inside it, then call Deep Dream"
            " again."
        )
    if layer.get_mask() is not None and layer.get_show_mask():
        raise CallRefused(
            f"The layer “{name}” shows its mask in place of its pixels: switch off Layer > Mask >"
            " Show Layer Mask, then call Deep Dream again."
        )


def _is_covered(drawable: Any, masked: bool) -> bool:
    """Whether filters, or with `masked` a mask, lie between the pixels and their look."""
    if not drawable.is_layer():
        return False
    if masked and active_mask(drawable) is not None:
        return True
    return any(each.get_visible() for each in drawable.get_filters())


def _image_of(layer: Any, frame: Region, masked: bool) -> Any:
    """An image that shows nothing but a layer, in a frame in the layer's coordinates."""
    image = layer.get_image()
    base = image.get_base_type()
    if base == Gimp.ImageBaseType.INDEXED:
        base = Gimp.ImageBaseType.RGB
    scratch = Gimp.Image.new_with_precision(frame.width, frame.height, base, image.get_precision())
    scratch.undo_disable()
    profile = image.get_color_profile()
    if profile is not None:
        scratch.set_color_profile(profile)
    copy = Gimp.Layer.new_from_drawable(layer, scratch)
    scratch.insert_layer(copy, None, 0)
    if copy.get_mask() is not None and not masked:
        copy.remove_mask(Gimp.MaskApplyMode.DISCARD)  # GIMP may apply a copy of a disabled one
    for unlock in (copy.set_lock_visibility, copy.set_lock_position, copy.set_lock_content):
        unlock(False)
    copy.set_visible(True)
    copy.set_mode(Gimp.LayerMode.NORMAL)
    for reset in (copy.set_blend_space, copy.set_composite_space):
        reset(Gimp.LayerColorSpace.AUTO)
    copy.set_composite_mode(Gimp.LayerCompositeMode.AUTO)
    copy.set_opacity(100.0)
    if copy.get_offsets()[1:] != (-frame.x, -frame.y):
        copy.set_offsets(-frame.x, -frame.y)
    return scratch


def _content(layer: Any) -> Region:
    """The smallest rectangle that holds all pixels of a layer that are not transparent."""
    box = Region(0, 0, layer.get_width(), layer.get_height())
    alpha = bytes(buffers.read(layer.get_buffer(), box, "A u8"))
    left, right, top, bottom = box.width, 0, box.height, 0
    for y in range(box.height):
        row = alpha[y * box.width : (y + 1) * box.width]
        if any(row):
            left = min(left, box.width - len(row.lstrip(b"\0")))
            right = max(right, len(row.rstrip(b"\0")))
            top, bottom = min(top, y), y + 1
    return Region(left, top, max(0, right - left), max(0, bottom - top))
