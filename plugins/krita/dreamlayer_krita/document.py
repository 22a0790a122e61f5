"""Pixels out of Krita's document, and the dream into it as a new layer. No Qt here.

Krita's pixels travel raw, in the layer's own model and depth; the daemon converts them. Colour
spaces that it does not know are converted to sRGB by Krita itself, on a scratch layer of the size
of what is sent, and the dream back on its own layer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from krita import Krita

from dreamlink.messages import Frame
from dreamlink.picture import Edges, Picture, Region
from dreamlink.recipe import Recipe

RAW = ("paintlayer",)  # their own pixels, before masks; of the others what they show
SHOWN = ("grouplayer", "vectorlayer", "clonelayer", "filelayer", "filllayer")
SRGB = "sRGB-elle-V2-srgbtrc.icc"
SRGB_CURVE = r"(srgb|gray)-.*-srgbtrc\.icc|srgb built-in|srgb iec61966-2[.-]1"
LINEAR_CURVE = r"(srgb|gray)-.*-g10\.icc"
PIECE_MAX = (1 << 31) - 1  # bytes that Krita hands out in one go


class DocumentError(ValueError):
    """The document can't be dreamed on as it is; the text is one sentence for the user."""


class ColorSpace(NamedTuple):
    """What Krita calls a colour space, e.g. ("RGBA", "U16", "sRGB-elle-V2-g10.icc")."""

    model: str
    depth: str
    profile: str

    @property
    def curve(self) -> str | None:
        """The transfer curve, or None if the daemon does not know these pixels."""
        if self.model not in ("RGBA", "GRAYA"):
            return None
        name = self.profile.lower()
        if re.fullmatch(SRGB_CURVE, name):
            return "srgb"
        return "linear" if re.fullmatch(LINEAR_CURVE, name) else None

    @property
    def order(self) -> str:
        """Krita's order of samples: whole numbers are stored blue first."""
        if self.model == "GRAYA":
            return "GA"
        return "BGRA" if self.depth in ("U8", "U16") else "RGBA"

    @property
    def wire(self) -> ColorSpace:
        """The colour space that the pixels are sent in: this one, or else sRGB."""
        if self.curve:
            return self
        return ColorSpace("RGBA", "U16" if self.depth in ("U8", "U16") else self.depth, SRGB)


@dataclass(frozen=True)
class Source:
    """A layer's pixels, and what is needed to put the dream above it later.

    Attributes:
        node_id: the layer's unique id; it survives undo and redo.
        space: the layer's colour space.
        picture: layout of `pixels`.
        region: where to dream, in the picture's coordinates.
        place: the same rectangle on the canvas.
        edges: which of its sides are those of the layer on the canvas.
        pixels: the region and its surroundings.
        mask: the selection in the region, one byte a pixel, or None without a selection.
    """

    document: Any
    node_id: Any
    name: str
    space: ColorSpace
    picture: Picture
    region: Region
    place: Region
    edges: Edges
    pixels: Frame
    mask: Frame | None


def read(recipe: Recipe) -> Source:
    """The active layer's pixels where there is a selection, with the recipe's context around it.

    What starts from noise needs no pixels: it fills the selection or the canvas, whatever the
    layer has there.

    Raises:
        DocumentError: there is nothing to dream on; the text says why.
    """
    document = Krita.instance().activeDocument()
    if document is None:
        raise DocumentError("No picture is open: open one and select a layer, then dream.")
    node = document.activeNode()
    _check_kind(node)
    document.waitForDone()  # the brush stroke before
    canvas = Region(0, 0, document.width(), document.height())
    layer = canvas if recipe.start == "noise" else _layer_box(node, canvas)
    place, mask = _selected(document.selection(), node.name(), layer)
    seen = place.grow(recipe.context).clip(layer)
    space = _space(node)
    wire = space.wire
    picture = Picture(seen.width, seen.height, wire.depth, wire.order, wire.curve or "srgb")
    if picture.nbytes > PIECE_MAX:
        raise DocumentError(
            f"{seen.width} × {seen.height} pixels in {wire.depth} are more than Krita hands out in"
            " one piece (2 GiB): select a smaller part."
        )
    return Source(
        document=document,
        node_id=node.uniqueId(),
        name=node.name(),
        space=space,
        picture=picture,
        region=place.moved(-seen.x, -seen.y),
        place=place,
        edges=place.edges(layer),
        pixels=_pixels(document, node, seen, space),
        mask=mask,
    )


