"""Reading and writing raw pixels of GEGL's buffers."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from gi.repository import Babl, Gegl

from dreamlink.picture import Region
from dreamlink.wire.messages import Frame

STRIP_BYTES = 1 << 26  # read or written at once; GEGL crashes beyond 4 GiB
CACHE_BYTES = 1 << 27  # of the image's tiles in this process


def prepare() -> None:
    """Initialise GEGL; needed before anything is read or written."""
    Gegl.init(None)
    # GIMP passes on its own limit, half of the computer's memory, but no pixel is read twice here.
    Gegl.config().set_property("tile-cache-size", CACHE_BYTES)


def read(buffer: Any, area: Region, form: str) -> bytes | bytearray:
    """The pixels of `area`, rows from the top, in babl's format `form`."""
    parts = strips(area, form)
    if len(parts) == 1:
        return _read_strip(buffer, area, form)
    pixels = bytearray()
    for strip in parts:
        pixels += _read_strip(buffer, strip, form)
    return pixels


def read_scaled(buffer: Any, area: Region, form: str, scale: float) -> bytes:
    """The pixels of `area` of the buffer's picture scaled by `scale` (≤ 1).

    GEGL scales it; without `prepare` it would return black. Outside the buffer pixels are empty.
    """
    rectangle = Gegl.Rectangle.new(*area)
    pixels: bytes = buffer.get(rectangle, scale, form, Gegl.AbyssPolicy.NONE)
    return pixels


def read_sampled(
    buffer: Any, columns: Sequence[int], rows: Sequence[int], form: str
) -> bytes | bytearray:
    """The pixels in some columns and rows, which rise; not averaged, as GEGL's scaling does.

    Outside the buffer pixels are empty. `form` has four bytes a pixel.
    """
    left, top = columns[0], rows[0]
    across, down = columns[-1] + 1 - left, rows[-1] + 1 - top
    if (across, down) == (len(columns), len(rows)):
        return read(buffer, Region(left, top, across, down), form)
    pixels, within = bytearray(), [column - left for column in columns]
    for row in rows:
        line = memoryview(_read_strip(buffer, Region(left, row, across, 1), form)).cast("I")
        pixels += array("I", map(line.__getitem__, within)).tobytes()
    return pixels


def write(buffer: Any, area: Region, form: str, pixels: Frame) -> None:
    """Write the pixels of `area`; raises ValueError if their number is wrong."""
    expected = size(area, form)
    if len(pixels) != expected:  # GEGL would silently write nothing
        raise ValueError(f"{len(pixels)} bytes of pixels instead of {expected}")
    view, start = memoryview(pixels), 0
    for strip in strips(area, form):
        end = start + size(strip, form)
        # PyGObject copies bytes at once, other kinds of buffers byte by byte.
        buffer.set(Gegl.Rectangle.new(*strip), form, bytes(view[start:end]))
        start = end
    buffer.flush()


def size(area: Region, form: str) -> int:
    """The number of bytes of the pixels of `area`."""
    pixel: int = Babl.format_get_bytes_per_pixel(Babl.format(form))
    return area.width * area.height * pixel


def strips(area: Region, form: str) -> list[Region]:
    """The area in strips of rows that GEGL can read or write at once."""
    rows = max(1, STRIP_BYTES // size(Region(0, 0, area.width, 1), form))
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
