"""Gradient steps of ours and of the plain loop of 2015, interleaved.

*Ours* is a whole step of a dream as users get it: roll, apron, exact tiles with their halo,
conditioning, one norm. *Plain* is `tests/engine/plain.py`: the picture in naive tiles of 512, each
without its surroundings; eager autograd through the network cut off behind the layer ("truncated"),
no gradients of weights, tensors in torch's default order (contiguous NCHW), all cores in each
operator. A step costs it no more pixels than the picture has; ours computes the halo, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dreamlayer.engine import octaves, workers
from dreamlayer.engine.binding import bind
from dreamlayer.engine.dream import dream
from dreamlayer.engine.tiles import whole
from dreamlayer.models import layers as known
from dreamlayer.models import shelf, zoo
from dreamlayer.models.network import Network, cut
from dreamlayer.models.preprocessing import Preprocessing
from dreamlink.recipe import Recipe
from tests.bench.speeds.machine import Spent, measured
from tests.engine.looks import photo
from tests.engine.plain import plain_dream
from tests.models.random_states import random_state

PLAIN_TILE = 512  # px
PATHS = {"tape": "portable", "kernel": "kernel"}  # of ours, and how they are called here
CHOICE = "DREAMLAYER_ENGINE"


@dataclass(frozen=True)
class Target:
    """A network and the layer that is dreamed of."""

    title: str
    model: str
    layer: str

    @property
    def recipe(self) -> Recipe:
        return Recipe(model=self.model, layer=self.layer, octaves=1, steps=1, seed=7)


VGG = Target("VGG16@25", "vgg16", "features.25")
TARGETS = (
    VGG,
    Target("GoogLeNet 4c", "googlenet", "inception4c"),
    Target("SqueezeNet@10", "squeezenet1_1", "features.10"),
    Target("SqueezeNet@12", "squeezenet1_1", "features.12"),
)


def make_weights(folder: Path) -> None:
    """Random weights for the networks whose trained ones can't be expected here."""
    shelf.keep_in(folder)
    folder.mkdir(exist_ok=True)
    for name in ("vgg16", "googlenet"):
        spec = zoo.find(name)
        save_file(random_state(spec.arch, spec.classes), folder / f"{name}.safetensors")


class PlainNetwork:
    """A cut network as anybody would write it: no kept order of sums, no channels_last."""

    def __init__(self, target: Target) -> None:
        names = [known.resolve_layer(target.model, target.layer)]
        whole_network = zoo.load(target.model)
        part = known.anatomy(target.model).upto(whole_network, names)
        spec = zoo.find(target.model)
        self._module = nn.Sequential(Preprocessing(spec.mean, spec.std), part).eval()
        self._module.requires_grad_(False)
        self.minimum = known.geometry_of(target.model, names[0]).minimum

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        return self._module(x.contiguous())  # type: ignore[no-any-return]

    def gflop(self, side: int = 224) -> float:
        """GFLOP of a megapixel-step: forward, and backward to the picture."""
        x = torch.zeros(1, 3, side, side, requires_grad=True)
        with FlopCounterMode(display=False) as counter:
            self(x)[0].square().mean().backward()
        return float(counter.get_total_flops()) / side**2 / 1e3


def picture(megapixels: float, ratio: float = 1.5) -> Tensor:
    """A photo of that size, (1, 3, h, w)."""
    height = round((megapixels * 1e6 / ratio) ** 0.5)
    return octaves.resize(photo("chelsea.png").float(), (height, round(height * ratio))).clamp(0, 1)


@contextmanager
def engine(path: str) -> Iterator[None]:
    """Have networks cut for a path of ours."""
    before = os.environ.get(CHOICE)
    os.environ[CHOICE] = path
    try:
        yield
    finally:
        os.environ.pop(CHOICE)
        if before is not None:
            os.environ[CHOICE] = before


def ours(target: Target, path: str, device: str = "cpu") -> Network | None:
    """The network of a path; None if this path is not to be had here."""
    with engine(path):
        try:
            network = cut(target.model, [target.layer], device)
            return network if network.engine.startswith(path) else None
        except (RuntimeError, ValueError, OSError):
            return None


def run(source: Tensor, network: Network, recipe: Recipe) -> Tensor:
    """A dream of ours on a whole picture; returns its detail."""
    steps = dream(source, network, recipe, whole(source.shape[-2], source.shape[-1]))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            detail: Tensor = end.value.detail
            return detail


@dataclass(frozen=True)
class Runners:
    """Everything that dreams on one target: name → (source, recipe) → dream."""

    target: Target
    gflop: float
    of: dict[str, Callable[[Tensor, Recipe], object]]
    missing: tuple[str, ...]


def runners(target: Target) -> Runners:
    """The plain loop, and every path of ours that is there."""
    plain = PlainNetwork(target)
    of: dict[str, Callable[[Tensor, Recipe], object]] = {}
    missing = []
    objective = bind(target.recipe.expression(), cut(target.model, [target.layer]), None)
    of["plain"] = lambda source, recipe: plain_dream(source, plain, objective, recipe, PLAIN_TILE)
    for path, name in PATHS.items():
        network = ours(target, path)
        if network is None:
            missing.append(name)
            continue
        of[name] = lambda source, recipe, network=network: run(source, network, recipe)  # type: ignore[misc]
    return Runners(target, plain.gflop(), of, tuple(missing))


def compare(
    these: Runners, megapixels: float, times: int, warm: bool, recipe: Recipe | None = None
) -> list[dict[str, Any]]:
    """A row for each runner: medians, per megapixel-step, of interleaved runs."""
    source = picture(megapixels)
    recipe = recipe or these.target.recipe
    spent: dict[str, list[Spent]] = {name: [] for name in these.of}
    for time in range(times + warm):
        for name, work in these.of.items():
            took = measured(lambda work=work: work(source, recipe))  # type: ignore[misc]
            if time >= warm:
                spent[name].append(took)
    work_done = source.shape[-2] * source.shape[-1] * recipe.steps / 1e6
    return [_row(these, name, megapixels, work_done, spent) for name in these.of]


def _row(
    these: Runners, name: str, megapixels: float, work: float, spent: dict[str, list[Spent]]
) -> dict[str, Any]:
    pairs = list(zip(spent[name], spent["plain"], strict=True))
    memory = [found.memory for found in spent[name] if found.memory is not None]
    return {
        "target": these.target.title,
        "runner": name,
        "megapixels": megapixels,
        "seconds": median(found.wall for found in spent[name]) / work,
        "core_seconds": median(found.cores for found in spent[name]) / work,
        "ratio": median(ours.wall / plain.wall for ours, plain in pairs),
        "core_ratio": median(ours.cores / plain.cores for ours, plain in pairs),
        "memory": max(memory, default=None),
        "gflop": these.gflop,
    }


def scaling(target: Target, megapixels: float, cores: int, times: int) -> list[dict[str, Any]]:
    """Rows of one target with one core, two, four … all of them."""
    counts = sorted({*(2**n for n in range(cores.bit_length()) if 2**n <= cores), cores})
    these, rows = runners(target), []
    for count in counts:
        with threads(count):
            found = compare(these, megapixels, times, True)
        rows += [{**row, "cores": count} for row in found]
    return rows


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch, and our workers, use so many cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    workers.shared.limit(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        workers.shared.limit(0)
