"""Raw pixels out of GEGL's buffers and into them."""

from __future__ import annotations

from typing import Any

from gi.repository import Babl, Gegl

from dreamlink.messages import Frame
from dreamlink.picture import Region

STRIP = 1 << 28  # bytes read or written at once; GEGL crashes beyond 4 GiB


def read(buffer: Any, area: Region, form: str) -> bytes | bytearray:
    """The pixels of `area`, rows from the top, in babl's format `form`."""
    strips = _strips(area, form)
    if len(strips) == 1:
        return _read_at_once(buffer, area, form)
    pixels = bytearray()
    for strip in strips:
        pixels += _read_at_once(buffer, strip, form)
    return pixels


def reduction(area: Region, side: int) -> tuple[int, int, float]:
    """Width and height of `area` reduced to at most `side` pixels, and the scale of it (≤ 1)."""
    scale = min(1.0, side / max(area.width, area.height))
    return max(1, round(area.width * scale)), max(1, round(area.height * scale)), scale


def read_reduced(buffer: Any, area: Region, form: str, side: int) -> bytes:
    """The pixels of `area`, reduced by GEGL as `reduction` says."""
    width, height, scale = reduction(area, side)
    corner = round(area.x * scale), round(area.y * scale)
    return _read_at_once(buffer, Region(*corner, width, height), form, scale)


def write(buffer: Any, area: Region, form: str, pixels: Frame) -> None:
    """Put the pixels of `area` into the buffer; their number has to be right."""
    size = area.width * area.height * _bytes_per_pixel(form)
    if len(pixels) != size:  # GEGL would write nothing and say nothing
        raise ValueError(f"{len(pixels)} bytes of pixels instead of {size}")
    view, start = memoryview(pixels), 0
    for strip in _strips(area, form):
        end = start + strip.width * strip.height * _bytes_per_pixel(form)
        # PyGObject takes bytes at once, other kinds of buffers byte by byte.
        buffer.set(Gegl.Rectangle.new(*strip), form, bytes(view[start:end]))
        start = end
    buffer.flush()


def _read_at_once(buffer: Any, area: Region, form: str, scale: float = 1.0) -> bytes:
    rectangle = Gegl.Rectangle.new(*area)  # of the reduced pixels
    pixels: bytes = buffer.get(rectangle, scale, form, Gegl.AbyssPolicy.NONE)
    size = area.width * area.height * _bytes_per_pixel(form)
    if len(pixels) != size:
        raise ValueError(f"GIMP gave {len(pixels)} bytes of pixels instead of {size}")
    return pixels


def _strips(area: Region, form: str) -> list[Region]:
    rows = max(1, STRIP // (area.width * _bytes_per_pixel(form)))
    return [
        Region(area.x, area.y + top, area.width, min(rows, area.height - top))
        for top in range(0, area.height, rows)
    ]


def _bytes_per_pixel(form: str) -> int:
    size: int = Babl.format_get_bytes_per_pixel(Babl.format(form))
    return size
