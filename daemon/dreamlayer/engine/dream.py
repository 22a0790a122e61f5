"""The octave loop of "Inceptionism" (Mordvintsev, Olah, Tyka, 2015), with detail re-injection.

Source of the algorithm: the authors' notebook (google/deepdream, dream.ipynb). The detail that the
network has added so far is carried from one octave to the next; the picture under it is always
resized from the source itself, so it stays as sharp as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from dreamlayer.engine import octaves
from dreamlayer.engine.ascent import Ascent
from dreamlayer.engine.gradient import Cut
from dreamlayer.engine.objectives import objective
from dreamlayer.engine.tiles import Window, scaled
from dreamlink.recipe import Recipe

AUTOMATIC_SIDE = 1024  # px; the share of the halo is small, and memory stays below a gigabyte


class TooSmall(ValueError):
    """The picture has no place for a single cell of the layer."""


class Dreamer(Cut, Protocol):
    """What the loop needs to know of a network besides its gradient."""

    name: str
    layer: str
    channels: int
    minimum: int


@dataclass(frozen=True)
class Progress:
    """Where a dream is; octaves and steps count from 1.

    `picture` gives what has been dreamed so far in the window: (1, 3, h, w) at the octave's size.
    """

    fraction: float
    octave: int
    octaves: int
    step: int
    steps: int
    picture: Callable[[], Tensor]


@dataclass(frozen=True)
class Dreamt:
    """A finished dream: `detail` (1, 3, h, w), what was added to the window, in picture units."""

    detail: Tensor
    megapixel_steps: float


def dream(
    source: Tensor, network: Dreamer, recipe: Recipe, window: Window
) -> Generator[Progress, None, Dreamt]:
    """Dream into a picture.

    Args:
        source: (1, 3, H, W), R, G, B in 0..1, sRGB-encoded, on the network's device.
        network: cut off behind the recipe's layer.
        recipe: with a seed; the same seed on the same device gives the same detail.
        window: the part to dream in; what lies around it is seen but not changed.

    Yields:
        Progress after every tile; closing the generator there stops the dream.

    Raises:
        TooSmall, ValueError: with a sentence for the user.
    """
    size = (source.shape[-2], source.shape[-1])
    _check_size(size, network)
    target = objective(recipe.channel_numbers())
    target.check(network.channels, network.layer)
    random = torch.Generator().manual_seed(recipe.seed)
    ascent = Ascent(network, target, recipe, recipe.tile or AUTOMATIC_SIDE, random)

    sizes = octaves.sizes(*size, recipe.octaves, recipe.octave_scale, network.minimum)
    windows = [scaled(window, size, octave_size) for octave_size in sizes]
    work = sum(w.area for w in windows) * recipe.steps
    done = 0

    detail = torch.zeros_like(source[..., :1, :1])
    for octave, (octave_size, inside) in enumerate(zip(sizes, windows, strict=True), start=1):
        base = octaves.resize(source, octave_size)
        if base is not source:
            base.clamp_(0.0, 1.0)  # bicubic overshoots
        x = (base + octaves.resize(detail, octave_size)).clamp_(0.0, 1.0)
        del detail  # it is as large as the picture
        for step in range(1, recipe.steps + 1):
            for part in ascent.step(x, inside):
                fraction = (done + part * inside.area) / work
                yield Progress(
                    fraction, octave, len(sizes), step, recipe.steps, _picture(x, inside)
                )
            done += inside.area
        detail = x - base
    return Dreamt(_cut_out(detail, window), work * ascent.samples / 1e6)


def _check_size(size: tuple[int, int], network: Dreamer) -> None:
    if min(size) < network.minimum:
        raise TooSmall(
            f"{size[1]} × {size[0]} pixels are too few for {network.layer} of {network.name}:"
            f" it needs {network.minimum} on each side. Choose an earlier layer or a larger area."
        )


def _picture(x: Tensor, window: Window) -> Callable[[], Tensor]:
    return lambda: _cut_out(x, window)


def _cut_out(picture: Tensor, window: Window) -> Tensor:
    return picture[..., window.rows.slice(), window.columns.slice()]
