"""Reads a layer as the guide picture of a dream, reduced to the size that the network sees."""

from __future__ import annotations

from typing import Any

from dreamlink.picture import Picture
from dreamlink.session.inputs import Pixels

from ..qt.qt import QtCore, QtGui
from .errors import DocumentError

SIDE = 512  # pixels; the longer side of the guide
FINE = 1024  # pixels; Krita's thumbnails only skip pixels, so Qt does the last halving, smoothly


def read_guide(node: Any) -> Pixels:
    """The whole layer, including parts outside the canvas, in sRGB; BGRA, 8 bits.

    Raises:
        DocumentError: the layer is empty.
    """
    bounds = node.bounds()
    longest = max(bounds.width(), bounds.height())
    if longest <= 0:
        raise DocumentError(
            f"The layer “{node.name()}” is empty and can't be a guide: choose another one."
        )
    fine = node.thumbnail(*_within(bounds, min(longest, FINE)))
    smooth = QtCore.Qt.TransformationMode.SmoothTransformation
    free = QtCore.Qt.AspectRatioMode.IgnoreAspectRatio
    image = fine.scaled(*_within(bounds, min(longest, SIDE)), free, smooth)
    image = image.convertToFormat(
        QtGui.QImage.Format.Format_ARGB32
    )  # straight alpha, 4 bytes a pixel
    bits = image.constBits()
    bits.setsize(image.width() * image.height() * 4)
    return Pixels(Picture(image.width(), image.height(), "U8", "BGRA"), bytes(bits))


def _within(bounds: Any, longest: int) -> tuple[int, int]:
    """The sides of `bounds`, reduced so that the longer one is `longest` pixels."""
    sides = (bounds.width(), bounds.height())
    width, height = (max(1, round(side * longest / max(sides))) for side in sides)
    return width, height
