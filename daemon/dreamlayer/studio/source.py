"""The pixels that came with a request, as a picture that the engine reads by windows.

They stay the bytes that they are: what the network sees of them is made where it is looked at.
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
class Source:
    """Raw pixels (h, w, samples) as a plane (1, 3, h, w): R, G, B in 0..1, sRGB-encoded."""

    raw: pixels.Raw
    picture: Picture

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
        seen = pixels.for_network(pixels.read_colours(self.raw[rows, columns], self.picture))
        return torch.from_numpy(seen)[None]


def on(device: torch.device, source: Source) -> Plane:
    """A source for a device: on the CPU it is read as it is, else all of it is brought there."""
    if device.type == "cpu":
        return source
    storage = torch.empty(source.shape, dtype=source.dtype, device=device)
    return copy(source, StoredPlane(storage, exact_format(source.dtype)))