def gone(source: Source) -> str | None:
    """Why the source's layer can't get a dream any more, or None if it can.

    To be asked before each touch: writing to a closed document crashes Krita.
    """
    if source.document not in Krita.instance().documents():
        return "The picture was closed, so its dream was dropped."
    if source.document.nodeByUniqueID(source.node_id) is None:
        return f"The layer “{source.name}” is gone, so its dream was dropped."
    return None


def add_layer(source: Source, name: str, pixels: bytearray) -> None:
    """Add a paint layer with the dream directly above the source: one undo step.

    Raises:
        DocumentError: the picture was closed or the layer is gone.
    """
    reason = gone(source)
    if reason:
        raise DocumentError(reason)
    node = source.document.nodeByUniqueID(source.node_id)
    layer = source.document.createNode(name, "paintlayer")
    _convert(layer, source.space.wire)
    layer.setPixelData(pixels, *source.place)
    _convert(layer, source.space)
    # Only what happens to a layer of the document is undoable: so this is the one step.
    node.parentNode().addChildNode(layer, node)


def _check_kind(node: Any) -> None:
    kind = node.type() if node is not None else None
    if kind is None:
        raise DocumentError("No layer is selected: select the layer to dream on.")
    if kind.endswith("mask"):
        raise DocumentError(
            f"“{node.name()}” is a mask, and masks can't dream: select the layer to dream on."
        )
    if kind not in RAW + SHOWN:
        raise DocumentError(
            f"“{node.name()}” has no picture of its own: select another layer to dream on."
        )
    if kind == "grouplayer" and node.passThroughMode():
        raise DocumentError(
            f"The group “{node.name()}” is in pass-through mode and has no picture of its own:"
            " turn that off, or select a layer in it."
        )


def _layer_box(node: Any, canvas: Region) -> Region:
    bounds = node.bounds()
    box = Region(bounds.x(), bounds.y(), bounds.width(), bounds.height())
    if box.empty:
        raise DocumentError(
            f"The layer “{node.name()}” is empty: there is nothing to dream on. Paint on it, or"
            " start from noise."
        )
    if box.clip(canvas).empty:
        raise DocumentError(f"The layer “{node.name()}” lies outside the canvas: move it first.")
    return box.clip(canvas)


def _selected(selection: Any, name: str, layer: Region) -> tuple[Region, Frame | None]:
    """The rectangle to dream in, and the selection's values there."""
    if selection is None:
        return layer, None
    box = Region(selection.x(), selection.y(), selection.width(), selection.height())
    if box.empty:
        raise DocumentError("The selection is empty: select something, or deselect.")
    place = box.clip(layer)
    mask = None if place.empty else memoryview(selection.pixelData(*place))
    if mask is None or not bytes(mask).strip(b"\0"):
        raise DocumentError(
            f"The selection does not touch the layer “{name}”: select a part of it, or deselect."
        )
    return place, mask


def _space(node: Any) -> ColorSpace:
    return ColorSpace(node.colorModel(), node.colorDepth(), node.colorProfile())


def _pixels(document: Any, node: Any, box: Region, space: ColorSpace) -> Frame:
    look = node.pixelData if node.type() in RAW else node.projectionPixelData
    if space.wire == space:
        return memoryview(look(*box))
    scratch = document.createNode("", "paintlayer")
    _convert(scratch, space)
    scratch.setPixelData(look(*box), *box)
    _convert(scratch, space.wire)
    return memoryview(scratch.pixelData(*box))


def _convert(layer: Any, space: ColorSpace) -> None:
    if _space(layer) != space and not layer.setColorSpace(*space):
        raise DocumentError(
            f"Krita can't convert this layer between {space.model} {space.depth} with the profile"
            f" “{space.profile}” and sRGB: convert the picture with Image ▸ Convert Image Color"
            " Space…, then dream."
        )
