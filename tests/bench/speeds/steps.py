"""Gradient steps of ours and of the plain loop of 2015, interleaved.

*Ours* is a whole step of a dream as users get it: roll, apron, exact tiles with their halo,
conditioning, one norm. *Plain* is `tests/engine/plain.py`: the picture in naive tiles of 512, each
without its surroundings; eager autograd through the network cut off behind the layer ("truncated"),
no gradients of weights, tensors in torch's default order (contiguous NCHW), all cores in each
operator. A step costs it no more pixels than the picture has; ours computes the halo, too.

Each runs in a process of its own (`runner.py`), ours with the settings that the daemon gives torch,
plain with torch's own: threads of one that wait by spinning would cost the other time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dreamlayer.engine.dream import dream
from dreamlayer.engine.image import resize
from dreamlayer.geometry import Window
from dreamlayer.networks.graph import layers as known
from dreamlayer.networks.graph.preprocessing import Preprocessing
from dreamlayer.networks.network import Network, extract
from dreamlayer.networks.registry import registry, user_store
from dreamlayer.networks.registry.catalogue import EMBEDDED
from dreamlink.recipe.recipe import Recipe
from tests.bench.speeds.measuring import Spent
from tests.bench.speeds.runner import Missing, Runner
from tests.engine.looks import photo
from tests.networks.random_states import random_state

PLAIN_TILE = 512  # px
RATIO = 1.5  # of a picture's sides
PATHS = {"tape": "portable", "kernel": "kernel"}  # of ours, and how they are called here
CHOICE = "DREAMLAYER_ENGINE"


@dataclass(frozen=True)
class Target:
    """A network and the layer that is dreamed of."""

    title: str
    model: str
    layer: str
    steps: int = 10  # of each dream, as by default: so what is done but once weighs as for a user

    @property
    def recipe(self) -> Recipe:
        return Recipe(model=self.model, layer=self.layer, octaves=1, steps=1, seed=7)


VGG = Target("VGG16@25", "vgg16", "features.25", 3)  # there a step takes long enough
TARGETS = (
    VGG,
    Target("GoogLeNet 4c", "googlenet", "inception4c"),
    Target("SqueezeNet@10", "squeezenet1_1", "features.10"),
    Target("SqueezeNet@12", "squeezenet1_1", "features.12"),
)
ON_REQUEST = (  # measured if they are asked for by their titles
    Target("MobileNet-v2@13", "mobilenet_v2", "features.13"),
    *(
        Target(f"EfficientNet-Lite0@{block}", "efficientnet-lite0", f"{block}")
        for block in (9, 12, 14)
    ),
)


def titled(beginning: str) -> tuple[Target, ...]:
    """The targets whose titles begin like this; the usual ones if it is empty."""
    every = (*TARGETS, *ON_REQUEST) if beginning else TARGETS
    return tuple(target for target in every if target.title.startswith(beginning))


def make_weights(folder: Path, targets: Iterable[Target]) -> None:
    """Random weights for the networks whose trained ones can't be expected here."""
    user_store.keep_in(folder)
    folder.mkdir(exist_ok=True)
    for name in {"vgg16", "googlenet", *(target.model for target in targets)}:
        spec = registry.find(name)
        if spec.weights != EMBEDDED:
            save_file(random_state(spec.arch, spec.classes), folder / f"{name}.safetensors")


class PlainNetwork:
    """A cut network as anybody would write it: no kept order of sums, no channels_last."""

    def __init__(self, target: Target) -> None:
        names = [known.resolve_layer(target.model, target.layer)]
        whole_network = registry.load(target.model)
        part = known.traced_network(target.model).up_to(whole_network, names)
        spec = registry.find(target.model)
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


def size(megapixels: float, ratio: float = RATIO) -> tuple[int, int]:
    """Height and width."""
    height = round((megapixels * 1e6 / ratio) ** 0.5)
    return height, round(height * ratio)


def picture(megapixels: float, ratio: float = RATIO) -> Tensor:
    """A photo of that size, (1, 3, h, w)."""
    return resize.resize(photo("chelsea.png").float(), size(megapixels, ratio)).clamp(0, 1)


def ours(target: Target, path: str, device: str = "cpu") -> Network | None:
    """The network of a path; None if this path is not available here.

    To be called once in a process: the path holds for all networks that it cuts.
    """
    os.environ[CHOICE] = path
    try:
        network = extract(target.model, [target.layer], device)
        return network if network.executor_name.startswith(path) else None
    except (RuntimeError, ValueError, OSError):
        return None


def run(source: Tensor, network: Network, recipe: Recipe) -> Tensor:
    """A dream of ours on a whole picture; returns its detail."""
    steps = dream(source, network, recipe, Window.whole(source.shape[-2], source.shape[-1]))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            detail: Tensor = end.value.detail
            return detail


@dataclass(frozen=True)
class Runners:
    """Everything that dreams on one target."""

    target: Target
    gflop: float
    of: dict[str, Runner]
    missing: tuple[str, ...]


@contextmanager
def runners(target: Target, weights: Path) -> Iterator[Runners]:
    """The plain loop, and every available path of ours."""
    with ExitStack() as stack:
        of, missing = {}, []
        for name in ("plain", *PATHS.values()):
            try:
                of[name] = stack.enter_context(Runner(name, target.title, weights))
            except Missing:
                missing.append(name)
        yield Runners(target, PlainNetwork(target).gflop(), of, tuple(missing))


def compare(these: Runners, megapixels: float, times: int, cores: int = 0) -> list[dict[str, Any]]:
    """A row for each runner: medians, per megapixel-step, of interleaved runs.

    A first run, with no memory left from before, measures the memory and warms up.
    """
    recipe = {**these.target.recipe.to_dict(), "steps": these.target.steps}
    first = {
        name: runner.dream(recipe, megapixels, cores=cores) for name, runner in these.of.items()
    }
    spent: dict[str, list[Spent]] = {name: [] for name in these.of}
    for _ in range(times):
        for name, runner in these.of.items():
            spent[name].append(runner.dream(recipe, megapixels, cores=cores, fresh=False))
    height, width = size(megapixels)
    work = height * width * these.target.steps / 1e6
    return [_row(these, name, megapixels, work, spent, first[name].memory) for name in these.of]


def _row(
    these: Runners,
    name: str,
    megapixels: float,
    work: float,
    spent: dict[str, list[Spent]],
    memory: float | None,
) -> dict[str, Any]:
    pairs = list(zip(spent[name], spent["plain"], strict=True))
    return {
        "target": these.target.title,
        "runner": name,
        "megapixels": megapixels,
        "seconds": median(cost.wall for cost in spent[name]) / work,
        "core_seconds": median(cost.cores for cost in spent[name]) / work,
        "ratio": median(ours.wall / plain.wall for ours, plain in pairs),
        "core_ratio": median(ours.cores / plain.cores for ours, plain in pairs),
        "memory": memory,
        "gflop": these.gflop,
    }


def scaling(
    target: Target, weights: Path, megapixels: float, cores: int, times: int
) -> list[dict[str, Any]]:
    """Rows of one target with one core, two, four … all of them."""
    counts = sorted({*(2**n for n in range(cores.bit_length()) if 2**n <= cores), cores})
    rows = []
    with runners(target, weights) as these:
        for count in counts:
            compared = compare(these, megapixels, times, count)
            rows += [{**row, "cores": count} for row in compared]
    return rows
