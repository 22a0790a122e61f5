"""The layers of a network: how they are called, and what each has to offer."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache

from torch import Tensor, nn

from dreamlayer.networks.graph import receptive_field as geometry
from dreamlayer.networks.graph.extract import CLASS, TracedNetwork
from dreamlayer.networks.graph.receptive_field import Geometry
from dreamlayer.networks.registry import architectures, registry


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


def resolve_layer(model_name: str, text: str) -> str:
    """Return a layer's full name: "10" → "features.10", "features.10" and its parts stay.

    A bare number counts the entries of `features` where a network has that (VGG, AlexNet,
    SqueezeNet, MobileNet, DenseNet …), of the module that its ModelSpec names, or else of the
    network itself (GoogLeNet, Inception, ResNet …), from 0, in the order of its definition. CLASS
    stays as it is. Raises registry.UnknownModel, and UnknownLayer with the nearest names.
    """
    kinds, numbers = _kinds(model_name), _numbers(model_name)
    wanted = text.strip()
    if wanted.isdecimal():
        by_number = {number: name for name, number in numbers.items()}
        wanted = by_number.get(int(wanted), wanted)
    if wanted in kinds or wanted == CLASS:
        return wanted
    raise UnknownLayer(_why_not(model_name, wanted))


def describe(model_name: str, parts: bool = False) -> list[LayerInfo]:
    """Return the numbered layers there are to dream on, from the picture inwards.

    With `parts` also what they are made of ("features.10.squeeze"): several times as many, and each
    is measured, so the first call takes its time. Raises registry.UnknownModel.
    """
    numbers = _numbers(model_name)
    return [
        _describe_layer(model_name, name, kind, numbers.get(name))
        for name, kind in _kinds(model_name).items()
        if name in numbers or parts
    ]


def traced_network(model_name: str) -> TracedNetwork:
    """The parts of a network; remembered."""
    spec = registry.find(model_name)
    return _traced_network(spec.arch, spec.classes)


def geometry_of(model_name: str, layer: str) -> Geometry:
    """What the cells of a layer's map see; `layer` in full, or CLASS. Remembered."""
    spec = registry.find(model_name)
    return _geometry(spec.arch, spec.classes, layer)


def cells(model_name: str, layer: str, height: int, width: int) -> tuple[int, int]:
    """The number of cells (h, w) of a layer's map; (0, 0) for too small a picture."""
    spec = registry.find(model_name)
    return geometry.cells(_skeleton_up_to(spec.arch, spec.classes, layer), height, width)


def _describe_layer(model_name: str, name: str, kind: str, index: int | None) -> LayerInfo:
    found = geometry_of(model_name, name)
    return LayerInfo(
        name=name,
        index=index,
        kind=kind,
        channels=found.channels,
        stride=found.stride,
        receptive_field=found.receptive_field if found.local else None,
        halo=found.halo if found.local else None,
        exact=found.local,
    )


def _kinds(model_name: str) -> dict[str, str]:
    """{full name: class} of the layers to dream on, as the network defines them."""
    prefix = _prefix(model_name)
    maps = traced_network(model_name).maps
    modules = traced_network(model_name).skeleton.named_modules()
    return {
        name: type(module).__name__
        for name, module in modules
        if name in maps and name.startswith(prefix)
    }


def _numbers(model_name: str) -> dict[str, int]:
    """{full name: number} of the layers that have one."""
    prefix = _prefix(model_name)
    container = traced_network(model_name).skeleton.get_submodule(prefix.removesuffix("."))
    names = [prefix + name for name, _ in container.named_children()]
    kinds = _kinds(model_name)
    return {name: number for number, name in enumerate(names) if name in kinds}


def _prefix(model_name: str) -> str:
    features = registry.find(model_name).features
    return features + "." if features else ""


def _why_not(model_name: str, wanted: str) -> str:
    """Say why `wanted` is no layer to dream on, and which are."""
    names, numbered = list(_kinds(model_name)), list(_numbers(model_name))
    choice = f"Choose one of {numbered[0]} … {numbered[-1]}"
    modules = dict(traced_network(model_name).skeleton.named_modules())
    if wanted and wanted in modules and any(name.startswith(wanted + ".") for name in numbered):
        return f"'{wanted}' of {model_name} is not one layer. {choice}."
    if wanted and wanted in modules:
        return (
            f"'{wanted}' of {model_name} is not a spatial layer: it classifies the picture as a "
            f"whole. {choice}."
        )
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.6)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{model_name} has no layer '{wanted}'.{hint} {choice}, or just the number."


class _FirstMap(nn.Module):
    """The one map of a part of a network that gives one."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        return self.part(x)[0]  # type: ignore[no-any-return]


@cache
def _traced_network(arch: str, classes: int) -> TracedNetwork:
    return TracedNetwork(architectures.skeleton(arch, classes))


@cache
def _skeleton_up_to(arch: str, classes: int, layer: str) -> nn.Module:
    """The network cut off behind one layer on the meta device: it costs nothing."""
    whole = _traced_network(arch, classes)
    return _FirstMap(whole.up_to(whole.skeleton, [layer]))


@cache
def _geometry(arch: str, classes: int, layer: str) -> Geometry:
    return geometry.measure(_skeleton_up_to(arch, classes, layer))
