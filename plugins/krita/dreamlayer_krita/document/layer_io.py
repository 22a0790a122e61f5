"""Reads the pixels to dream on from a document, and adds the dream as a new layer. No Qt here.

Pixels are sent raw, in the layer's own colour model and depth; the daemon converts them. Krita
itself converts from colour spaces that the daemon does not support, in a hidden document, and
converts the dream back.
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
from .guide_and_map import read_guide, read_map
from .insertion import NORMAL, AddedLayer, insert, layer_below
from .layers import (
    COMPOSED,
    MASKS,
    OWN,
    check_chosen,
    check_kind,
    list_layers,
    visible_box,
    write_pixels,
)  # fmt: skip
from .look import Look, look_at
from .source import LayerSource, is_opaque

__all__ = [
    "AddedLayer", "DocumentError", "DreamTarget", "LayerSource", "add_layer", "explain_loss",
    "list_layers", "read", "update_layer",
]  # fmt: skip

PIECE_MAX = (1 << 31) - 1  # bytes that Krita returns in one piece
SELECTION = "selection"  # instead of a layer's id: the selection is the strength map
# Group, name and default in Krita's configuration; the other value is "mask".
SELECTED_AS = ("dreamlayer", "selected_as", "alpha")
MASK_NAME = "Selection"


class DreamTarget(NamedTuple):
    """The layer and the part of it to dream on.

    Attributes:
        node: the layer.
        selection: Krita's `Selection`, or None for the whole layer.
        whole: read the whole canvas, wherever the layer has pixels now.
        every: read only each nth pixel of each nth row, for looks at large layers.
    """

    node: Any
    selection: Any
    whole: bool = False
    every: int = 1


def read(
    recipe: Recipe,
    guide: Any = None,
    strength: Any = None,
    where: DreamTarget | None = None,
    dream_map: Any = None,
) -> LayerSource:
    """Read the active layer in the selection, plus `recipe.context` pixels around it.

    A dream that starts from noise fills the selection or the canvas, whatever the layer has there.

    Args:
        recipe: what will be dreamed.
        guide: the unique id of the guide layer, for recipes that need one.
        strength: the unique id of the layer or mask used as strength map, or "selection": then the
            selection is the map and does not limit the dream.
        where: another layer of the active document, or another selection.
        dream_map: the unique id of the layer whose colours the recipe binds.

    Raises:
        DocumentError: there is nothing to dream on; the text says why.
    """
    document = Krita.instance().activeDocument()
    if document is None:
        raise DocumentError("No picture is open: open one and select a layer, then dream.")
    target = where or DreamTarget(document.activeNode(), document.selection())
    node = target.node
    check_kind(node)
    document.waitForDone()  # the last brush stroke
    canvas = _canvas(document)
    noise = recipe.start == "noise"
    with look_at(node, document) as look:
        layer = canvas if target.whole or noise else visible_box(node.name(), look.bounds, canvas)
        place, selection = _selected(target.selection, node.name(), layer)
        seen = place.grow(recipe.context).clip(layer)
        pixels = _pixels(look, seen, target.every)
    region = _thinned(place.moved(-seen.x, -seen.y), target.every, pixels.layout.region)
    map_ = None
    if strength == SELECTION:
        map_, selection = _selection_as_map(place, selection), None
    elif strength is not None:
        map_ = _read_map(document, strength, place)
    needs_guide = recipe.needs_guide
    map_node = _map_node(document, dream_map, recipe)
    return LayerSource(
        document=document,
        node_id=node.uniqueId(),
        name=node.name(),
        space=space_of(node),
        picture=pixels.layout,
        region=region,
        place=place,
        canvas=canvas,
        edges=place.edges(layer),
        pixels=pixels.frame,
        selection=selection,
        as_mask=selection is not None and _wants_mask(),
        strength=map_,
        guide=read_guide(_guide_node(document, guide), document) if needs_guide else None,
        guide_id=guide if needs_guide else None,
        strength_id=strength,
        dream_map=None if map_node is None else read_map(map_node, document, place),
        dream_map_id=None if map_node is None else dream_map,
        opaque=noise or is_opaque(pixels.layout, pixels.frame, region),
        covered=place == layer and (selection is None or not bytes(selection).strip(b"\xff")),
    )


def explain_loss(source: LayerSource) -> str | None:
    """Why no dream can be added above the source any more, or None if one can.

    Call it before each access to the document: writing to a closed one crashes Krita.
    """
    if source.document not in Krita.instance().documents():
        return "The picture was closed, so its dream was discarded."
    if source.document.nodeByUniqueID(source.node_id) is None:
        return f"The layer “{source.name}” is gone, so its dream was discarded."
    if _canvas(source.document) != source.canvas:  # so its pixels have moved
        return "The picture's size was changed, so its dream was discarded: dream again."
    return None


def add_layer(source: LayerSource, name: str, pixels: Frame) -> AddedLayer:
    """Add a paint layer with the dream directly above the source, as one undo step.

    `insertion` says what else happens, so that at strength 0 nothing that is seen changes.

    Args:
        source: what was dreamed on.
        name: the new layer's name.
        pixels: of `source.place`, in `source.space.wire`.

    Raises:
        DocumentError: the picture was closed or the layer is gone.
    """
    reason = explain_loss(source)
    if reason:
        raise DocumentError(reason)
    wire = source.space.wire
    simple = not source.as_mask and layer_below(source).blendingMode() == NORMAL
    if simple and source.space == wire == space_of(source.document):
        layer = source.document.createNode(name, "paintlayer")
        write_pixels(layer, pixels, source.place)
        return insert(layer, source)
    with scratch.open_scratch() as document:
        layer = scratch.paint_layer(document, name, pixels, source.place, wire, source.space)
        if source.as_mask:
            _add_mask(document, layer, source)
        return insert(layer, source)


def update_layer(node_id: Any, pixels: Frame, source: LayerSource) -> bool:
    """Write other pixels into a layer that was added, without an undo step.

    Returns:
        False if the layer is gone or the picture has another size now.
    """
    if source.document not in Krita.instance().documents():
        return False
    if _canvas(source.document) != source.canvas:
        return False
    layer = source.document.nodeByUniqueID(node_id)
    if layer is None:
        return False
    fresh = scratch.convert_pixels(pixels, source.place, source.space.wire, space_of(layer))
    moved = layer.position()  # by the user, meanwhile
    write_pixels(layer, fresh, source.place.moved(moved.x(), moved.y()))
    source.document.refreshProjection()
    return True


def _add_mask(document: Any, layer: Any, source: LayerSource) -> None:
    """Add a transparency mask that hides what is not selected."""
    chosen = Selection()
    for corner in (source.canvas[:2], (source.canvas.width - 1, source.canvas.height - 1)):
        # Krita clears the whole picture but composes only where the new mask has values.
        chosen.setPixelData(b"\0", *corner, 1, 1)
    chosen.setPixelData(bytes(source.selection or b""), *source.place)
    mask = document.createTransparencyMask(MASK_NAME)
    layer.addChildNode(mask, None)
    mask.setSelection(chosen)


def _canvas(document: Any) -> Region:
    return Region(0, 0, document.width(), document.height())


def _selected(selection: Any, name: str, layer: Region) -> tuple[Region, Frame | None]:
    """The rectangle to dream in, and the selection's values there, one byte a pixel."""
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


