"""What has moved where between two pictures of a film, and moving what was dreamed along with it.

Dense optical flow by inverse search (Kroeger, Timofte, Dai, Van Gool: Fast Optical Flow using Dense
Inverse Search, 2016), as OpenCV has it. Flow is computed from each picture to the other: where the
two don't agree, or the pictures don't look alike, a thing has come into view, and nothing of the
picture before belongs there (Sundaram, Brox, Keutzer: Dense Point Trajectories by GPU-accelerated
Large Displacement Optical Flow, 2010).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from numpy.typing import NDArray
from torch import Tensor

from dreamlayer.engine.image import resize
from dreamlayer.engine.image.planes import (
    DerivedPlane,
    Plane,
    Shape,
    StoredPlane,
    as_plane,
    copy,
    exact_format,
)
from dreamlayer.geometry import Span, Window

MOST = 1_000_000  # pixels that flow is computed of; larger pictures are reduced
LEAST = 16  # px; in pictures with a shorter side nothing is looked for
UNLIKE = 20  # 255ths of brightness; pictures that differ by more don't show the same
# Of the check forward and back: how far apart the two may be, in pixels squared, and the further
# the longer the way is. Sundaram's values.
APART, APART_SHARE = 0.5, 0.01
REACH = 2  # px around a place that a cubic filter reads
Grey = NDArray[np.uint8]
Floats = NDArray[np.float32]  # a flow is (h, w, 2): to the right, down, in pixels


def motion(now: Plane, before: Plane) -> Plane:
    """Where each pixel of a picture was in the one before: (1, 3, h, w) of its size.

    The first two channels are the way there, to the right and down, in pixels; the third is 1
    where that is known, 0 where the picture before did not show it, and between at the borders.
    The same pictures give the same values whatever the number of threads.

    Args:
        now, before: (1, 3, h, w), R, G, B in 0..1, on the CPU.
    """
    height, width = now.shape[-2:]
    factor = min(1.0, math.sqrt(MOST / (height * width)))
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    if min(size) < LEAST:
        nothing = torch.zeros(1, 3, 1, 1)
        nothing[:, 2] = 1.0
        return as_plane(nothing.expand(1, 3, height, width))
    greys = [_grey(picture, size) for picture in (now, before)]
    back, forth = _flow(greys[0], greys[1]), _flow(greys[1], greys[0])
    known = _agrees(back, forth) & _looks_alike(greys[0], greys[1], back)
    scale = np.array([width / size[1], height / size[0]], np.float32)
    channels = np.concatenate([back * scale, known[..., None].astype(np.float32)], axis=2)
    small = torch.from_numpy(np.ascontiguousarray(channels.transpose(2, 0, 1)))[None]
    return resize.resize_plane(as_plane(small), (height, width))


@dataclass(frozen=True)
class MovedPlane(DerivedPlane):
    """A plane of the picture before, moved to where its things are now; 0 where nothing is known.

    Bicubic. Computed on reading.
    """

    motion: Plane

    def read(self, window: Window, step: int = 1) -> Tensor:
        moves = self.motion.read(window)
        down = torch.arange(window.rows.start, window.rows.stop)[:, None] + moves[0, 1]
        right = torch.arange(window.columns.start, window.columns.stop) + moves[0, 0]
        rows, columns = (
            _span(places, length)
            for places, length in zip((down, right), self.shape[-2:], strict=True)
        )
        pixels = self.plane.read(Window(rows, columns))
        # grid_sample counts from −1 at the left edge of the first pixel to 1 at the last one's.
        grid = torch.stack(
            [
                (right - columns.start + 0.5) * (2 / columns.length) - 1,
                (down - rows.start + 0.5) * (2 / rows.length) - 1,
            ],
            dim=-1,
        )[None]
        moved = F.grid_sample(
            pixels, grid.to(pixels.dtype), "bicubic", "border", align_corners=False
        )
        return (moved * moves[:, 2:].clamp(0.0, 1.0))[..., ::step, ::step]


@dataclass(frozen=True)
class KnownPlane(DerivedPlane):
    """Of `plane`, a `motion`, how much is known of each place: (1, 1, h, w), in 0..1."""

    @property
    def shape(self) -> Shape:
        return (1, 1, *self.plane.shape[-2:])

    def read(self, window: Window, step: int = 1) -> Tensor:
        return self.plane.read(window, step)[:, 2:].clamp(0.0, 1.0)


def _span(places: Tensor, length: int) -> Span:
    """The pixels that a cubic filter about some places reads, of an axis of this length."""
    first = min(max(math.floor(float(places.min())) - REACH, 0), length - 1)
    last = min(max(math.ceil(float(places.max())) + REACH, first), length - 1)
    return Span(first, last + 1)


def _grey(picture: Plane, size: tuple[int, int]) -> Grey:
    """The brightness (h, w) of a picture at a size, in 255ths."""
    small = resize.resize_plane(picture, size)
    floats = copy(small, StoredPlane(torch.empty(small.shape), exact_format(torch.float32)))
    mean = floats.storage[0].mean(dim=0).nan_to_num(0.0, 1.0, 0.0).clamp(0.0, 1.0)
    grey: Grey = (mean * 255).round().to(torch.uint8).numpy()
    return grey


def _flow(start: Grey, end: Grey) -> Floats:
    """The way of each pixel of `start` to its place in `end`."""
    import cv2  # 20 MB of memory, for films only

    cv2.setNumThreads(1)  # several divide the picture, which the result could depend on
    searching = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    searching.setFinestScale(0)  # every pixel: the edges of things matter here
    # The stubs want room for the result.
    return _floats(searching.calc(start, end, np.zeros((*start.shape, 2), np.float32)))


def _agrees(back: Floats, forth: Floats) -> NDArray[np.bool_]:
    """Where the way back and, from there, the way forth lead to where one began."""
    height, width = back.shape[:2]
    right, down = _places(back)
    returned = _at(forth, back)
    apart = np.square(back + returned).sum(axis=2)
    ways = np.square(back).sum(axis=2) + np.square(returned).sum(axis=2)
    inside = (np.abs(right - (width - 1) / 2) < width / 2) & (
        np.abs(down - (height - 1) / 2) < height / 2
    )
    agrees: NDArray[np.bool_] = (apart < APART + APART_SHARE * ways) & inside
    return agrees


def _looks_alike(now: Grey, before: Grey, back: Floats) -> NDArray[np.bool_]:
    """Where the picture before, moved, is about as bright; camera noise is averaged out."""
    import cv2

    calm = [_floats(cv2.blur(grey.astype(np.float32), (3, 3))) for grey in (now, before)]
    alike: NDArray[np.bool_] = np.abs(calm[0] - _at(calm[1], back)) < UNLIKE
    return alike


def _at(values: Floats, flow: Floats) -> Floats:
    """The values (h, w) or (h, w, channels) at the places to which a flow leads."""
    import cv2

    right, down = _places(flow)
    border = cv2.BORDER_REPLICATE
    return _floats(cv2.remap(values, right, down, cv2.INTER_LINEAR, borderMode=border))


def _places(flow: Floats) -> tuple[Floats, Floats]:
    """Where each pixel's way leads: columns and rows (h, w)."""
    height, width = flow.shape[:2]
    right, down = flow[..., 0] + np.arange(width), flow[..., 1] + np.arange(height)[:, None]
    return right.astype(np.float32), down.astype(np.float32)


def _floats(array: object) -> Floats:
    """An array of OpenCV, whose stubs don't know that it has floats."""
    return np.asarray(array, np.float32)
