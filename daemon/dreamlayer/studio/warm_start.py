"""The detail that a dream starts from: that of the frame before it in a film."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dreamlayer.compositing.overlay import Overlay
from dreamlayer.engine.image import flow, resize
from dreamlayer.engine.image.planes import (
    DETAIL_FORMAT,
    MASK_FORMAT,
    Plane,
    PlaneAllocator,
    PlaneWindow,
    SampleFormat,
    StoredPlane,
    copy,
)
from dreamlayer.studio.inputs import DecodedRequest, DreamPixels
from dreamlayer.studio.source import SourceImage

FROM_NOISE = (
    "Dreams from noise can't continue one another, so this dream started from scratch instead of"
    " from the one before."
)
OTHER_SIZE = "The dream before has another size, so this one started from scratch."
CPU = torch.device("cpu")


@dataclass(frozen=True)
class WarmStart:
    """What a dream starts from.

    Attributes:
        detail: (1, 3, h, w) of the region, enlarged or moved as its picture is; None: nothing.
        known: (1, 1, h, w), 0 where the detail is not known, if it has been moved along.
        notes: sentences for the user if the dream before can't be used.
    """

    detail: Plane | None = None
    known: Plane | None = None
    notes: tuple[str, ...] = ()


def warm_start(
    before: Overlay | None,
    inputs: DecodedRequest,
    loaded: DreamPixels,
    room: PlaneAllocator,
    device: torch.device,
) -> WarmStart:
    """What a dream starts from of the dream `before`, on the device.

    An enlarged picture is not compared with the one before: a dive's is that one's dream.
    """
    if before is None or not inputs.carry:
        return WarmStart()
    detail = before.detail
    if detail is None or inputs.recipe.start == "noise":
        return WarmStart(notes=(FROM_NOISE,))
    if detail.shape[-2:] != (inputs.window.rows.length, inputs.window.columns.length):
        return WarmStart(notes=(OTHER_SIZE,))
    if inputs.recipe.flow and inputs.zoom == 1.0:
        return _moved(before, detail, inputs, loaded, room, device)
    start = StoredPlane(detail.storage.to(device), detail.format)
    if inputs.zoom > 1.0:
        return WarmStart(resize.zoom_plane(start, inputs.zoom, inputs.recipe.wrap))
    return WarmStart(start)


def _moved(
    before: Overlay,
    detail: StoredPlane,
    inputs: DecodedRequest,
    loaded: DreamPixels,
    room: PlaneAllocator,
    device: torch.device,
) -> WarmStart:
    """The detail where what it lay on is now; computed once, on the CPU."""
    now = PlaneWindow(SourceImage(loaded.raw, inputs.picture.layout), inputs.window)
    motion = flow.motion(now, SourceImage(*before.source))

    def stored(plane: Plane, form: SampleFormat) -> StoredPlane:
        kept = copy(plane, StoredPlane(room(plane.shape, form.dtype, CPU), form))
        return StoredPlane(kept.storage.to(device), form)

    moved = stored(flow.MovedPlane(detail, motion), DETAIL_FORMAT)
    return WarmStart(moved, stored(flow.KnownPlane(motion), MASK_FORMAT))
