"""Pixels of a request as a plane that the engine reads window by window.

The bytes are kept as they were sent; only the part that is read is converted for the network.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dreamlayer.compositing import pixels
from dreamlayer.engine.image.planes import Plane, StoredPlane, copy, exact_format
from dreamlayer.geometry import Window
from dreamlink.picture import Picture


@dataclass(frozen=True)
class SourceImage:
    """Raw pixels (h, w, samples) as a plane (1, 3, h, w): R, G, B in 0..1, sRGB-encoded."""

    raw: pixels.Raw
    layout: Picture

    @property
    def shape(self) -> tuple[int, ...]:
        return (1, 3, *self.raw.shape[:2])

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def read(self, window: Window, step: int = 1) -> Tensor:
        rows, columns = (slice(span.start, span.stop, step) for span in window)
        colours = pixels.for_network(pixels.read_colours(self.raw[rows, columns], self.layout))
        return torch.from_numpy(colours)[None]


def to_device(image: SourceImage, device: torch.device) -> Plane:
    """The image as a plane on a device: itself on the CPU, elsewhere a copy of all of it."""
    if device.type == "cpu":
        return image
    storage = torch.empty(image.shape, dtype=image.dtype, device=device)
    return copy(image, StoredPlane(storage, exact_format(image.dtype)))
