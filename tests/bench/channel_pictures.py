"""Makes the thumbnails of channels, layers and kinds: what each answers to most, from noise.

python -m tests.bench.channel_pictures -o FOLDER [--network NAME] [--layer NAME]

Writes what is imagined into FOLDER, a file a layer, without loss; a second run goes on where the
first one ended. Then it packs the sheets of `thumbnails`. All 4008
channels take about 80 minutes of one core. Prints how many are specific, i.e. wake their own
channel at least three times as much as the median of the layer's others. The pictures are those of
`engine/imagine`, several at once, each for a channel of its own.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from dreamlayer.engine.image import resize
from dreamlayer.engine.imagine.adam import Adam
from dreamlayer.engine.imagine.imagine import MARGIN, NOISE, OVERRIDE_STEPS, RATE
from dreamlayer.engine.imagine.relu_override import ReluOverride
from dreamlayer.engine.imagine.spectrum import Spectrum
from dreamlayer.engine.imagine.transforms import ViewSampler
from dreamlayer.engine.objectives.binding import network_for
from dreamlayer.networks.graph.layers import traced_network
from dreamlayer.networks.graph.preprocessing import Preprocessing
from dreamlayer.networks.kinds import kinds, usual
from dreamlayer.networks.network import Network, extract
from dreamlayer.networks.registry import registry
from dreamlayer.thumbnails import sheets
from dreamlayer.thumbnails.sheets import ACROSS, SIDE, NetworkIndex
from dreamlink.recipe.recipe import Recipe
from tests.engine import looks

BATCH = 8  # pictures at once: with more their maps leave the cache
STEPS = 96
SIDES = (64, 128)  # px of what is imagined, at least and at most
FIELDS = 1.5  # of a cell's receptive field has the side of what is imagined for it
SPECIFIC = 3.0  # times the median of the other channels
QUALITY = 70  # of the WebP
GREY = 128


def batched(model: str, layer: str) -> nn.Module:
    """A network up to a layer that takes several pictures at once, which executors do not."""
    spec = registry.find(model)
    part = fuse(traced_network(model).up_to(registry.load(model), [layer]).eval())
    module = nn.Sequential(Preprocessing(spec.mean, spec.std), part).eval()
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def imagined(
    network: Network, module: nn.Module, channels: list[int], side: int, steps: int = STEPS
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
            (cells,) = module(view.contiguous(memory_format=torch.channels_last))
            active = cells[torch.arange(count), own].mean((1, 2))
            (grad,) = torch.autograd.grad((active / spreads).sum(), spectrum.coefficients)
        asleep = step < OVERRIDE_STEPS or not bool((active > 0).all())
        adam.climb(grad, RATE)
    with torch.no_grad():
        return spectrum.picture()[..., margin:-margin, margin:-margin].clamp(0, 1)


def gain(network: Network, picture: Tensor, channel: int) -> float:
    """How much a picture wakes its channel, as a multiple of the median of the layer's others."""
    usually = usual.find(network.name, network.layers[0])
    with torch.no_grad():
        scores = usually.deviations(network(picture[None])[0][0]).mean((1, 2))
    others = torch.cat([scores[:channel], scores[channel + 1 :]])
    return float(scores[channel]) / max(float(others.abs().median()), 1e-6)


def make_channels(model: str, layer: str, path: Path) -> None:
    """Imagine all channels of a layer and save them: `pixels` (C, SIDE, SIDE, 3) and `gains`."""
    network = extract(model, [layer])
    module = batched(model, layer)
    field = FIELDS * network.maps[0].receptive_field
    side = min(max(SIDES[0], 16 * round(field / 16)), SIDES[1])
    silent = usual.find(model, layer).silent.tolist()
    live = [number for number, off in enumerate(silent) if not off]
    pixels = np.full((len(silent), SIDE, SIDE, 3), GREY, np.uint8)
    gains = np.zeros(len(silent))
    began = time.perf_counter()
    for first in range(0, len(live), BATCH):
        channels = live[first : first + BATCH]
        pictures = imagined(network, module, channels, side)
        for channel, picture in zip(channels, pictures, strict=True):
            gains[channel] = gain(network, picture, channel)
            pixels[channel] = thumbnail(picture[None])
    seconds = time.perf_counter() - began
    save(path, pixels, gains)
    specific = int((gains >= SPECIFIC).sum())
    print(
        f"{model}/{layer}: {side} px, {len(live)} of {len(silent)} channels, {specific} specific"
        f" ({specific / len(live):.0%}); {seconds / len(live):.2f} s a channel",
        flush=True,
    )


def file_of(work: Path, model: str, name: str) -> Path:
    return work / f"{model}-{name}.npz"


