"""Which layers there are, what they show, and where they lie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dreamlink.picture import Region
from dreamlink.wire.messages import Frame

from .errors import DocumentError

OWN = ("paintlayer",)  # layers with pixels of their own
SHOWN = ("grouplayer", "vectorlayer", "clonelayer", "filelayer", "filllayer")
MASKS = ("transparencymask", "selectionmask", "filtermask")  # those that hold a selection


def list_layers(document: Any, masks: bool = False) -> list[tuple[Any, str]]:
    """Layers with a picture, the uppermost first: each one's unique id and name.

    The name of what is in a group, or of a mask, has the names of what it is in before it.
    With `masks` those that hold a selection are among them.
    """
    kinds = (*OWN, *SHOWN, *MASKS) if masks else (*OWN, *SHOWN)
    return [
        (node.uniqueId(), name)
        for node, name in _walk(document.rootNode(), "")
        if node.type() in kinds and not passes_through(node)
    ]


def _walk(parent: Any, path: str) -> Iterator[tuple[Any, str]]:
    for node in reversed(_children(parent)):
        name = path + node.name()
        yield node, name
        yield from _walk(node, f"{name} ▸ ")


def _children(node: Any) -> list[Any]:
    """Its layers and masks, the lowest first; None stands for one that Krita is taking away."""
    return [child for child in node.childNodes() if child is not None]


def check_kind(node: Any) -> None:
    """Raise DocumentError for what has no picture that could dream."""
    kind = node.type() if node is not None else None
    if kind is None:
        raise DocumentError("No layer is selected: select the layer to dream on.")
    if kind.endswith("mask"):
        raise DocumentError(
            f"“{node.name()}” is a mask, and masks can't dream: select the layer to dream on."
        )
    if kind not in OWN + SHOWN:
        raise DocumentError(
            f"“{node.name()}” has no picture of its own: select another layer to dream on."
        )
    if passes_through(node):
        raise DocumentError(
            f"The group “{node.name()}” is in pass-through mode and has no picture of its own:"
            " turn that off, or select a layer in it."
        )


def passes_through(node: Any) -> bool:
    """Whether it is a group that leaves its layers to the group around it."""
    return bool(node.type() == "grouplayer" and node.passThroughMode())


def visible_box(node: Any, canvas: Region) -> Region:
    """Where on the canvas the layer has pixels; raises DocumentError if nowhere."""
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


def read_pixels(node: Any, box: Region) -> Any:
    """The raw pixels (a QByteArray) of a layer: as it is seen, through its masks.

    A paint layer without masks, and a mask, are asked for their own pixels, which are there even
    while Krita still composes the picture.
    """
    veiled = any(child.visible() for child in _children(node))
    own = node.type() in MASKS or (node.type() in OWN and not veiled)
    return (node.pixelData if own else node.projectionPixelData)(*box)


def write_pixels(layer: Any, pixels: Frame, box: Region) -> None:
    """Put raw pixels into a layer; Krita takes no views."""
    layer.setPixelData(bytes(pixels) if isinstance(pixels, memoryview) else pixels, *box)
