"""Reduces a source for a quick look. Qt and Krita do the resampling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from krita import Krita, Selection

from dreamlink.picture import Edges, Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.inputs import Pixels
from dreamlink.session.look_size import longest_side, reduction_to_fit
from dreamlink.wire.messages import QUICK_MAX, Frame

from ..qt.qt import QtCore, QtGui
from . import layer_io, scratch
from .color_space import COLOURS, LINEAR, LINEAR_GRAY, SRGB, ColorSpace
from .source import LayerSource

SIDE = 384  # pixels of the region's longer side: takes about a second on a common processor
# Of a large layer not all pixels are read, but at least this many times SIDE: the look's pixels are
# their means, so nothing flickers, and Krita answers again sooner.
READ = 4
GRAY = "Gray-D50-elle-V2-srgbtrc.icc"


def crop_to_middle(
    recipe: Recipe, where: layer_io.DreamTarget | None
) -> layer_io.DreamTarget | None:
    """The middle of what would be dreamed on, or `where` if that is small enough for a look.

    `dreamlink.session.look_size` gives the limit. Reading much more would also take Krita longer.
    """
    shown = Krita.instance().activeDocument()
    if shown is None:
        return where
    node, selection = where[:2] if where else (shown.activeNode(), shown.selection())
    if node is None:
        return where
    canvas = Region(0, 0, shown.width(), shown.height())
    box = canvas
    if selection is not None:
        box = Region(selection.x(), selection.y(), selection.width(), selection.height())
    elif recipe.start != "noise":
        bounds = node.bounds()
        box = Region(bounds.x(), bounds.y(), bounds.width(), bounds.height())
    box = box.clip(canvas)
    limit, longest = longest_side(recipe, SIDE), max(box.width, box.height)
    if longest <= limit:
        every = max(1, longest // (READ * SIDE))
        whole = where is not None and where.whole
        return where if every == 1 else layer_io.DreamTarget(node, selection, whole, every)
    width, height = min(box.width, limit), min(box.height, limit)
    part = Selection()
    left, top = box.x + (box.width - width) // 2, box.y + (box.height - height) // 2
    part.select(left, top, width, height, 255)
    if selection is not None:
        part.intersect(selection)
    empty = part.width() <= 0 or part.height() <= 0
    return where if empty else layer_io.DreamTarget(node, part)


def without_selection(source: LayerSource) -> LayerSource:
    """The source without the selection that `crop_to_middle` made where the user has none."""
    return replace(source, selection=None, edges=Edges(True, True, True, True))


def reduce_source(
    source: LayerSource, side: int = SIDE, most: int = QUICK_MAX
) -> tuple[LayerSource, float]:
    """The source in 8 bits, small enough for a look, and the factor of the reduction.

    Args:
        side: pixels that the region's longer side has at most.
        most: pixels that the longer side of the region with its surroundings has at most.
    """
    region, picture = source.region, source.picture
    thinned = max(1.0, source.place.width / region.width)  # when it was read
    factor = reduction_to_fit(region, picture.region, side, most)
    layout = Picture(*_reduced_size((picture.width, picture.height), factor), "U8", "BGRA")
    width, height = _reduced_size((region.width, region.height), factor)
    place = Region(
        min(round(region.x / factor), layout.width - width),
        min(round(region.y / factor), layout.height - height),
        width,
        height,
    )
    selection, strength = source.selection, source.strength
    if selection is not None:
        selection = _gray(_gray_image(selection, source.place), width, height)
    if strength is not None:
        small = _colours(strength, width, height)
        strength = Pixels(Picture(width, height, "U8", "BGRA"), small)
    pixels = _colours(Pixels(picture, source.pixels), layout.width, layout.height)
    smaller = replace(
        source,
        picture=layout,
        region=place,
        pixels=pixels,
        selection=selection,
        strength=strength,
        as_mask=False,
    )
    return smaller, factor * thinned


def _reduced_size(sides: tuple[int, int], factor: float) -> tuple[int, int]:
    width, height = (max(1, int(side / factor)) for side in sides)
    return width, height


def _colours(pixels: Pixels, width: int, height: int) -> bytes:
    """Pixels in sRGB, BGRA, resampled to `width` × `height`."""
    layout = pixels.layout
    if layout.order == "G":
        image = _gray_image(pixels.frame, layout.region)
    else:
        frame = scratch.convert_pixels(pixels.frame, layout.region, _space(layout), COLOURS)
        line = 4 * layout.width
        kind = QtGui.QImage.Format.Format_ARGB32
        image = QtGui.QImage(bytes(frame), layout.width, layout.height, line, kind)
    return _rows(_scaled(image, width, height, QtGui.QImage.Format.Format_ARGB32), 4)


def _gray(image: Any, width: int, height: int) -> bytes:
    return _rows(_scaled(image, width, height, QtGui.QImage.Format.Format_Grayscale8), 1)


def _gray_image(frame: Frame, region: Region) -> Any:
    kind = QtGui.QImage.Format.Format_Grayscale8
    return QtGui.QImage(bytes(frame), region.width, region.height, region.width, kind)


def _scaled(image: Any, width: int, height: int, kind: Any) -> Any:
    smooth = QtCore.Qt.TransformationMode.SmoothTransformation
    free = QtCore.Qt.AspectRatioMode.IgnoreAspectRatio
    return image.scaled(width, height, free, smooth).convertToFormat(kind)


def _rows(image: Any, samples: int) -> bytes:
    """An image's bytes without the padding that Qt adds to each row."""
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    stride, line = image.bytesPerLine(), image.width() * samples
    content = bytes(bits)
    if stride == line:
        return content
    return b"".join(content[start : start + line] for start in range(0, len(content), stride))


def _space(layout: Picture) -> ColorSpace:
    """Krita's colour space for a layout."""
    linear = layout.curve == "linear"
    if layout.order == "GA":
        return ColorSpace("GRAYA", layout.depth, LINEAR_GRAY.profile if linear else GRAY)
    return ColorSpace("RGBA", layout.depth, LINEAR.profile if linear else SRGB)
