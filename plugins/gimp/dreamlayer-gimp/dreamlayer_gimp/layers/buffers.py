"""Raw pixels out of GEGL's buffers and into them."""

from __future__ import annotations

from typing import Any

from gi.repository import Babl, Gegl

from dreamlink.picture import Region
from dreamlink.wire.messages import Frame

STRIP = 1 << 26  # bytes read or written at once; GEGL crashes beyond 4 GiB
CACHE = 1 << 27  # bytes of the image that are kept in this process as well


def prepare() -> None:
    """Start GEGL, before anything is read or written."""
    Gegl.init(None)
    # GIMP hands on its own limit, half of the computer's memory; no pixel is read twice here.
    Gegl.config().set_property("tile-cache-size", CACHE)


def read(buffer: Any, area: Region, form: str) -> bytes | bytearray:
    """The pixels of `area`, rows from the top, in babl's format `form`."""
    runs = strips(area, form)
    if len(runs) == 1:
        return _read_strip(buffer, area, form)
    pixels = bytearray()
    for run in runs:
        pixels += _read_strip(buffer, run, form)
    return pixels


def read_scaled(buffer: Any, area: Region, form: str, scale: float) -> bytes:
    """The pixels of `area` of a picture that is `scale` times as large as the buffer (≤ 1).

    GEGL makes it, if it was initialized: else it gives black. Beside the buffer it is empty.
    """
    rectangle = Gegl.Rectangle.new(*area)
    pixels: bytes = buffer.get(rectangle, scale, form, Gegl.AbyssPolicy.NONE)
    return pixels


def write(buffer: Any, area: Region, form: str, pixels: Frame) -> None:
    """Put the pixels of `area` into the buffer; their number has to be right."""
    expected = size(area, form)
    if len(pixels) != expected:  # GEGL would write nothing and say nothing
        raise ValueError(f"{len(pixels)} bytes of pixels instead of {expected}")
    view, start = memoryview(pixels), 0
    for strip in strips(area, form):
        end = start + size(strip, form)
        # PyGObject takes bytes at once, other kinds of buffers byte by byte.
        buffer.set(Gegl.Rectangle.new(*strip), form, bytes(view[start:end]))
        start = end
    buffer.flush()


def size(area: Region, form: str) -> int:
    """How many bytes the pixels of `area` take."""
    pixel: int = Babl.format_get_bytes_per_pixel(Babl.format(form))
    return area.width * area.height * pixel


def strips(area: Region, form: str) -> list[Region]:
    """The area in runs of rows that GEGL can take at once."""
    rows = max(1, STRIP // size(Region(0, 0, area.width, 1), form))
    return [
        Region(area.x, area.y + top, area.width, min(rows, area.height - top))
        for top in range(0, area.height, rows)
    ]


def _read_strip(buffer: Any, strip: Region, form: str) -> bytes:
    rectangle = Gegl.Rectangle.new(*strip)
    pixels: bytes = buffer.get(rectangle, 1.0, form, Gegl.AbyssPolicy.NONE)
    expected = size(strip, form)
    if len(pixels) != expected:
        raise ValueError(f"GIMP gave {len(pixels)} bytes of pixels instead of {expected}")
    return pixels
