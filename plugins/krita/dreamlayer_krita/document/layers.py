"""The layers of a document: which can dream, their bounds and their pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dreamlink.picture import Region
from dreamlink.wire.messages import Frame

from .errors import DocumentError

OWN = ("paintlayer",)  # layers with pixels of their own
COMPOSED = ("grouplayer", "vectorlayer", "clonelayer", "filelayer", "filllayer")
MASKS = ("transparencymask", "selectionmask", "filtermask")  # masks that hold a selection


def list_layers(document: Any, masks: bool = False) -> list[tuple[Any, str]]:
    """The unique ids and names of all layers that have a picture, from top to bottom.

    The name of a mask, or of a layer in a group, begins with the names of its parents. With `masks`
    the masks that hold a selection are listed too.
    """
    kinds = (*OWN, *COMPOSED, *MASKS) if masks else (*OWN, *COMPOSED)
    return [
        (node.uniqueId(), name)
        for node, name in _walk(document.rootNode(), "")
        if node.type() in kinds and not passes_through(node)
    ]


def _walk(parent: Any, path: str) -> Iterator[tuple[Any, str]]:
    for node in reversed(children(parent)):
        name = path + node.name()
        yield node, name
        yield from _walk(node, f"{name} ▸ ")


def children(node: Any) -> list[Any]:
    """The layers and masks of a node, from bottom to top.

    Krita lists None for one that it is removing: those are left out.
    """
    return [child for child in node.childNodes() if child is not None]


def check_kind(node: Any) -> None:
    """Raise DocumentError if a node has no picture to dream on."""
    kind = node.type() if node is not None else None
    if kind is None:
        raise DocumentError("No layer is selected: select the layer to dream on.")
    if kind.endswith("mask"):
        raise DocumentError(
            f"“{node.name()}” is a mask, and masks can't dream: select the layer to dream on."
        )
    if kind not in OWN + COMPOSED:
        raise DocumentError(
            f"“{node.name()}” has no picture of its own: select another layer to dream on."
        )
    check_pass_through(node)


def check_chosen(node: Any, what: str, kinds: tuple[str, ...] = OWN + COMPOSED) -> None:
    """Raise DocumentError if a node can't be a guide or strength map (`what`)."""
    if node.type() not in kinds:
        raise DocumentError(
            f"“{node.name()}” has no picture of its own and can't be the {what}: choose another"
            " layer."
        )
    check_pass_through(node)


def check_pass_through(node: Any) -> None:
    """Raise DocumentError for a group whose look depends on what lies below it."""
    if passes_through(node):
        raise DocumentError(
            f"The group “{node.name()}” is in pass-through mode and has no picture of its own:"
            " turn that off, or select a layer in it."
        )


def passes_through(node: Any) -> bool:
    """Whether it is a group in pass-through mode, which has no picture of its own."""
    return bool(node.type() == "grouplayer" and node.passThroughMode())


def visible_box(name: str, bounds: Region, canvas: Region) -> Region:
    """The part of the canvas where the layer has pixels; raises DocumentError if there is none."""
    if bounds.empty:
        raise DocumentError(
            f"The layer “{name}” is empty: there is nothing to dream on. Paint on it, or start from"
            " noise."
        )
    box = bounds.clip(canvas)
    if box.empty:
        raise DocumentError(f"The layer “{name}” lies outside the canvas: move it first.")
    return box


def write_pixels(layer: Any, pixels: Frame, box: Region) -> None:
    """Write raw pixels into a layer; Krita accepts no memoryview."""
    layer.setPixelData(bytes(pixels) if isinstance(pixels, memoryview) else pixels, *box)
