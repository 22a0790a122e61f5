"""How close the kernel, the portable path and double precision are to each other.

python -m tests.bench.exactness [--side PX]

First one gradient, then whole default dreams of a photo. In a dream a rounding error now and then
flips the choice of a ReLU or a maximum, from where it goes another way: so the same is shown for
the portable path and a source that differs from the photo in the seventh digit. All on one core's
processor time: about three minutes, most of them for double precision.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from dreamlayer.engine.image import resize
from dreamlayer.networks.network import Network
from dreamlink.recipe.recipe import Recipe
from tests.bench.speeds import steps
from tests.engine.looks import photo

RECIPE = Recipe(seed=7)
TARGET = steps.Target("default", RECIPE.model, RECIPE.layer)
NUDGE = 1e-7  # half of the resolution of a 32-bit number near 1


def decibels(one: Tensor, other: Tensor) -> float:
    """The peak signal to noise ratio of two dreams; the peak is 1."""
    error = (one.double() - other.double()).square().mean()
    return float(-10 * torch.log10(error))


def gradient(network: Network, x: Tensor) -> Tensor:
    """The gradient of half of the mean square of the layer's cells."""
    found = network.run(x.to(network.dtype))
    return found.backward([cells.clone() for cells in found.maps]).double()


def dream(network: Network, source: Tensor) -> Tensor:
    return steps.run(source.to(network.dtype), network, RECIPE)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=300, help="of the photo's height, in pixels")
    side = parser.parse_args().side
    source = resize.resize(photo("chelsea.png").float(), (side, side * 3 // 2)).clamp(0, 1)
    networks = {name: steps.ours(TARGET, path) for path, name in steps.PATHS.items()}
    exact = steps.ours(TARGET, "tape")
    assert exact is not None
    networks["float64"] = exact.to("cpu", torch.float64)
    there = {name: network for name, network in networks.items() if network is not None}

    slopes = {name: gradient(network, source) for name, network in there.items()}
    expected = slopes.pop("float64")
    rms = expected.square().mean().sqrt()
    print("| a gradient | 1 − cosine with float64 | median error, of the RMS |\n|---|---|---|")
    for name, slope in slopes.items():
        cosine = torch.nn.functional.cosine_similarity(slope.flatten(), expected.flatten(), 0)
        print(f"| {name} | {1 - cosine:.1e} | {(slope - expected).abs().median() / rms:.1e} |")

    dreams = {name: dream(network, source) for name, network in there.items()}
    nudged = source * (1 + NUDGE)
    dreams["portable, source × (1 + 1e-7)"] = dream(there["portable"], nudged)
    print("\n| whole default dreams | dB |\n|---|---|")
    names = list(dreams)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            print(f"| {one} and {other} | {decibels(dreams[one], dreams[other]):.1f} |")


if __name__ == "__main__":
    main()
