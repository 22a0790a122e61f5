"""Reads the layers that a dream takes something from: a guide's picture, a dream map's colours."""

from __future__ import annotations

from typing import Any

from dreamlink.picture import Picture, Region
from dreamlink.session.inputs import Pixels
from dreamlink.session.map_colours import flat_colours

from ..qt.qt import QtCore, QtGui
from . import scratch
from .color_space import COLOURS, space_of
from .errors import DocumentError
from .layers import check_chosen
from .look import look_at

SIDE = 512  # pixels; the longer side of the guide
MAP_SIDE = 1024  # pixels of a dream map's longer side; the daemon uses no more
SAMPLED_SIDE = 256  # pixels of the longer side in which a map's colours are looked for
FINE = 1024  # pixels; Krita's thumbnails only skip pixels, so Qt does the last halving, smoothly


def read_guide(node: Any, document: Any) -> Pixels:
    """The whole look of a layer in sRGB; BGRA, 8 bits.

    Without masks and style, the parts outside the canvas are included.

    Raises:
        DocumentError: the layer is empty, or has no picture of its own.
    """
    check_chosen(node, "guide")
    with look_at(node, document, thumbnail=True) as look:
        bounds = look.drawn
        longest = max(bounds.width, bounds.height)
        if longest <= 0:
            raise DocumentError(
                f"The layer “{node.name()}” is empty and can't be a guide: choose another one."
            )
        fine = look.thumbnail(*_within(bounds, min(longest, FINE)))
    smooth = QtCore.Qt.TransformationMode.SmoothTransformation
    free = QtCore.Qt.AspectRatioMode.IgnoreAspectRatio
    image = fine.scaled(*_within(bounds, min(longest, SIDE)), free, smooth)
    image = image.convertToFormat(
        QtGui.QImage.Format.Format_ARGB32
    )  # straight alpha, 4 bytes a pixel
    bits = image.constBits()
    bits.setsize(image.width() * image.height() * 4)
    return Pixels(Picture(image.width(), image.height(), "U8", "BGRA"), bytes(bits))


def read_map(node: Any, document: Any, box: Region, side: int = MAP_SIDE) -> Pixels:
    """What a layer shows in a box of the canvas, in sRGB; BGRA, 8 bits.

    Of a large box only every nth pixel is read, so that the longer side has at most `side` pixels:
    means of several would be colours that are not on the map.

    Raises:
        DocumentError: the layer has no picture of its own.
    """
    check_chosen(node, "dream map")
    every = -(-max(box.width, box.height) // side)
    with look_at(node, document) as look:
        pixels = look.every_nth_pixel(box, every)
        layout = Picture(max(1, box.width // every), max(1, box.height // every), "U8", "BGRA")
        space = space_of(look.node)
    colours = scratch.convert_pixels(memoryview(pixels), layout.region, space, COLOURS)
    return Pixels(layout, colours)


def map_colours(node: Any, document: Any) -> list[tuple[int, int, int]]:
    """The flat colours (R, G, B in 0..255) of a layer, the most frequent first.

    Raises:
        DocumentError: the layer has no picture of its own.
    """
    canvas = Region(0, 0, document.width(), document.height())
    pixels = bytes(read_map(node, document, canvas, SAMPLED_SIDE).frame)
    red_first = bytearray(pixels)
    red_first[0::4], red_first[2::4] = pixels[2::4], pixels[0::4]
    return flat_colours(bytes(red_first))


def _within(bounds: Region, longest: int) -> tuple[int, int]:
    """The sides of `bounds`, reduced so that the longer one is `longest` pixels."""
    sides = (bounds.width, bounds.height)
    width, height = (max(1, round(side * longest / max(sides))) for side in sides)
    return width, height
