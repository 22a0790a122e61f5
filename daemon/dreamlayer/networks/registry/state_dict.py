"""Weights as they come in files: read without running any code, and fitted to an architecture."""

from __future__ import annotations

import pickle
import re
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dreamlayer.networks.registry import architectures

State = Mapping[str, Tensor]

WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")  # of wrapping modules
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")  # heads for training, of GoogLeNet and Inception
# DenseNet's weights are older than the names in its definition: norm.1 → norm1.
OLD_DENSENET = re.compile(r"(\.denselayer\d+\.(?:norm|conv))\.([12]\.)")
COUNTER = "num_batches_tracked"  # of a batch norm; older files lack it, and nothing here reads it


class UnfitWeights(ValueError):
    """A file holds no weights, or those of another network; the text is for the user."""


def read(path: Path) -> State:
    """Read the arrays of a .safetensors file, or of a file that `torch.save` made.

    No code in a pickle is ever run. Raises OSError (FileNotFoundError too) and UnfitWeights.
    """
    with path.open("rb"):  # a folder, an absent file: the system's own words
        pass
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise UnfitWeights(f"{path} is not a safetensors file, or is cut short.") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is about how the file was made
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UnfitWeights(
            f"{path} holds more than weights, or no weights at all: Dreamlayer runs no code from"
            " such a file. Save the network's state_dict() alone, or a .safetensors file."
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, AttributeError) as error:
        raise UnfitWeights(f"{path} is not a file of weights, or is cut short.") from error
    return _arrays(found, path)


def fitted(found: State, arch: str, what: str) -> tuple[dict[str, Tensor], int]:
    """Return the weights of `arch` out of what a file holds, and the number of classes.

    Prefixes of wrapping modules are taken off, heads for training left out, old names changed;
    numbers become float32. UnfitWeights names the first array that does not fit; `what` is the
    file's name for it.
    """
    named = {OLD_DENSENET.sub(r"\1\2", name): array for name, array in _unprefixed(found).items()}
    named = {name: array for name, array in named.items() if not name.startswith(AUXILIARY)}
    classes = _classes(named, arch, what)
    wanted = architectures.skeleton(arch, classes).state_dict()
    for name, array in wanted.items():
        if name.endswith(COUNTER):
            named.setdefault(name, torch.zeros((), dtype=array.dtype))
    _check(named, wanted, arch, what)
    return {
        name: named[name].detach().to(array.dtype).clone(memory_format=torch.contiguous_format)
        for name, array in wanted.items()
    }, classes


def put(network: nn.Module, state: State) -> None:
    """Give a network from the meta device its numbers. UnfitWeights if they are another's."""
    arrays = OrderedDict(state)
    # Some definitions ask which version of themselves the weights are for; a file does not say.
    arrays._metadata = getattr(network.state_dict(), "_metadata", None)  # type: ignore[attr-defined]
    try:
        # assign: the numbers replace the meta tensors, and torch's random state is not touched.
        network.load_state_dict(arrays, strict=True, assign=True)
    except RuntimeError as error:
        raise UnfitWeights(str(error)) from error


def _arrays(found: object, path: Path) -> State:
    """The state dict in what `torch.load` gave: itself, or under one of the usual names."""
    for _ in range(3):
        if not isinstance(found, Mapping):
            break
        if found and all(isinstance(v, Tensor) and isinstance(k, str) for k, v in found.items()):
            return found
        found = next((found[name] for name in WRAPPERS if name in found), None)
    raise UnfitWeights(f"{path} holds no state dict: no weights by their names.")


def _unprefixed(found: State) -> State:
    """Without the prefixes that all names have in common."""
    while prefix := next((p for p in PREFIXES if all(n.startswith(p) for n in found)), None):
        found = {name.removeprefix(prefix): array for name, array in found.items()}
    return found


def _classes(named: State, arch: str, what: str) -> int:
    """The number of classes that the head in a file tells apart."""
    one, two = (architectures.skeleton(arch, n).state_dict() for n in (1, 2))
    heads = [name for name in one if one[name].shape != two[name].shape]
    for name in heads:
        if name in named and named[name].dim() > 0:
            return named[name].shape[0]
    raise UnfitWeights(
        f"{what} does not fit {arch}: it has no '{heads[0]}', from which the classes are told."
    )


def _check(named: State, wanted: State, arch: str, what: str) -> None:
    absent = [name for name in wanted if name not in named]
    beyond = [name for name in named if name not in wanted]
    wrong = []
    if absent:
        wrong.append(f"{len(absent)} of its arrays are missing, e.g. '{absent[0]}'")
    if beyond:
        wrong.append(f"{len(beyond)} arrays are not of it, e.g. '{beyond[0]}'")
    if wrong:
        raise UnfitWeights(f"{what} does not fit {arch}: {', and '.join(wrong)}.")
    for name, array in wanted.items():
        if named[name].shape != array.shape:
            raise UnfitWeights(
                f"{what} does not fit {arch}: '{name}' is {_size(named[name])}"
                f" instead of {_size(array)}."
            )
        if named[name].is_floating_point() and not bool(named[name].isfinite().all()):
            raise UnfitWeights(f"{what} is damaged: '{name}' holds numbers that are not finite.")


def _size(array: Tensor) -> str:
    return " × ".join(str(side) for side in array.shape) or "a single number"
