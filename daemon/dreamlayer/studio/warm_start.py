"""What a dream goes on from: the frame of a film before its own."""

from __future__ import annotations

import torch

from dreamlayer.compositing.overlay import Overlay
from dreamlayer.engine.image import resize
from dreamlayer.engine.image.planes import Plane, StoredPlane
from dreamlink.wire.messages import DreamRequest

FROM_NOISE = "A dream from noise goes on from no other, and none goes on from it: it began anew."
OTHER_SIZE = "The dream that this one was to go on from has another size: it began anew."


def carried(
    before: Overlay | None, request: DreamRequest, device: torch.device
) -> tuple[Plane | None, tuple[str, ...]]:
    """The detail (1, 3, h, w) that a dream starts from, and a note if it can't though it was to.

    It is enlarged as the picture is.
    """
    if before is None or not request.carry:
        return None, ()
    detail = before.detail
    if detail is None or request.recipe.start == "noise":
        return None, (FROM_NOISE,)
    if detail.shape[-2:] != (request.region.height, request.region.width):
        return None, (OTHER_SIZE,)
    there = StoredPlane(detail.storage.to(device), detail.format)
    if request.zoom > 1.0:
        return resize.zoom_plane(there, request.zoom, request.recipe.wrap), ()
    return there, ()
