"""Reads files of weights without running any code, and fits the weights to an architecture."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from dreamlayer.networks.registry import architectures
from dreamlayer.networks.registry.file_kinds import (
    DOWNLOAD_AGAIN,
    HEAD,
    looks_like_safetensors,
    other_kind,
)
from dreamlayer.networks.registry.regular_file import NotAFile, open_regular, size_of
from dreamlayer.networks.registry.torch_file import read_torch_file
from dreamlayer.networks.registry.unfit import UnfitWeights, too_large

State = Mapping[str, Tensor]

WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")  # of wrapping modules
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")  # heads for training, of GoogLeNet and Inception
# DenseNet's weights have older names than its definition: norm.1 → norm1.
OLD_DENSENET = re.compile(r"(\.denselayer\d+\.(?:norm|conv))\.([12]\.)")
COUNTER = "num_batches_tracked"  # of a batch norm; older files lack it, and it is not used here

# The kinds of numbers that become float32 without a scale or a zero of their own.
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
CLASSES_MAX = 100_000  # five times ImageNet's largest list
# A file may hold several copies in double precision (an optimiser's), and a larger classifier.
COPIES_MAX, SPARE = 8, 256 << 20  # bytes


def most_bytes(arch: str) -> int:
    """Bytes that a file of weights for an architecture may have, unpacked."""
    expected = architectures.skeleton(arch, 1000).state_dict().values()
    return COPIES_MAX * sum(4 * int(array.numel()) for array in expected) + SPARE


def read(path: Path, most: int) -> State:
    """Read the arrays of a .safetensors file, or of a file that `torch.save` made, into memory.

    What it is, is told by its content, not by its name. Nothing stays mapped: a file that changes
    later changes no network. No code in a pickle is ever run.

    Args:
        path: of the file.
        most: bytes that it may have, unpacked; see `most_bytes`.

    Raises OSError (FileNotFoundError too), UnfitWeights, and MemoryError.
    """
    try:
        file = open_regular(path)
    except NotAFile as error:
        raise UnfitWeights(str(error)) from error
    with file:
        head = file.read(HEAD)
        file.seek(0)
        if kind := other_kind(head, path.name):
            raise UnfitWeights(f"{path} is {kind}.")
        if size_of(file) > most:
            raise too_large(path, size_of(file), most)
        if looks_like_safetensors(head):
            return _read_safetensors(file, path, most)
        return _arrays(read_torch_file(file, path, most), path)


def _read_safetensors(file: BinaryIO, path: Path, most: int) -> State:
    try:
        return load(file.read(most + 1))
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise UnfitWeights(
            f"{path} is not a safetensors file, or is cut short: {DOWNLOAD_AGAIN}."
        ) from error


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
            named[name] = torch.zeros((), dtype=array.dtype)
    _check_names(named, expected, arch, what)
    return {
        name: _converted(named[name], array, name, arch, what) for name, array in expected.items()
    }, classes


def put(network: nn.Module, state: State, what: str = "The file") -> None:
    """Load weights into a network on the meta device; UnfitWeights if they do not fit.

    `what` is the file's name for the error.
    """
    expected, arch = network.state_dict(), type(network).__name__
    _check_names(state, expected, arch, what)
    arrays = OrderedDict(
        (name, _converted(state[name], array, name, arch, what)) for name, array in expected.items()
    )
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
            classes = named[name].shape[0]
            if not 0 < classes <= CLASSES_MAX:
                raise UnfitWeights(
                    f"{what} has {classes:,} classes: networks of 1 to {CLASSES_MAX:,} are taken."
                )
            return classes
    raise UnfitWeights(f"{what} does not fit {arch}: it lacks '{heads[0]}', the classifier.")


def _check_names(named: State, expected: State, arch: str, what: str) -> None:
    absent = [name for name in expected if name not in named]
    beyond = [name for name in named if name not in expected]
    wrong = []
    if absent:
        wrong.append(f"{len(absent)} of its arrays are missing, e.g. '{absent[0]}'")
    if beyond:
        wrong.append(f"{len(beyond)} arrays are not of it, e.g. '{beyond[0]:.80}'")
    if wrong:
        raise UnfitWeights(f"{what} does not fit {arch}: {', and '.join(wrong)}.")


def _converted(array: Tensor, like: Tensor, name: str, arch: str, what: str) -> Tensor:
    """An array of a file as its network needs it: dense numbers of its shape and kind, finite.

    It is a copy, unless it is so already. UnfitWeights names the array.
    """
    if array.shape != like.shape:
        raise UnfitWeights(
            f"{what} does not fit {arch}: '{name}' is {_size(array)} instead of {_size(like)}."
        )
    if array.layout != torch.strided or array.is_meta or array.is_quantized:
        raise UnfitWeights(f"{what}: '{name}' is no dense array of numbers: save a plain one.")
    if like.is_floating_point() and array.dtype not in FLOATS:
        kind = str(array.dtype).removeprefix("torch.")
        raise UnfitWeights(
            f"{what}: '{name}' holds numbers of the kind {kind}: save the weights as float32."
        )
    converted = array.detach().to(like.dtype).contiguous()
    if not bool(converted.isfinite().all()):
        raise UnfitWeights(
            f"{what} is damaged: '{name}' has numbers that are not finite, or not in 32 bits."
        )
    return converted


def _size(array: Tensor) -> str:
    return " × ".join(str(side) for side in array.shape) or "a single number"
