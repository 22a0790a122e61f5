"""Reads a layer as the guide picture of a dream, reduced to the size that the network sees."""

from __future__ import annotations

from typing import Any

from dreamlink.picture import Picture, Region
from dreamlink.session.inputs import Pixels

from ..qt.qt import QtCore, QtGui
from .errors import DocumentError
from .layers import check_chosen
from .look import look_at

SIDE = 512  # pixels; the longer side of the guide
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


def _within(bounds: Region, longest: int) -> tuple[int, int]:
    """The sides of `bounds`, reduced so that the longer one is `longest` pixels."""
    sides = (bounds.width, bounds.height)
    width, height = (max(1, round(side * longest / max(sides))) for side in sides)
    return width, height
