"""A network cut off behind its target layer, and the list of layers there are to choose from."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from dreamlayer.models import geometry, zoo
from dreamlayer.models.convolution import make_reproducible
from dreamlayer.models.torchvision_import import import_torchvision


class UnknownLayer(ValueError):
    """The network has no such layer, or none with a map to dream on."""


@dataclass(frozen=True)
class LayerInfo:
    """What one layer of a network offers."""

    name: str  # in full: "features.10"
    index: int | None  # its number in `features`; None for a part of a numbered layer
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


class _Truncated(nn.Module):
    """What a layer's map needs of a network, and nothing else; gives that map."""

    def __init__(self, network: nn.Module, layer: str) -> None:
        super().__init__()
        import_torchvision()
        from torchvision.models.feature_extraction import create_feature_extractor

        # It carries a graph for training, too, and a copy of it would come up in training mode.
        both = create_feature_extractor(network, {layer: "map"}, suppress_diff_warning=True)
        self.needed = torch.fx.GraphModule(both, both.eval_graph)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.needed(x)["map"]  # type: ignore[no-any-return]


class Network:
    """A network cut off behind one layer: nothing behind that layer is held or run.

    It takes R, G, B in 0..1, sRGB-encoded; preprocessing is its first step. Weights are frozen, the
    network is in eval mode, and gradients flow to the picture only.

    `name` and `layer` (in full: "features.10") say what it is. `stride`, `reach`, `channels`,
    `minimum` and `local` are as in geometry.Geometry.
    """

    def __init__(self, name: str, layer: str, module: nn.Module, found: geometry.Geometry) -> None:
        self.name = name
        self.layer = layer
        self.stride = found.stride
        self.reach = found.reach
        self.channels = found.channels
        self.minimum = found.minimum
        self.local = found.local
        self.device = torch.device("cpu")
        self.dtype = torch.float32
        self.module = module
        self._bare = _bare_cut(name, layer)
        self._grids: dict[tuple[int, int], tuple[int, int]] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """Return the map (1, C, h, w) of the picture `x` (1, 3, H, W), R, G, B in 0..1."""
        return self.module(x.contiguous(memory_format=torch.channels_last))  # type: ignore[no-any-return]

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Return the number of cells (h, w) of a picture, without computing the map.

        ValueError if the picture is too small to give one.
        """
        size = (height, width)
        if size not in self._grids:
            found = geometry.cells(self._bare, height, width)
            if min(found) < 1:
                raise ValueError(
                    f"A picture of {width} × {height} pixels is too small for {self.layer} of "
                    f"{self.name}: it needs {self.minimum} pixels on each side."
                )
            self._grids[size] = found
        return self._grids[size]

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Network:
        """Move the network to a device (and to another number format); returns itself."""
        self.device = torch.device(device)
        self.dtype = dtype or self.dtype
        self.module.to(self.device, self.dtype)
        return self


def cut(model_name: str, layer: str, device: torch.device | str = "cpu") -> Network:
    """Load a network and cut it off behind `layer` (a name or a number, see resolve_layer).

    Raises zoo.UnknownModel, UnknownLayer, zoo.MissingWeights.
    """
    name = resolve_layer(model_name, layer)
    preprocessing = _Preprocessing(zoo.find(model_name))
    module = nn.Sequential(preprocessing, _Truncated(zoo.load(model_name), name)).eval()
    make_reproducible(module)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Network(model_name, name, module, _geometry(model_name, name)).to(device)


def resolve_layer(model_name: str, text: str) -> str:
    """Return a layer's full name: "10" → "features.10", "features.10" and its parts stay.

    Raises zoo.UnknownModel, and UnknownLayer with the nearest names.
    """
    prefix = zoo.find(model_name).features + "."
    names = _layer_kinds(model_name)
    wanted = text.strip()
    name = prefix + str(int(wanted)) if wanted.isdecimal() else wanted
    if name in names:
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
def _bare_cut(model_name: str, layer: str) -> nn.Module:
    """The cut network on the meta device: it knows shapes and costs nothing."""
    return _Truncated(zoo.skeleton(model_name), layer)


@cache
def _geometry(model_name: str, layer: str) -> geometry.Geometry:
    return geometry.measure(_bare_cut(model_name, layer))
