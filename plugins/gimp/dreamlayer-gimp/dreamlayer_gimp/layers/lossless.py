"""Exact conversion of a layer's pixels to another depth, with alpha or without.

Such a conversion needs no change of colour space or curve, but babl converts by way of other
curves, and differently in each process: the last bits and out-of-gamut colours are lost. So pixels
are read in the format in which they are stored, and then converted as if they were linear sRGB.
"""

from __future__ import annotations

from typing import Any

from gi.repository import Gegl

from dreamlink.picture import Region
from dreamlink.wire.messages import Frame

from . import buffers
from .look import LayerLook, format_of

CURVE_MARKS = str.maketrans("", "", "'~")  # in babl's names of formats


def read(look: LayerLook, area: Region, form: str) -> Frame:
    """The pixels of `area`, rows from the top, in babl's format `form`.

    `form` differs from the look's own format only in alpha and depth.
    """
    buffer, own = look.buffer, look.form
    if own == form:
        return buffers.read(buffer, area, form)
    pixels = bytearray()
    for strip in buffers.strips(area, form):
        pixels += _converted(buffers.read(buffer, strip, own), strip, own, form)
    return pixels


def write(drawable: Any, area: Region, form: str, pixels: Frame) -> None:
    """Write the pixels of `area`; `form` differs from the drawable's own format only in depth."""
    buffer, own = drawable.get_buffer(), format_of(drawable)
    if own == form:
        buffers.write(buffer, area, form, pixels)
        return
    view, start = memoryview(pixels), 0
    for strip in buffers.strips(area, form):
        end = start + buffers.size(strip, form)
        buffers.write(buffer, strip, own, _converted(view[start:end], strip, form, own))
        start = end


def make_opaque(drawable: Any, area: Region) -> None:
    """Make a drawable that has alpha fully opaque and keep its colours."""
    buffer, own = drawable.get_buffer(), format_of(drawable)
    bare = own.replace("A ", " ", 1)
    for strip in buffers.strips(area, own):
        colours = _converted(buffers.read(buffer, strip, own), strip, own, bare)
        buffers.write(buffer, strip, own, _converted(colours, strip, bare, own))


def _converted(pixels: Frame, strip: Region, one: str, other: str) -> Frame:
    """Pixels in the format `one`, converted to the format `other`."""
    box = Region(0, 0, strip.width, strip.height)
    scratch = Gegl.Buffer.new(_linear(one), *box)
    buffers.write(scratch, box, _linear(one), pixels)
    return buffers.read(scratch, box, _linear(other))


def _linear(form: str) -> str:
    """The format of the same depth in linear sRGB, e.g. "R'G'B'A u8-space-…" → "RGBA u8"."""
    return form.split("-", maxsplit=1)[0].translate(CURVE_MARKS)
