"""The layers of a network: their names and properties."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache

from torch import Tensor, nn

from dreamlayer.networks.graph import known_geometry
from dreamlayer.networks.graph import receptive_field as geometry
from dreamlayer.networks.graph.extract import CLASS, TracedNetwork
from dreamlayer.networks.graph.receptive_field import Geometry
from dreamlayer.networks.registry import architectures, registry


class UnknownLayer(ValueError):
    """The network has no such layer, or the layer has no map; the message is for the user."""


@dataclass(frozen=True)
class LayerInfo:
    """The properties of one layer of a network."""

    name: str  # in full: "features.10"
    index: int | None  # see resolve_layer; None for a part of a numbered layer
    kind: str  # "Conv2d", "Fire" …
    channels: int
    stride: int  # px between cells
    receptive_field: int | None  # px along one axis that a cell sees; None: the whole picture
    halo: int | None  # px that a tile needs around it; None: no tile is exact
    exact: bool  # whether tiles have exactly the gradient of the whole picture


def resolve_layer(model_name: str, text: str) -> str:
    """Return a layer's full name: "10" → "features.10", "features.10" and its parts stay.

    A bare number counts the entries of the module that ModelSpec.features names (`features` of VGG,
    AlexNet, SqueezeNet, MobileNet, DenseNet …), or of the network itself (GoogLeNet, Inception,
    ResNet …), from 0, in the order of its definition. CLASS is returned unchanged if
    the network has classes. Raises registry.UnknownModel, and UnknownLayer with the most similar
    names.
    """
    kinds, numbers = _kinds(model_name), _numbers(model_name)
    name = text.strip()
    if name.isdecimal():
        by_number = {number: layer for layer, number in numbers.items()}
        name = by_number.get(int(name), name)
    if name in kinds or (name == CLASS and registry.find(model_name).classes):
        return name
    raise UnknownLayer(_why_not(model_name, name))


def describe(model_name: str, parts: bool = False) -> list[LayerInfo]:
    """Return the numbered layers that have maps, from the picture inwards.

    With `parts` also their submodules ("features.10.squeeze"): several times as many, and each is
    measured, so the first call is slow. So is that of a network that is not
    embedded. Raises registry.UnknownModel.
    """
    numbers = _numbers(model_name)
    return [
        _describe_layer(model_name, name, kind, numbers.get(name))
        for name, kind in _kinds(model_name).items()
        if name in numbers or parts
    ]


def traced_network(model_name: str) -> TracedNetwork:
    """Return the traced network of a model; cached."""
    spec = registry.find(model_name)
    return _traced_network(spec.arch, spec.classes)


def geometry_of(model_name: str, layer: str) -> Geometry:
    """Return the geometry of a layer's map; `layer` is a full name, or CLASS. Cached."""
    spec = registry.find(model_name)
    return _geometry(spec.arch, spec.classes, layer)


def cells(model_name: str, layer: str, height: int, width: int) -> tuple[int, int]:
    """Return the cells (h, w) of a layer's map; (0, 0) if the picture is too small."""
    spec = registry.find(model_name)
    return geometry.cells(_skeleton_up_to(spec.arch, spec.classes, layer), height, width)


def _describe_layer(model_name: str, name: str, kind: str, index: int | None) -> LayerInfo:
    measured = geometry_of(model_name, name)
    return LayerInfo(
        name=name,
        index=index,
        kind=kind,
        channels=measured.channels,
        stride=measured.stride,
        receptive_field=measured.receptive_field if measured.local else None,
        halo=measured.halo if measured.local else None,
        exact=measured.local,
    )


def _kinds(model_name: str) -> dict[str, str]:
    """{full name: class} of the layers that have maps, in the network's order."""
    prefix = _prefix(model_name)
    maps = traced_network(model_name).maps
    modules = traced_network(model_name).skeleton.named_modules()
    return {
        name: type(module).__name__
        for name, module in modules
        if name in maps and name.startswith(prefix)
    }


def _numbers(model_name: str) -> dict[str, int]:
    """{full name: number} of the numbered layers."""
    prefix = _prefix(model_name)
    container = traced_network(model_name).skeleton.get_submodule(prefix.removesuffix("."))
    names = [prefix + name for name, _ in container.named_children()]
    kinds = _kinds(model_name)
    return {name: number for number, name in enumerate(names) if name in kinds}


def _prefix(model_name: str) -> str:
    features = registry.find(model_name).features
    return features + "." if features else ""


def _why_not(model_name: str, text: str) -> str:
    """A sentence for the user: why `text` is no layer to dream on, and which are."""
    names, numbered = list(_kinds(model_name)), list(_numbers(model_name))
    choice = f"Choose one of {numbered[0]} … {numbered[-1]}"
    modules = dict(traced_network(model_name).skeleton.named_modules())
    if text and text in modules and any(name.startswith(text + ".") for name in numbered):
        return f"'{text}' of {model_name} is not one layer. {choice}."
    if text and text in modules:
        return (
            f"'{text}' of {model_name} is not a spatial layer: it classifies the picture as a "
            f"whole. {choice}."
        )
    near = difflib.get_close_matches(text, names, n=3, cutoff=0.6)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{model_name} has no layer '{text}'.{hint} {choice}, or just the number."


class _FirstMap(nn.Module):
    """The map of a part of a network that has only one."""

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
    """The network up to one layer, on the meta device, where it takes no memory."""
    whole = _traced_network(arch, classes)
    return _FirstMap(whole.up_to(whole.skeleton, [layer]))


@cache
def _geometry(arch: str, classes: int, layer: str) -> Geometry:
    known = known_geometry.find(arch, classes, layer)
    return known or geometry.measure(_skeleton_up_to(arch, classes, layer))