def sheet_names(model: str) -> list[str]:
    """The sheets of a network: of its layers' channels, of whole layers, and of kinds."""
    return [*usual.layers(model), sheets.LAYERS, *([sheets.KINDS] if kinds.seen(model) else [])]


def make(model: str, name: str, path: Path) -> None:
    """Imagine what is in one sheet, and save it."""
    if name == sheets.LAYERS:
        make_wholes(model, usual.layers(model), path)
    elif name == sheets.KINDS:
        make_wholes(model, [expression(model, kind) for kind in kinds.seen(model).values()], path)
    else:
        make_channels(model, name, path)


def expression(model: str, kind: kinds.Kind) -> str:
    """What dreams a kind, also one that is only seen."""
    if kind.name in kinds.names(model):
        return f"kind:{kind.name}"
    return f"{kind.layer}:{','.join(map(str, kind.channels[0]))}"


def make_wholes(model: str, expressions: list[str], path: Path) -> None:
    """Imagine layers or kinds, by the expressions that dream them, and save them likewise."""
    pixels = np.zeros((len(expressions), SIDE, SIDE, 3), np.uint8)
    empty = torch.full((1, 3, SIDES[1], SIDES[1]), 0.5)
    for number, expression in enumerate(expressions):
        values = {"model": model, "layer": expression, "start": "noise", "steps": 8, "seed": 1}
        recipe = Recipe.of(values)
        dream = looks.run_dream(empty, network_for(recipe), recipe)
        assert dream.base is not None
        pixels[number] = thumbnail((dream.base + dream.detail).clamp(0, 1))
    save(path, pixels, np.full(len(expressions), SPECIFIC))
    print(f"{path.stem}: {len(expressions)}", flush=True)


def thumbnail(picture: Tensor) -> NDArray[np.uint8]:
    """A picture (1, 3, h, w) in 0..1, reduced."""
    small = resize.resize(picture, (SIDE, SIDE))[0].clamp(0, 1)
    return (small * 255).round().byte().permute(1, 2, 0).numpy()


def save(path: Path, pixels: NDArray[np.uint8], gains: NDArray[np.float64]) -> None:
    """Write a file, complete or not at all."""
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        np.savez_compressed(file, pixels=pixels, gains=gains)
    fresh.replace(path)


def pack(work: Path) -> None:
    """Write the sheets of what is there, and their index; prints what they weigh."""
    content: dict[str, NetworkIndex] = {}
    for model in usual.models():
        made = [name for name in sheet_names(model) if file_of(work, model, name).exists()]
        content[model] = {
            "layers": usual.layers(model) if sheets.LAYERS in made else [],
            "kinds": list(kinds.seen(model)) if sheets.KINDS in made else [],
            "channels": {},
        }
        for name in made:
            gains = sheet_of(work, model, name)
            if name in usual.layers(model):
                silent = usual.find(model, name).silent.numpy()
                content[model]["channels"][name] = {
                    "count": len(silent),
                    "silent": np.flatnonzero(silent).tolist(),
                    "vague": np.flatnonzero(~silent & (gains < SPECIFIC)).tolist(),
                }
    text = json.dumps(content, separators=(",", ":")).replace("},", "},\n")
    sheets.INDEX.write_text(text + "\n", "utf-8")
    weight = sum(path.stat().st_size for path in sheets.FOLDER.rglob("*.*"))
    print(f"{sheets.FOLDER}: {weight / 1e6:.2f} MB")


def sheet_of(work: Path, model: str, name: str) -> NDArray[np.float64]:
    """Write one sheet; returns the gains of its pictures."""
    made = np.load(file_of(work, model, name))
    pixels = made["pixels"]
    rows = -(-len(pixels) // ACROSS)
    grid = np.full((rows * ACROSS, SIDE, SIDE, 3), GREY, np.uint8)
    grid[: len(pixels)] = pixels
    grid = grid.reshape(rows, ACROSS, SIDE, SIDE, 3).swapaxes(1, 2)
    path = sheets.FOLDER / model / f"{name}.webp"
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = Image.fromarray(grid.reshape(rows * SIDE, ACROSS * SIDE, 3))
    sheet.save(path, quality=QUALITY, method=6)
    gains: NDArray[np.float64] = made["gains"]
    return gains


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--network", default="", choices=["", *usual.models()])
    parser.add_argument("--layer", default="", help="only this one, by its full name")
    arguments = parser.parse_args()
    work: Path = arguments.output
    work.mkdir(parents=True, exist_ok=True)
    for model in usual.models():
        for name in sheet_names(model):
            path = file_of(work, model, name)
            wanted = arguments.network in ("", model) and arguments.layer in ("", name)
            if wanted and not path.exists():
                make(model, name, path)
    pack(work)


if __name__ == "__main__":
    main()
