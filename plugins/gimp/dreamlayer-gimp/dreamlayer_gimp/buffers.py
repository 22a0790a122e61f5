"""Raw pixels out of GEGL's buffers and into them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from gi.repository import Babl, Gegl

from dreamlink.messages import Frame
from dreamlink.picture import Region

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


def reduction(area: Region, side: int) -> tuple[int, int]:
    """Width and height of `area` when it is reduced to at most `side` pixels, if it is larger."""
    scale = min(1.0, side / max(area.width, area.height))
    return max(1, round(area.width * scale)), max(1, round(area.height * scale))


def read_reduced(buffer: Any, area: Region, form: str, side: int) -> bytes:
    """The pixels of `area`, reduced by GEGL as `reduction` says.

    By operations: the buffer's own reduced reading finds nothing but black in a plug-in.
    """
    width, height = reduction(area, side)
    reduced = Gegl.Buffer.new(form, 0, 0, width, height)
    graph = Gegl.Node()
    steps = [
        _step(graph, "buffer-source", buffer=buffer),
        _step(graph, "crop", **{name: float(n) for name, n in area._asdict().items()}),
        _step(graph, "translate", x=float(-area.x), y=float(-area.y)),
        _step(graph, "scale-size", x=float(width), y=float(height)),
        _step(graph, "write-buffer", buffer=reduced),
    ]
    for one, next_one in pairwise(steps):
        one.link(next_one)
    steps[-1].process()
    return _read_strip(reduced, Region(0, 0, width, height), form)


def read_scaled(buffer: Any, area: Region, form: str, scale: float) -> bytes:
    """The pixels of `area` of a picture that is `scale` times as large as the buffer (≤ 1).

    GEGL makes it, if it was initialized: else it gives black. Beside the buffer it is empty.
    """
    rectangle = Gegl.Rectangle.new(*area)
    pixels: bytes = buffer.get(rectangle, scale, form, Gegl.AbyssPolicy.NONE)
    return pixels


def write(buffer: Any, area: Region, form: str, pixels: Frame) -> None:
    """Put the pixels of `area` into the buffer; their number has to be right."""
    size = area.width * area.height * _bytes_per_pixel(form)
    if len(pixels) != size:  # GEGL would write nothing and say nothing
        raise ValueError(f"{len(pixels)} bytes of pixels instead of {size}")
    view, start = memoryview(pixels), 0
    for strip in strips(area, form):
        end = start + strip.width * strip.height * _bytes_per_pixel(form)
        # PyGObject takes bytes at once, other kinds of buffers byte by byte.
        buffer.set(Gegl.Rectangle.new(*strip), form, bytes(view[start:end]))
        start = end
    buffer.flush()


def strips(area: Region, form: str) -> list[Region]:
    """The area in runs of rows that GEGL can take at once."""
    rows = max(1, STRIP // (area.width * _bytes_per_pixel(form)))
    return [
        Region(area.x, area.y + top, area.width, min(rows, area.height - top))
        for top in range(0, area.height, rows)
    ]


def _read_strip(buffer: Any, strip: Region, form: str) -> bytes:
    rectangle = Gegl.Rectangle.new(*strip)
    pixels: bytes = buffer.get(rectangle, 1.0, form, Gegl.AbyssPolicy.NONE)
    size = strip.width * strip.height * _bytes_per_pixel(form)
    if len(pixels) != size:
        raise ValueError(f"GIMP gave {len(pixels)} bytes of pixels instead of {size}")
    return pixels


def _step(graph: Any, operation: str, **properties: Any) -> Any:
    node = graph.create_child(f"gegl:{operation}")
    for name, value in properties.items():
        node.set_property(name, value)
    return node


def _bytes_per_pixel(form: str) -> int:
    size: int = Babl.format_get_bytes_per_pixel(Babl.format(form))
    return size
