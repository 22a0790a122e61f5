"""A network cut off behind its target layers, and the list of layers there are to choose from."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

import torch
from torch import Tensor, nn

from dreamlayer.models import geometry, zoo
from dreamlayer.models.anatomy import CLASS, Anatomy, average_pooling
from dreamlayer.models.convolution import make_reproducible
from dreamlayer.models.geometry import Geometry

__all__ = ["CLASS", "LayerInfo", "Network", "UnknownLayer", "cut", "describe", "resolve_layer"]

NOISE_SIDE = 224  # px of the noise picture by which the maps' scales are told


class UnknownLayer(ValueError):
    """The network has no such layer, or none with a map to dream on."""


@dataclass(frozen=True)
class LayerInfo:
    """What one layer of a network offers."""

    name: str  # in full: "features.10"
    index: int | None  # its number, see resolve_layer; None for a part of a numbered layer
    kind: str  # "Conv2d", "Fire" …
    channels: int
    stride: int  # px between cells
    receptive_field: int | None  # px along one axis that a cell sees; None: the whole picture
    halo: int | None  # px wanted around a tile; None: no tile is exact
    exact: bool  # whether tiles give the very gradient of the whole picture


class _Preprocessing(nn.Module):
    """R, G, B in 0..1 → what the network was trained on."""

    def __init__(self, spec: zoo.ModelSpec) -> None:
        super().__init__()
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(spec.std).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


class _First(nn.Module):
    """The one map of a part of a network that gives one."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        return self.part(x)[0]  # type: ignore[no-any-return]


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
        self.maps = tuple(_geometry(name, layer) for layer in layers)
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
        """Return one map (1, C, h, w) a layer of the picture `x` (1, 3, H, W), R, G, B in 0..1."""
        return self.module(x.contiguous(memory_format=torch.channels_last))  # type: ignore[no-any-return]

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
        return self

    def _grid(self, layer: str, height: int, width: int) -> tuple[int, int]:
        found = geometry.cells(_bare_cut(self.name, layer), height, width)
        if min(found) < 1:
            least = _geometry(self.name, layer).minimum
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
        model_name: see zoo.
        layers: at least one; CLASS is the map behind which there is but the classifier.
        device: where it shall compute.
        pooling: "max" as it was trained, or "average" of the same windows.

    Raises zoo.UnknownModel, UnknownLayer, zoo.MissingWeights.
    """
    names = [resolve_layer(model_name, layer) for layer in layers]
    whole, anatomy = zoo.load(model_name), _anatomy(model_name)
    parts = [anatomy.upto(whole, names)]
    if CLASS in names:
        parts.append(anatomy.behind(whole))
    for part in parts:
        if pooling == "average":
            average_pooling(part)
        make_reproducible(part)
        part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    module = nn.Sequential(_Preprocessing(zoo.find(model_name)), parts[0]).eval()
    return Network(model_name, names, module, *(parts[1:] or [None])).to(device)


def resolve_layer(model_name: str, text: str) -> str:
    """Return a layer's full name: "10" → "features.10", "features.10" and its parts stay.

    CLASS stays, too. Raises zoo.UnknownModel, and UnknownLayer with the nearest names.
    """
    prefix = zoo.find(model_name).features + "."
    names = _layer_kinds(model_name)
    wanted = text.strip()
    name = prefix + str(int(wanted)) if wanted.isdecimal() else wanted
    if name in names or name == CLASS:
        return name
    raise UnknownLayer(_why_not(model_name, wanted, prefix, list(names)))


def describe(model_name: str, parts: bool = False) -> list[LayerInfo]:
    """Return the numbered layers there are to dream on, from the picture inwards.

    With `parts` also what they are made of ("features.10.squeeze"): several times as many, and each
    is measured, so the first call takes seconds. Raises zoo.UnknownModel.
    """
    prefix = zoo.find(model_name).features + "."
    found = []
    for name in _layer_kinds(model_name):
        number = name.removeprefix(prefix)
        if number.isdecimal() or parts:
            found.append(
                _describe_layer(model_name, name, int(number) if number.isdecimal() else None)
            )
    return found


def _describe_layer(model_name: str, name: str, index: int | None) -> LayerInfo:
    found = _geometry(model_name, name)
    return LayerInfo(
        name=name,
        index=index,
        kind=_layer_kinds(model_name)[name],
        channels=found.channels,
        stride=found.stride,
        receptive_field=found.receptive_field if found.local else None,
        halo=found.halo if found.local else None,
        exact=found.local,
    )


@cache
def _layer_kinds(model_name: str) -> dict[str, str]:
    """{full name: class} of the modules within `features`, in the order they run."""
    prefix = zoo.find(model_name).features + "."
    modules = zoo.skeleton(model_name).named_modules()
    return {name: type(module).__name__ for name, module in modules if name.startswith(prefix)}


def _why_not(model_name: str, wanted: str, prefix: str, names: list[str]) -> str:
    """Say why `wanted` is no layer to dream on, and which are."""
    numbered = [name for name in names if name.removeprefix(prefix).isdecimal()]
    choice = f"Choose one of {numbered[0]} … {numbered[-1]}"
    if wanted + "." == prefix:
        return f"'{wanted}' of {model_name} is not one layer. {choice}."
    if wanted and wanted in dict(zoo.skeleton(model_name).named_modules()):
        return (
            f"'{wanted}' of {model_name} is not a spatial layer: it classifies the picture as a "
            f"whole. {choice}."
        )
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.6)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{model_name} has no layer '{wanted}'.{hint} {choice}, or just the number."


@cache
def _anatomy(model_name: str) -> Anatomy:
    return Anatomy(zoo.skeleton(model_name))


@cache
def _bare_cut(model_name: str, layer: str) -> nn.Module:
    """The network cut off behind one layer on the meta device: it costs nothing."""
    return _First(_anatomy(model_name).upto(zoo.skeleton(model_name), [layer]))


@cache
def _geometry(model_name: str, layer: str) -> Geometry:
    return geometry.measure(_bare_cut(model_name, layer))
