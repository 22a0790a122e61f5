"""A network extracted up to some target layers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from math import lcm
from typing import cast

import torch
from torch import Tensor, nn

from dreamlayer.networks.executors.autograd import forward_bytes_per_pixel
from dreamlayer.networks.executors.base import Executor, Pass
from dreamlayer.networks.executors.choose import choose, release_memory, release_others
from dreamlayer.networks.graph import layers as layer_table
from dreamlayer.networks.graph.extract import CLASS, average_pooling
from dreamlayer.networks.graph.layers import LayerInfo, UnknownLayer, describe, resolve_layer
from dreamlayer.networks.graph.preprocessing import Preprocessing
from dreamlayer.networks.program.convolution import Box, Pair, make_reproducible
from dreamlayer.networks.registry import registry
from dreamlayer.runtime import interruption
from dreamlayer.runtime.devices import memory
from dreamlayer.runtime.devices.device import Device, tensors_on
from dreamlayer.runtime.torch_threads import one_thread

__all__ = [
    "CLASS",
    "LayerInfo",
    "Network",
    "UnknownLayer",
    "describe",
    "extract",
    "release_memory",
    "resolve_layer",
]

NOISE_SIDE = 224  # px of the noise picture over which the scales of the maps are measured


class Network:
    """A network up to some of its layers; nothing behind the last of them is held or run.

    It takes R, G, B in 0..1, sRGB-encoded; preprocessing is its first step. Weights are frozen, the
    network is in eval mode, and gradients flow to the picture only.

    Attributes:
        name: the network's, as in the registry.
        layers: their full names, in the requested order; CLASS is the last spatial map, behind
            which there is only the classifier.
        maps: the geometry of each layer's map.
        scales: the root mean square of each map over a fixed noise picture (of the logits, for
            CLASS), > 0: layers weighted by its inverse contribute about equally.
        stride: px, the coarsest of all maps.
        minimum: px, the side of the smallest square for which every map has a cell.
        local: whether all maps are local, and every stride divides the coarsest: tiles are exact.
        device, dtype: where its pictures and maps are, and their number format.
    """

    def __init__(
        self, name: str, layers: Sequence[str], module: nn.Module, classifier: nn.Module | None
    ) -> None:
        self.name = name
        self.layers = tuple(layers)
        self.maps = tuple(layer_table.geometry_of(name, layer) for layer in layers)
        self.stride = max(geometry.stride for geometry in self.maps)
        self.minimum = max(geometry.minimum for geometry in self.maps)
        self.local = all(
            geometry.local and self.stride % geometry.stride == 0 for geometry in self.maps
        )
        self.device = torch.device("cpu")
        self._target: Device = self.device
        self.dtype = torch.float32
        self.module = module
        self._classifier = classifier
        self._grids: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {}
        self.scales = self._measured_scales()

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return one map (1, C, h, w) a layer of the picture `x` (1, 3, H, W), R, G, B in 0..1.

        Torch can differentiate it; `run` and `infer` are faster.
        """
        with interruption.between_operations(x.shape[-2] * x.shape[-1]):
            return self.module(x.contiguous(memory_format=torch.channels_last))  # type: ignore[no-any-return]

    def infer(self, x: Tensor, outputs: Sequence[Box]) -> tuple[Tensor, ...]:
        """Return the cells `outputs` of each map of `x` without gradient; same numbers as run."""
        return self._executor.infer(x, outputs)

    def run(
        self, x: Tensor, outputs: Sequence[Box] | None = None, inputs_kept: Box | None = None
    ) -> Pass:
        """Return the maps of `x` with the state that their gradient needs.

        Args:
            x: (1, 3, H, W), as for a call.
            outputs: the cells of each map to return; None: all.
            inputs_kept: the pixels whose gradient `Pass.backward` returns; None: all.
        """
        return self._executor.run(x, outputs, inputs_kept)

    def grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """Return the number of cells (h, w) of each map of a picture, without computing the map.

        ValueError if the picture is too small for a cell.
        """
        size = (height, width)
        if size not in self._grids:
            self._grids[size] = tuple(self._grid(layer, *size) for layer in self.layers)
        return self._grids[size]

    def logits(self, last: Tensor) -> Tensor:
        """Return the logits (1, classes) for the whole CLASS map (1, C, h, w).

        ValueError if the network was extracted without CLASS.
        """
        if self._classifier is None:
            raise ValueError(f"{self.name} was extracted without its classifier.")
        return cast(Tensor, self._classifier(last))

    def to(self, device: Device | str, dtype: torch.dtype | None = None) -> Network:
        """Move the network to a device (and to another number format); returns itself."""
        self._target = torch.device(device) if isinstance(device, str) else device
        self.device = tensors_on(self._target)
        self.dtype = dtype or self.dtype
        for part in (self.module, self._classifier):
            if part is not None:
                part.to(self.device, self.dtype)
        self.__dict__.pop("_executor", None)  # it may hold copies of the weights
        return self

    def run_step(self, key: Hashable, work: Callable[[], None], pixels: int) -> None:
        """Do a whole step of a dream, which runs this network within; see Executor.run_step."""
        self._executor.run_step(key, work, pixels)

    def forget_steps(self) -> None:
        """Drop what `run_step` recorded."""
        self._executor.forget_steps()

    def make_room(self) -> None:
        """Drop what other networks hold on a card for later passes; before a dream's plan."""
        release_others(self._executor)
        memory.limit(self.device)

    def largest_area(self) -> float:
        """The pixels that a crop may have; see Executor.largest_area."""
        return self._executor.largest_area()

    @property
    def executor_name(self) -> str:
        """The executor that runs it: "kernel", "gpu", "onnx", "tape" or "autograd"."""
        return self._executor.name

    @property
    def runs_on(self) -> Device:
        """The device that computes it: the CPU where a card can't run the network."""
        return self._target if self._executor.on_card else self.device

    @property
    def grain(self) -> int:
        """px: crops that begin on multiples of it have the same numbers as the whole picture."""
        return lcm(self.stride, self._executor.grain)

    @property
    def bytes_per_pixel(self) -> float:
        """The bytes that a pass takes for each pixel of its crop, without the picture itself."""
        return self._executor.bytes_per_pixel

    @property
    def forward_bytes_per_pixel(self) -> float:
        """The bytes that a call without a gradient takes for each pixel."""
        return forward_bytes_per_pixel(self.module)

    def gradient_dependencies(
        self, axis: int, length: int, pixels: Pair
    ) -> tuple[Pair, tuple[Pair, ...]] | None:
        """Return what the gradient at some pixels depends on, to the last bit.

        None if it is exactly the receptive fields; see Executor.gradient_dependencies.
        """
        return self._executor.gradient_dependencies(axis, length, pixels)

    def pixel_dependencies(self, axis: int, length: int, cells: Sequence[Pair]) -> Pair | None:
        """Return the pixels on which some cells of each map depend, to the last bit.

        None if it is exactly the receptive fields; see Executor.pixel_dependencies.
        """
        return self._executor.pixel_dependencies(axis, length, cells)

    @cached_property
    def _executor(self) -> Executor:
        return choose(self.module, self._target, self.dtype)

    def _grid(self, layer: str, height: int, width: int) -> tuple[int, int]:
        grid = layer_table.cells(self.name, layer, height, width)
        if min(grid) < 1:
            least = layer_table.geometry_of(self.name, layer).minimum
            raise ValueError(
                f"A picture of {width} × {height} pixels is too small for {layer} of {self.name}:"
                f" it needs {least} pixels on each side."
            )
        return grid

    def _measured_scales(self) -> tuple[float, ...]:
        """In one thread: the order of torch's sums depends on the number of its threads."""
        side = max(NOISE_SIDE, self.minimum)
        noise = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
        with torch.no_grad(), one_thread():
            activations = [
                self.logits(cells) if layer == CLASS else cells
                for layer, cells in zip(self.layers, self(noise), strict=True)
            ]
            return tuple(float(values.square().mean().sqrt()) or 1.0 for values in activations)


def extract(
    model_name: str,
    layers: Sequence[str],
    device: Device | str = "cpu",
    pooling: str = "max",
) -> Network:
    """Load a network and keep the part up to `layers` (names or numbers, see resolve_layer).

    Args:
        model_name: see registry.
        layers: at least one; CLASS is the last spatial map, in front of the classifier.
        device: where it computes.
        pooling: "max" as the network was trained, or "average" of the same windows.

    Raises registry.UnknownModel, UnknownLayer, registry.MissingWeights.
    """
    names = [resolve_layer(model_name, layer) for layer in layers]
    interruption.check()
    whole, traced_network = registry.load(model_name), layer_table.traced_network(model_name)
    interruption.check()
    part = traced_network.up_to(whole, names)
    classifier = traced_network.classifier(whole) if CLASS in names else None
    for module in [part, *([classifier] if classifier else [])]:
        if pooling == "average":
            average_pooling(module)
        make_reproducible(module)
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    spec = registry.find(model_name)
    prepared = nn.Sequential(Preprocessing(spec.mean, spec.std), part).eval()
    return Network(model_name, names, prepared, classifier).to(device)
