"""Pixels out of Krita's document, and the dream into it as a new layer. No Qt here.

Krita's pixels travel raw, in the layer's own model and depth; the daemon converts them. Colour
spaces that it does not know are converted by Krita itself, in a document of the size of what is
sent, and the dream back into the layer's own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from krita import Krita, Selection

from dreamlink.picture import Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.inputs import Pixels
from dreamlink.wire.messages import Frame

from . import scratch
from .color_space import space_of
from .errors import DocumentError
from .guide import read_guide
from .layers import MASKS, box_of, check_kind, layers, look, write
from .source import Source

__all__ = [
    "DocumentError", "Source", "Where", "add_layer", "beneath", "gone", "layers", "put", "read",
    "update_layer",
]  # fmt: skip

PIECE_MAX = (1 << 31) - 1  # bytes that Krita hands out in one go
SELECTION = "selection"  # in place of a layer's id: the selection itself is the strength map
SELECTED_AS = ("dreamlayer", "selected_as", "alpha")  # in Krita's configuration; or "mask"
MASK_NAME = "Selection"


class Where(NamedTuple):
    """What is dreamed on.

    Attributes:
        node: the layer.
        selection: a `Selection` of Krita's, or None for all of the layer.
        whole: take the whole canvas, wherever the layer has pixels now.
    """

    node: Any
    selection: Any
    whole: bool = False


def read(
    recipe: Recipe, guide: Any = None, strength: Any = None, where: Where | None = None
) -> Source:
    """The active layer's pixels where there is a selection, with the recipe's context around it.

    What starts from noise needs no pixels: it fills the selection or the canvas, whatever the
    layer has there.

    Args:
        recipe: what will be dreamed.
        guide: the unique id of the layer to dream of, for recipes that need one.
        strength: the unique id of a layer or mask that says how strongly each pixel dreams, or
            "selection": then that is such a map, and does not cut the dream out.
        where: another layer of the active document, or another selection.

    Raises:
        DocumentError: there is nothing to dream on; the text says why.
    """
    document = Krita.instance().activeDocument()
    if document is None:
        raise DocumentError("No picture is open: open one and select a layer, then dream.")
    node, chosen, whole = where or Where(document.activeNode(), document.selection())
    check_kind(node)
    document.waitForDone()  # the brush stroke before
    canvas = _canvas(document)
    layer = canvas if whole or recipe.start == "noise" else box_of(node, canvas)
    place, selection = _selected(chosen, node.name(), layer)
    seen = place.grow(recipe.context).clip(layer)
    pixels = _pixels(node, seen)
    map_ = None
    if strength == SELECTION:
        map_, selection = _selection_as_map(place, selection), None
    elif strength is not None:
        map_ = _pixels(_node(document, strength, "strength map"), place)
    needs_guide = recipe.expression().needs_guide
    return Source(
        document=document,
        node_id=node.uniqueId(),
        name=node.name(),
        space=space_of(node),
        picture=pixels.layout,
        region=place.moved(-seen.x, -seen.y),
        place=place,
        canvas=canvas,
        edges=place.edges(layer),
        pixels=pixels.frame,
        selection=selection,
        veiled=selection is not None and _as_mask(),
        strength=map_,
        guide=read_guide(_guide_node(document, guide)) if needs_guide else None,
        guide_id=guide if needs_guide else None,
        strength_id=strength,
    )


def gone(source: Source) -> str | None:
    """Why the source's layer can't get a dream any more, or None if it can.

    To be asked before each touch: writing to a closed document crashes Krita.
    """
    if source.document not in Krita.instance().documents():
        return "The picture was closed, so its dream was dropped."
    if source.document.nodeByUniqueID(source.node_id) is None:
        return f"The layer “{source.name}” is gone, so its dream was dropped."
    if _canvas(source.document) != source.canvas:  # so its pixels are somewhere else
        return "The picture's size was changed, so its dream was dropped: dream again."
    return None


def beneath(source: Source) -> Any:
    """The layer that the dream is to lie directly above."""
    node = None
    if source.above is not None:
        node = source.document.nodeByUniqueID(source.above)
    return node or source.document.nodeByUniqueID(source.node_id)


def add_layer(source: Source, name: str, pixels: Frame) -> Any:
    """Add a paint layer with the dream directly above the source: one undo step.

    Returns:
        its unique id.

    Raises:
        DocumentError: the picture was closed or the layer is gone.
    """
    reason = gone(source)
    if reason:
        raise DocumentError(reason)
    node = beneath(source)
    wire = source.space.wire
    if source.space == wire == space_of(source.document) and not source.veiled:
        layer = source.document.createNode(name, "paintlayer")
        write(layer, pixels, source.place)
        return put(layer, node)
    with scratch.scratch() as document:
        layer = scratch.painted(document, name, pixels, source.place, wire, source.space)
        if source.veiled:
            _veil(document, layer, source)
        return put(layer, node)


def update_layer(node_id: Any, pixels: Frame, source: Source) -> bool:
    """Put other pixels into the layer that was added: no undo step.

    Returns:
        False if it is gone, or its picture has another size now.
    """
    if source.document not in Krita.instance().documents():
        return False
    if _canvas(source.document) != source.canvas:
        return False
    layer = source.document.nodeByUniqueID(node_id)
    if layer is None:
        return False
    fresh = scratch.converted(pixels, source.place, source.space.wire, space_of(layer))
    moved = layer.position()  # by the user, since
    write(layer, fresh, source.place.moved(moved.x(), moved.y()))
    source.document.refreshProjection()
    return True


def put(layer: Any, above: Any) -> Any:
    """Add a layer directly above another one, as one undo step, and return its unique id."""
    # Only what happens to a layer of the document is undoable: so this is the one step.
    above.parentNode().addChildNode(layer, above)
    return layer.uniqueId()


def _veil(document: Any, layer: Any, source: Source) -> None:
    """Hide what is not selected behind a transparency mask."""
    chosen = Selection()
    for corner in (source.canvas[:2], (source.canvas.width - 1, source.canvas.height - 1)):
        # Krita composes only where a new layer's mask has values, but clears the whole picture.
        chosen.setPixelData(b"\0", *corner, 1, 1)
    chosen.setPixelData(bytes(source.selection or b""), *source.place)
    mask = document.createTransparencyMask(MASK_NAME)
    layer.addChildNode(mask, None)
    mask.setSelection(chosen)


def _canvas(document: Any) -> Region:
    return Region(0, 0, document.width(), document.height())


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


def _as_mask() -> bool:
    """Whether the user wants a dream in a selection with a transparency mask."""
    return bool(Krita.instance().readSetting(*SELECTED_AS) == "mask")


def _selection_as_map(place: Region, selection: Frame | None) -> Pixels:
    if selection is None:
        raise DocumentError(
            "The strength map is the selection, but nothing is selected: select something, or"
            " choose another map."
        )
    return Pixels(Picture(place.width, place.height, "U8", "G"), selection)


def _guide_node(document: Any, node_id: Any) -> Any:
    if node_id is None:
        raise DocumentError(
            "This recipe dreams of a guide picture: choose a layer as guide under More, or another"
            " network layer."
        )
    return _node(document, node_id, "guide")


def _node(document: Any, node_id: Any, what: str) -> Any:
    node = document.nodeByUniqueID(node_id)
    if node is None:
        raise DocumentError(f"The layer that was chosen as {what} is gone: choose another one.")
    return node


def _pixels(node: Any, box: Region) -> Pixels:
    """What a layer or mask shows in a box, in a layout that the daemon knows."""
    if node.type() in MASKS:
        return Pixels(Picture(box.width, box.height, "U8", "G"), memoryview(look(node, box)))
    space = space_of(node)
    wire = space.wire
    picture = Picture(box.width, box.height, wire.depth, wire.order, wire.curve or "srgb")
    if picture.nbytes > PIECE_MAX:
        raise DocumentError(
            f"{box.width} × {box.height} pixels in {wire.depth} are more than Krita hands out in"
            " one piece (2 GiB): select a smaller part."
        )
    return Pixels(picture, scratch.converted(memoryview(look(node, box)), box, space, wire))
