"""A hidden document in which Krita converts colours and assembles layers.

Whatever is done to a layer goes into the history of the document that created it, even before the
layer is added: in the user's document those would be undo steps without a visible effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from krita import Krita

from dreamlink.picture import Region
from dreamlink.wire.messages import Frame

from .color_space import SRGB, ColorSpace, space_of
from .errors import DocumentError
from .layers import write_pixels


@contextmanager
def open_scratch() -> Iterator[Any]:
    """A temporary hidden document; a layer created in it may be added to another document."""
    document = Krita.instance().createDocument(1, 1, "", "RGBA", "U8", SRGB, 72.0)
    try:
        yield document
    finally:
        document.setModified(False)
        document.close()


@contextmanager
def copied_alone(node: Any, original: Any, time: int) -> Iterator[Any]:
    """A hidden document as large as the original one, with a copy of one of its layers.

    There the layer is shown, Normal, opaque and not clipped, at a frame of the animation.

    Raises:
        DocumentError: Krita can't make a document in the layer's colour space.
    """
    space = space_of(node)
    size = (original.width(), original.height())
    document = Krita.instance().createDocument(*size, "", *space, 72.0)
    if document is None:
        raise DocumentError(
            f"Krita can't compose the layer “{node.name()}” in {space.model} {space.depth} with the"
            f" profile “{space.profile}”: convert the picture with Image ▸ Convert Image Color"
            " Space…, or merge the layer's masks and styles, then dream."
        )
    try:
        root = document.rootNode()
        root.childNodes()[0].setVisible(False)  # the white background of a new document
        copy = node.duplicate()
        copy.setVisible(False)  # or Krita would compose it twice
        copy.setOpacity(255)
        for channel in copy.channels():
            channel.setVisible(True)
        root.addChildNode(copy, None)
        copy = root.childNodes()[-1]  # one whose undo steps are this document's
        if copy.blendingMode() != "normal":
            copy.setBlendingMode("normal")
        if time:
            document.setCurrentTime(time)
        copy.setVisible(True)
        document.refreshProjection()
        document.waitForDone()
        yield document
    finally:
        document.setModified(False)
        document.close()


def paint_layer(
    document: Any, name: str, pixels: Frame, box: Region, space: ColorSpace, goal: ColorSpace
) -> Any:
    """A layer created in a scratch document: `pixels` in `space`, converted to `goal`.

    Raises:
        DocumentError: Krita can't convert between them.
    """
    layer = document.createNode(name, "paintlayer")
    _convert(layer, space)
    write_pixels(layer, pixels, box)
    _convert(layer, goal)
    return layer


def convert_pixels(pixels: Frame, box: Region, space: ColorSpace, goal: ColorSpace) -> Frame:
    """The pixels of `box`, converted from `space` to `goal`; raises DocumentError."""
    if space == goal:
        return pixels
    with open_scratch() as document:
        return memoryview(paint_layer(document, "", pixels, box, space, goal).pixelData(*box))


def _convert(layer: Any, goal: ColorSpace) -> None:
    """Convert in one step: Krita clips out-of-range colours when it changes only the depth."""
    space = space_of(layer)
    if space != goal and not layer.setColorSpace(*goal):
        raise DocumentError(
            f"Krita can't convert this layer between {space.model} {space.depth} with the profile"
            f" “{space.profile}” and {goal.model} {goal.depth} with “{goal.profile}”: convert the"
            " picture with Image ▸ Convert Image Color Space…, then dream."
        )
