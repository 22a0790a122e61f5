"""Pictures for the screen."""

from __future__ import annotations

from typing import Any

from gi.repository import GdkPixbuf, Gegl, GLib

from dreamlink.picture import Picture
from dreamlink.session.seen_list import FRAME, INSET

WHITE = 0xFFFFFFFF
CHECK, DARK, LIGHT = 8, 0x666666, 0x999999  # the chequerboard behind transparent pixels


def pixbuf(layout: Picture, pixels: bytes) -> Any:
    """A picture for the screen, on a chequerboard. The pixels are U8: GA, RGBA or RGB."""
    width, height, order = layout.width, layout.height, layout.order
    if order == "GA":
        buffer = Gegl.Buffer.new("Y'A u8", 0, 0, width, height)
        area = Gegl.Rectangle.new(0, 0, width, height)
        buffer.set(area, "Y'A u8", pixels)
        pixels, order = buffer.get(area, 1.0, "R'G'B'A u8", Gegl.AbyssPolicy.NONE), "RGBA"
    alpha = order == "RGBA"
    made = _wrapped(pixels, width, height, alpha)
    if not alpha:
        return made
    nearest = GdkPixbuf.InterpType.NEAREST
    return made.composite_color_simple(width, height, nearest, 255, CHECK, LIGHT, DARK)


def thumbnail(picture: Any, side: int) -> Any:
    """A small copy of a pixbuf, whose longer side is `side`."""
    scale = side / max(picture.get_width(), picture.get_height())
    width, height = (
        max(1, round(length * scale)) for length in (picture.get_width(), picture.get_height())
    )
    return picture.scale_simple(width, height, GdkPixbuf.InterpType.BILINEAR)


def shaded(picture: Any, shade: bytes, size: tuple[int, int]) -> Any:
    """A copy of an opaque pixbuf below a shade, R, G, B, A in 8 bits, which is scaled to fit.

    `size` is the shade's width and height.
    """
    width, height = picture.get_width(), picture.get_height()
    across, down = width / size[0], height / size[1]
    smooth = GdkPixbuf.InterpType.BILINEAR
    made = picture.copy()
    dark = _wrapped(shade, *size, True)
    dark.composite(made, 0, 0, width, height, 0, 0, across, down, smooth, 255)
    return made


def with_inset(picture: Any, rgb: bytes, side: int) -> Any:
    """A copy of a pixbuf with a square of `side` px, R, G, B in 8 bits, framed in its corner."""
    width, height = picture.get_width(), picture.get_height()
    box = min(INSET, width, height)
    inner = box - 2 * FRAME
    left, top = width - box, height - box
    made = picture.copy()
    made.new_subpixbuf(left, top, box, box).fill(WHITE)
    scale = inner / side
    _wrapped(rgb, side, side, False).scale(
        made, left + FRAME, top + FRAME, inner, inner, left + FRAME, top + FRAME, scale, scale,
        GdkPixbuf.InterpType.BILINEAR,
    )  # fmt: skip
    return made


def _wrapped(pixels: bytes, width: int, height: int, alpha: bool) -> Any:
    rgb, line = GdkPixbuf.Colorspace.RGB, width * (4 if alpha else 3)
    data = GLib.Bytes.new(pixels)
    return GdkPixbuf.Pixbuf.new_from_bytes(data, rgb, alpha, 8, width, height, line)
