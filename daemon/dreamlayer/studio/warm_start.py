"""The detail that a dream starts from: that of the frame before it in a film."""

from __future__ import annotations

import torch

from dreamlayer.compositing.overlay import Overlay
from dreamlayer.engine.image import resize
from dreamlayer.engine.image.planes import Plane, StoredPlane
from dreamlayer.studio.inputs import DecodedRequest

FROM_NOISE = (
    "Dreams from noise can't continue one another, so this dream started from scratch instead of"
    " from the one before."
)
OTHER_SIZE = "The dream before has another size, so this one started from scratch."


def warm_start(
    before: Overlay | None, inputs: DecodedRequest, device: torch.device
) -> tuple[Plane | None, tuple[str, ...]]:
    """The detail (1, 3, h, w) that a dream starts from, enlarged as its picture is.

    None, with a note for the user, if the dream `before` can't be used although it was asked for.
    """
    if before is None or not inputs.carry:
        return None, ()
    detail = before.detail
    if detail is None or inputs.recipe.start == "noise":
        return None, (FROM_NOISE,)
    if detail.shape[-2:] != (inputs.window.rows.length, inputs.window.columns.length):
        return None, (OTHER_SIZE,)
    start = StoredPlane(detail.storage.to(device), detail.format)
    if inputs.zoom > 1.0:
        return resize.zoom_plane(start, inputs.zoom, inputs.recipe.wrap), ()
    return start, ()
