"""Scales the objectives of a dream map's regions, so that none drowns its neighbours.

The gradient of a layer's squares may be a thousand times that of a kind, and it reaches as far into
the next region as the network's receptive fields do. There the norm of a region's own
(`region_norms.py`) could not tell whose gradient it is. So each objective's gradient is measured
once, alone, on a small copy of the picture without a dream.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from dreamlayer.engine.ascent.ascent import APRON
from dreamlayer.engine.ascent.region_norms import RegionNorms
from dreamlayer.engine.image import resize
from dreamlayer.engine.image.nan_guard import NanGuard
from dreamlayer.engine.image.planes import Plane, as_plane, read_all
from dreamlayer.engine.objectives.regional import RegionalObjective
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.engine.tiling.receptive_layout import TileableNetwork
from dreamlayer.engine.tiling.tiled_gradient import TiledObjective
from dreamlayer.geometry import Window

MEASURED_SIDE = 320  # px, of the longer side of the copy; its smaller octaves are measured as such
LARGEST_OPPOSED = 4.0  # times the regions' own gradients, where others are opposed
LARGEST_SCALE = 1e6  # an objective that finds next to nothing is not amplified without limit


def balanced(
    objective: RegionalObjective,
    picture: Plane,
    network: TileableNetwork,
    window: Window,
    size: tuple[int, int],
    side: int,
    nan_guard: NanGuard,
) -> RegionalObjective:
    """The objective with scales that make the regions' gradients equally large.

    Args:
        picture: (1, 3, H, W), R, G, B in 0..1.
        window: the part to dream in, where the regions lie.
        size: (h, w) of the dream's coarsest octave.
        side: of the tiles, in pixels.
    """
    full = (picture.shape[-2], picture.shape[-1])
    factor = min(1.0, MEASURED_SIDE / max(size))
    rows, columns = (max(network.minimum, round(length * factor)) for length in size)
    reduced = (rows, columns)
    small = read_all(resize.resize_plane(picture, reduced, objective.shares.wrap)).clamp(0, 1)
    inside, stride = window.scale(full, reduced), network.stride
    place = (APRON * stride, APRON * stride)
    canvas = PictureCanvas(*reduced, 2 * APRON * stride, place, objective.shares.wrap)
    means = []
    for index, part in enumerate(objective.parts):
        tiled = TiledObjective(network, part, canvas, inside, side, None, nan_guard)
        gradient = torch.zeros_like(small[inside.slices()])
        for _ in tiled.add_gradient(small, gradient):
            pass
        here_and_elsewhere = objective.shares.against_others(index)
        norms = RegionNorms.of(here_and_elsewhere, inside.size, as_plane(gradient).read)
        means.append(norms.means)
    largest = max(here for here, _ in means)
    scales = [_scale(largest, here) for here, _ in means]
    # What is hardly seen in its own region has a large scale, too large where it is seen.
    elsewhere = [
        min(scale, LARGEST_OPPOSED * _scale(largest, there))
        for scale, (_, there) in zip(scales, means, strict=True)
    ]
    opposed = [once * scale for once, scale in zip(objective.opposed, elsewhere, strict=True)]
    return replace(objective, scales=tuple(scales), opposed=tuple(opposed))


def _scale(wanted: float, mean: float) -> float:
    return min(LARGEST_SCALE, wanted / mean) if mean > 0 else 1.0
