"""A network cut off behind its target layers."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from functools import cached_property
from math import lcm
from typing import cast

import torch
from torch import Tensor, nn

from dreamlayer.networks.executors.base import AutogradPass, Pass, cut_out
from dreamlayer.networks.executors.cuda.executor import Card
from dreamlayer.networks.executors.kernel.executor import Runner, Uncovered, Unusable, runner
from dreamlayer.networks.executors.tape.executor import Tape
from dreamlayer.networks.graph import layers as known
from dreamlayer.networks.graph.extract import CLASS, average_pooling
from dreamlayer.networks.graph.layers import LayerInfo, UnknownLayer, describe, resolve_layer
from dreamlayer.networks.graph.preprocessing import Preprocessing
from dreamlayer.networks.program.convolution import Box, make_reproducible
from dreamlayer.networks.program.lowering import program_of
from dreamlayer.networks.registry import registry

__all__ = ["CLASS", "LayerInfo", "Network", "UnknownLayer", "cut", "describe", "resolve_layer"]

ENGINE = "DREAMLAYER_ENGINE"  # environment: autograd, tape or kernel; else the best, to compare
NOISE_SIDE = 224  # px of the noise picture by which the maps' scales are told


class Network:
    """A network cut off behind some of its layers: nothing behind the last is held or run.

    It takes R, G, B in 0..1, sRGB-encoded; preprocessing is its first step. Weights are frozen, the
    network is in eval mode, and gradients flow to the picture only.

    Attributes:
        name: the network's.
        layers: their full names, in the order asked for; CLASS is the map behind which there is
            but the classifier.
        maps: the geometry of each layer's map.
        scales: of each map, the root of the mean square over a fixed noise picture (of the logits,
            for CLASS): layers weighted by its inverse count alike. > 0.
        stride: px, the coarsest of all maps.
        minimum: px, the smallest side of a square that gives each map a cell.
        local: whether all maps are, and every stride divides the coarsest: tiles are exact.
        device, dtype: where and in which numbers it computes.
    """

    def __init__(
        self, name: str, layers: Sequence[str], module: nn.Module, classifier: nn.Module | None
    ) -> None:
        self.name = name
        self.layers = tuple(layers)
        self.maps = tuple(known.geometry_of(name, layer) for layer in layers)
        self.stride = max(found.stride for found in self.maps)
        self.minimum = max(found.minimum for found in self.maps)
        self.local = all(found.local and self.stride % found.stride == 0 for found in self.maps)
        self.device = torch.device("cpu")
        self.dtype = torch.float32
        self.module = module
        self._classifier = classifier
        self._grids: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {}
        self.scales = self._measured_scales()

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return one map (1, C, h, w) a layer of the picture `x` (1, 3, H, W), R, G, B in 0..1.

        Torch can differentiate it; `run` and `look` are faster.
        """
        return self.module(x.contiguous(memory_format=torch.channels_last))  # type: ignore[no-any-return]

    def look(self, x: Tensor, wanted: Sequence[Box]) -> tuple[Tensor, ...]:
        """Return the wanted cells of each map of `x`, with no way back; the numbers are run's."""
        with torch.no_grad():
            engine = self._engine
            return (
                tuple(map(cut_out, self(x), wanted)) if engine is None else engine.look(x, wanted)
            )

    def run(self, x: Tensor, wanted: Sequence[Box] | None = None, keep: Box | None = None) -> Pass:
        """Return the maps of `x` with what it takes to pull a gradient back from them.

        Args:
            x: (1, 3, H, W), as for a call.
            wanted: the cells of each map that matter; all if not given.
            keep: the pixels whose gradient matters; all if not given.
        """
        engine = self._engine
        if engine is None:
            return AutogradPass(self, x, wanted, keep)
        return engine.run(x, wanted, keep)

    def grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """Return the number of cells (h, w) of each map of a picture, without computing it.

        ValueError if the picture is too small to give one.
        """
        size = (height, width)
        if size not in self._grids:
            self._grids[size] = tuple(self._grid(layer, *size) for layer in self.layers)
        return self._grids[size]

    def logits(self, last: Tensor) -> Tensor:
        """Return the logits (1, classes) that the whole CLASS map (1, C, h, w) gives.

        ValueError if the network was not cut behind CLASS.
        """
        if self._classifier is None:
            raise ValueError(f"{self.name} was cut without its classifier.")
        return cast(Tensor, self._classifier(last))

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Network:
        """Move the network to a device (and to another number format); returns itself."""
        self.device = torch.device(device)
        self.dtype = dtype or self.dtype
        for part in (self.module, self._classifier):
            if part is not None:
                part.to(self.device, self.dtype)
        self.__dict__.pop("_engine", None)  # it has weights of its own
        return self

    @property
    def engine(self) -> str:
        """What computes: "kernel", "card", "tape" or "autograd"."""
        names: dict[type, str] = {Runner: "kernel", Card: "card", Tape: "tape"}
        return names.get(type(self._engine), "autograd")

    @property
    def grain(self) -> int:
        """Crops that begin on multiples of it, in pixels, have the same numbers as the whole."""
        grain = self._engine.grain if isinstance(self._engine, Runner) else 1
        return lcm(self.stride, grain)

    def needs(
        self, axis: int, length: int, pixels: tuple[int, int]
    ) -> tuple[tuple[int, int], tuple[tuple[int, int], ...]] | None:
        """Return what the gradient at some pixels of an axis depends on, to the last bit.

        The pixels of the picture, `length` of which there are, and the cells of each map, where
        that is more than what cells see: the engine rounds several cells together.
        """
        engine = self._engine
        return engine.needs(axis, length, pixels) if isinstance(engine, Runner) else None

    def sees(
        self, axis: int, length: int, cells: Sequence[tuple[int, int]]
    ) -> tuple[int, int] | None:
        """Return the pixels on which some cells of each map depend, if more than they see."""
        engine = self._engine
        return engine.sees(axis, length, cells) if isinstance(engine, Runner) else None

    @cached_property
    def _engine(self) -> Runner | Card | Tape | None:
        """What runs the network by hand, if it is made of steps that are known."""
        wanted = os.environ.get(ENGINE, "")
        program = program_of(self.module) if wanted != "autograd" else None
        if program is None:
            return None
        if wanted != "tape" and self.device.type in {"cuda", "mps"}:
            return Card(program, self.device)
        if wanted != "tape" and self.device.type == "cpu" and self.dtype == torch.float32:
            with contextlib.suppress(Unusable, Uncovered):
                return runner(program)
        return Tape(program)

    def _grid(self, layer: str, height: int, width: int) -> tuple[int, int]:
        found = known.cells(self.name, layer, height, width)
        if min(found) < 1:
            least = known.geometry_of(self.name, layer).minimum
            raise ValueError(
                f"A picture of {width} × {height} pixels is too small for {layer} of {self.name}:"
                f" it needs {least} pixels on each side."
            )
        return found

    def _measured_scales(self) -> tuple[float, ...]:
        side = max(NOISE_SIDE, self.minimum)
        noise = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            found = [
                self.logits(cells) if layer == CLASS else cells
                for layer, cells in zip(self.layers, self(noise), strict=True)
            ]
            return tuple(float(values.square().mean().sqrt()) or 1.0 for values in found)


def cut(
    model_name: str,
    layers: Sequence[str],
    device: torch.device | str = "cpu",
    pooling: str = "max",
) -> Network:
    """Load a network and cut it off behind `layers` (names or numbers, see resolve_layer).

    Args:
        model_name: see registry.
        layers: at least one; CLASS is the map behind which there is but the classifier.
        device: where it shall compute.
        pooling: "max" as it was trained, or "average" of the same windows.

    Raises registry.UnknownModel, UnknownLayer, registry.MissingWeights.
    """
    names = [resolve_layer(model_name, layer) for layer in layers]
    whole, anatomy = registry.load(model_name), known.anatomy(model_name)
    part = anatomy.upto(whole, names)
    classifier = anatomy.behind(whole) if CLASS in names else None
    for module in [part, *([classifier] if classifier else [])]:
        if pooling == "average":
            average_pooling(module)
        make_reproducible(module)
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    spec = registry.find(model_name)
    prepared = nn.Sequential(Preprocessing(spec.mean, spec.std), part).eval()
    return Network(model_name, names, prepared, classifier).to(device)
