"""What a dream is made of, part by part, into a file: runs in Windows and on Linux.

Each part gets the same input on both, made without torch's floats, so that the first one with other
bits is where dreams begin to differ.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from dreamlayer.engine.ascent import conditioning, regularisers
from dreamlayer.engine.image import resize
from dreamlayer.engine.image.noise import Noise
from dreamlayer.engine.image.planes import as_stored_plane
from dreamlayer.networks import network

SIZE = (150, 200)  # px, height and width


def picture(seed: int) -> Tensor:
    """(1, 3, H, W) in 0..1, in steps of 1/256, smooth enough to be like a photograph."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (1, 3, SIZE[0] // 10, SIZE[1] // 10)).repeat(10, 2)
    fine = random.integers(0, 64, (1, 3, *SIZE))
    return torch.from_numpy(((coarse.repeat(10, 3) * 3 + fine) // 4).astype(np.float32) / 256)


def changed(x: Tensor, change: Callable[..., None], *options: object) -> Tensor:
    """A copy of a plane that `change` has changed in place."""
    copy = x.clone()
    change(as_stored_plane(copy), *options)
    return copy


def parts() -> dict[str, Tensor]:
    """The results by what computed them."""
    photo, gradient = picture(1), picture(2) - 0.5
    rows, columns = torch.arange(SIZE[0]), torch.arange(SIZE[1])
    net = network.extract("squeezenet1_1", ["features.10"])
    forward = net.run(photo)
    return {
        "reducing": resize.resize(photo, (107, 143)),
        "enlarging": resize.resize(photo, (210, 280)),
        "noise": Noise(0.1, 7).sample(rows, columns, photo),
        "network, forward": forward.maps[0],
        "network, back": forward.backward(list(forward.maps)),
        "blur": changed(gradient, conditioning.condition, "plain", 0.5),
        "calm colours": changed(gradient, conditioning.condition, "plain", 0.0, 0.5),
        "laplacian": changed(gradient, conditioning.condition, "laplacian", 0.5),
        "spectral": changed(gradient, conditioning.condition, "spectral", 0.5),
        "sums of rows": gradient.abs().sum(dim=-1),
        "total variation": regularisers.tv_change(gradient.clone(), 0.01),
        "stay": regularisers.stay_change(gradient.clone(), 0.01),
    }


if __name__ == "__main__":
    np.savez(sys.argv[1], **{name: found.numpy() for name, found in parts().items()})
