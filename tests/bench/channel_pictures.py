"""Makes thumbnails of channels: for each, the picture from noise that it answers to most.

python -m tests.bench.channel_pictures MODEL LAYER -o FOLDER [--channels N] [--steps N] [--side PX]

Writes one sheet a layer, `MODEL-LAYER.webp`: square thumbnails in the order of the channels, 32 a
row; a channel that is silent in photos is an even grey. Prints how many are specific, i.e. their
own channel is at least three times as far above usual as the median of the layer's others, and what
it cost. The pictures are those of `engine/imagine`, many at once, each for a channel of its own.
"""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from dreamlayer.engine.image import resize
from dreamlayer.engine.imagine.adam import Adam
from dreamlayer.engine.imagine.imagine import MARGIN, NOISE, OVERRIDE_STEPS, RATE
from dreamlayer.engine.imagine.relu_override import ReluOverride
from dreamlayer.engine.imagine.spectrum import Spectrum
from dreamlayer.engine.imagine.transforms import ViewSampler
from dreamlayer.networks.graph.layers import traced_network
from dreamlayer.networks.graph.preprocessing import Preprocessing
from dreamlayer.networks.kinds import usual
from dreamlayer.networks.network import Network, extract
from dreamlayer.networks.registry import registry

BATCH = 16  # pictures at once
THUMBNAIL = 48  # px
ACROSS = 32  # thumbnails in a row
SPECIFIC = 3.0  # times the median of the other channels
QUALITY = 70  # of the WebP


def batched(model: str, layer: str) -> nn.Module:
    """A network up to a layer that takes several pictures at once, which executors do not."""
    spec = registry.find(model)
    part = traced_network(model).up_to(registry.load(model), [layer])
    return nn.Sequential(Preprocessing(spec.mean, spec.std), part).eval()


def pictures(
    network: Network, module: nn.Module, channels: list[int], side: int, steps: int
) -> Tensor:
    """A picture for each channel: (n, 3, side, side) in 0..1."""
    random = torch.Generator().manual_seed(channels[0])
    margin = round(side * MARGIN)
    outer = side + 2 * margin
    spectra = [Spectrum((outer, outer), random, network.device) for _ in channels]
    spectrum, count = spectra[0], len(channels)
    waves = torch.cat([one.coefficients.detach() for one in spectra])
    spectrum.coefficients = waves.requires_grad_(True)
    camera, adam = ViewSampler((side, side), (margin, margin), False, random), Adam(waves)
    own = torch.tensor(channels)
    spreads = usual.find(network.name, network.layers[0]).spreads[own]
    asleep = True
    for step in range(steps):
        noise = NOISE[0] + (NOISE[1] - NOISE[0]) * step / steps
        # A channel that no noise wakes has no gradient: then one passes through closed ReLUs.
        with torch.enable_grad(), ReluOverride() if asleep else nullcontext():
            flat = spectrum.picture().reshape(1, 3 * count, outer, outer)  # one view for all
            view = camera.view(flat, noise).reshape(count, 3, side, side)
            (cells,) = module(view)
            active = cells[torch.arange(count), own].mean((1, 2))
            value = (active / spreads).sum()
            (grad,) = torch.autograd.grad(value, spectrum.coefficients)
        asleep = step < OVERRIDE_STEPS or not bool((active > 0).all())
        adam.climb(grad, RATE)
    with torch.no_grad():
        return spectrum.picture()[..., margin:-margin, margin:-margin].clamp(0, 1)


def is_specific(network: Network, picture: Tensor, channel: int) -> bool:
    """Whether a picture is one of its channel, rather than of the layer."""
    usually = usual.find(network.name, network.layers[0])
    with torch.no_grad():
        scores = usually.deviations(network(picture[None])[0][0]).mean((1, 2))
    others = torch.cat([scores[:channel], scores[channel + 1 :]])
    return float(scores[channel]) >= SPECIFIC * max(float(others.abs().median()), 1e-6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=usual.models())
    parser.add_argument("layer")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--channels", type=int, default=0, help="only the first so many; 0: all")
    parser.add_argument("--steps", type=int, default=96)
    parser.add_argument("--side", type=int, default=128, help="px at which they are imagined")
    arguments = parser.parse_args()
    network = extract(arguments.model, [arguments.layer])
    layer = network.layers[0]
    module = batched(arguments.model, layer)
    silent = usual.find(arguments.model, layer).silent.tolist()
    count = min(arguments.channels or len(silent), len(silent))
    live = [number for number in range(count) if not silent[number]]
    rows = -(-count // ACROSS)
    sheet = Image.new("RGB", (min(ACROSS, count) * THUMBNAIL, rows * THUMBNAIL), (128, 128, 128))
    specific, began = 0, time.perf_counter()
    for first in range(0, len(live), BATCH):
        channels = live[first : first + BATCH]
        made = pictures(network, module, channels, arguments.side, arguments.steps)
        for channel, picture in zip(channels, made, strict=True):
            specific += is_specific(network, picture, channel)
            small = resize.resize(picture[None], (THUMBNAIL, THUMBNAIL))[0].clamp(0, 1)
            pixels = (small * 255).round().byte().permute(1, 2, 0).numpy()
            place = (channel % ACROSS * THUMBNAIL, channel // ACROSS * THUMBNAIL)
            sheet.paste(Image.fromarray(pixels), place)
    seconds = time.perf_counter() - began
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / f"{arguments.model}-{layer}.webp"
    sheet.save(path, quality=QUALITY, method=6)
    print(
        f"{path.name}: {len(live)} of {count} channels, {specific} specific"
        f" ({specific / max(1, len(live)):.0%}); {seconds / max(1, len(live)):.2f} s a channel;"
        f" {path.stat().st_size / 1000:.0f} kB"
    )


if __name__ == "__main__":
    main()
