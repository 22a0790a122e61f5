"""Reads files of weights without running any code, and fits the weights to an architecture."""

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
# DenseNet's weights have older names than its definition: norm.1 → norm1.
OLD_DENSENET = re.compile(r"(\.denselayer\d+\.(?:norm|conv))\.([12]\.)")
COUNTER = "num_batches_tracked"  # of a batch norm; older files lack it, and it is not used here


class UnfitWeights(ValueError):
    """A file contains no weights, or those of another network; the message is for the user."""


def read(path: Path) -> State:
    """Read the arrays of a .safetensors file, or of a file that `torch.save` made.

    No code in a pickle is ever run. Raises OSError (FileNotFoundError too) and UnfitWeights.
    """
    with path.open("rb"):  # raises the system's error for folders and missing files
        pass
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise UnfitWeights(f"{path} is not a safetensors file, or is cut short.") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about how the file was made
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UnfitWeights(
            f"{path} contains more than weights, or no weights at all: Dreamlayer runs no code from"
            " such a file. Save the network's state_dict() alone, or a .safetensors file."
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, AttributeError) as error:
        raise UnfitWeights(f"{path} is not a file of weights, or is cut short.") from error
    return _arrays(loaded, path)


def fitted(state: State, arch: str, what: str) -> tuple[dict[str, Tensor], int]:
    """Return the weights for `arch` from those of a file, and the number of classes.

    Prefixes of wrapping modules are removed, heads for training left out, old names replaced;
    numbers become float32. UnfitWeights names the first array that does not fit; `what` is the
    file's name for it.
    """
    named = {OLD_DENSENET.sub(r"\1\2", name): array for name, array in _unprefixed(state).items()}
    named = {name: array for name, array in named.items() if not name.startswith(AUXILIARY)}
    classes = _classes(named, arch, what)
    expected = architectures.skeleton(arch, classes).state_dict()
    for name, array in expected.items():
        if name.endswith(COUNTER):
            named.setdefault(name, torch.zeros((), dtype=array.dtype))
    _check(named, expected, arch, what)
    return {
        name: named[name].detach().to(array.dtype).clone(memory_format=torch.contiguous_format)
        for name, array in expected.items()
    }, classes


def put(network: nn.Module, state: State) -> None:
    """Load weights into a network on the meta device; UnfitWeights if they do not fit."""
    arrays = OrderedDict(state)
    # Some definitions look up the version of the weights, which files do not contain.
    arrays._metadata = getattr(network.state_dict(), "_metadata", None)  # type: ignore[attr-defined]
    try:
        # assign: the weights replace the meta tensors, and torch's random state does not change.
        network.load_state_dict(arrays, strict=True, assign=True)
    except RuntimeError as error:
        raise UnfitWeights(str(error)) from error


def _arrays(loaded: object, path: Path) -> State:
    """The state dict in the result of `torch.load`: itself, or under one of the usual names."""
    for _ in range(3):
        if not isinstance(loaded, Mapping):
            break
        if loaded and all(isinstance(v, Tensor) and isinstance(k, str) for k, v in loaded.items()):
            return loaded
        loaded = next((loaded[name] for name in WRAPPERS if name in loaded), None)
    raise UnfitWeights(f"{path} contains no state dict, that is, no weights with names.")


def _unprefixed(state: State) -> State:
    """The state without the prefixes that all its names share."""
    while prefix := next((p for p in PREFIXES if all(n.startswith(p) for n in state)), None):
        state = {name.removeprefix(prefix): array for name, array in state.items()}
    return state


def _classes(named: State, arch: str, what: str) -> int:
    """The number of classes of the classifier in a file."""
    one, two = (architectures.skeleton(arch, n).state_dict() for n in (1, 2))
    heads = [name for name in one if one[name].shape != two[name].shape]
    for name in heads:
        if name in named and named[name].dim() > 0:
            return named[name].shape[0]
    raise UnfitWeights(f"{what} does not fit {arch}: it lacks '{heads[0]}', the classifier.")


def _check(named: State, expected: State, arch: str, what: str) -> None:
    absent = [name for name in expected if name not in named]
    beyond = [name for name in named if name not in expected]
    wrong = []
    if absent:
        wrong.append(f"{len(absent)} of its arrays are missing, e.g. '{absent[0]}'")
    if beyond:
        wrong.append(f"{len(beyond)} arrays are not of it, e.g. '{beyond[0]}'")
    if wrong:
        raise UnfitWeights(f"{what} does not fit {arch}: {', and '.join(wrong)}.")
    for name, array in expected.items():
        if named[name].shape != array.shape:
            raise UnfitWeights(
                f"{what} does not fit {arch}: '{name}' is {_size(named[name])}"
                f" instead of {_size(array)}."
            )
        if named[name].is_floating_point() and not bool(named[name].isfinite().all()):
            raise UnfitWeights(f"{what} is damaged: '{name}' has numbers that are not finite.")


def _size(array: Tensor) -> str:
    return " × ".join(str(side) for side in array.shape) or "a single number"