def _thinned(region: Region, every: int, picture: Region) -> Region:
    """A region in a picture that has only every nth row and column."""
    x, y, width, height = (side // every for side in region)
    return Region(x, y, max(1, width), max(1, height)).clip(picture)


def _wants_mask() -> bool:
    """Whether a dream in a selection is to get a transparency mask."""
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
            "This recipe needs a guide: choose a layer as guide under More, or another network"
            " layer."
        )
    return _node(document, node_id, "guide")


def _map_node(document: Any, node_id: Any, recipe: Recipe) -> Any:
    """The layer chosen as dream map; None without one."""
    if node_id is None:
        if recipe.bindings():
            raise DocumentError(
                "These settings say what the colours of a dream map stand for: choose the layer"
                " with the colours as dream map under More."
            )
        return None
    node = _node(document, node_id, "dream map")
    if not recipe.bindings():
        raise DocumentError(
            f"Nothing is chosen for the colours of the dream map “{node.name()}”: write under More"
            " what to dream in each, or choose None as dream map."
        )
    return node


def _node(document: Any, node_id: Any, what: str) -> Any:
    node = document.nodeByUniqueID(node_id)
    if node is None:
        raise DocumentError(f"The layer chosen as {what} is gone: choose another one.")
    return node


def _read_map(document: Any, node_id: Any, place: Region) -> Pixels:
    """The strength map that a layer or mask shows."""
    node = _node(document, node_id, "strength map")
    check_chosen(node, "strength map", (*OWN, *COMPOSED, *MASKS))
    with look_at(node, document) as look:
        return _pixels(look, place)


def _pixels(look: Look, box: Region, every: int = 1) -> Pixels:
    """What a layer or mask shows in a box, in a layout that the daemon supports."""
    if look.node.type() in MASKS:
        return Pixels(Picture(box.width, box.height, "U8", "G"), memoryview(look.pixels(box)))
    space = space_of(look.node)
    wire = space.wire
    width, height = max(1, box.width // every), max(1, box.height // every)
    picture = Picture(width, height, wire.depth, wire.order, wire.curve or "srgb")
    if picture.nbytes > PIECE_MAX:
        raise DocumentError(
            f"{box.width} × {box.height} pixels in {wire.depth} are more than Krita can return in"
            " one piece (2 GiB): select a smaller part."
        )
    pixels = look.every_nth_pixel(box, every) if every > 1 else look.pixels(box)
    return Pixels(picture, scratch.convert_pixels(memoryview(pixels), picture.region, space, wire))
