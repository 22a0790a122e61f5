"""Alpha added to pixels and taken away again, while their colours stay as they are to the bit.

In a colour space of its own babl does this by way of linear light, where colours out of the gamut
are lost, and the last bits of others. But neither space nor curve matter for alpha: so the pixels
are told to be sRGB meanwhile, for which babl has the plain way.
"""

from __future__ import annotations

from typing import Any

from gi.repository import Babl, Gegl

from dreamlink.messages import Frame
from dreamlink.picture import Region

from . import buffers


def read(drawable: Any, area: Region, form: str) -> Frame:
    """The pixels of `area`, rows from the top, in babl's format `form`, which has alpha.

    The format is the drawable's own but for alpha and the kind of its numbers.
    """
    buffer = drawable.get_buffer()
    if drawable.has_alpha():
        return buffers.read(buffer, area, form)
    bare, plain = _without(form), _plain(form)
    pixels = bytearray()
    for strip in buffers.strips(area, form):
        pixels += _through(_without(plain), plain, strip, buffers.read(buffer, strip, bare))
    return pixels


def remove(buffer: Any, area: Region, form: str) -> None:
    """Make the pixels of `area` opaque; `form` is the buffer's format, its numbers aside."""
    plain = _plain(form)
    for strip in buffers.strips(area, form):
        pixels = buffers.read(buffer, strip, form)
        bare = _through(plain, _without(plain), strip, pixels)
        buffers.write(buffer, strip, form, _through(_without(plain), plain, strip, bare))


def _through(one: str, other: str, strip: Region, pixels: Frame) -> Frame:
    """Pixels in the format `one` as those in the `other`."""
    box = Region(0, 0, strip.width, strip.height)
    scratch = Gegl.Buffer.new(one, *box)
    buffers.write(scratch, box, one, pixels)
    return buffers.read(scratch, box, other)


def _plain(form: str) -> str:
    """Of babl's name of a format, what is left without its colour space: the sRGB one's name."""
    return form.split("-", maxsplit=1)[0]


def _without(form: str) -> str:
    """The format without alpha, e.g. "R'G'B'A u8" → "R'G'B' u8"."""
    space = Babl.format_get_space(Babl.format(form))
    # Asked for by its name alone, a format of another space that is not there yet ends the process.
    name: str = Babl.get_name(Babl.format_with_space(_plain(form).replace("A ", " ", 1), space))
    return name
