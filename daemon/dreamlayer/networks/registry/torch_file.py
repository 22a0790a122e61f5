"""Reads what `torch.save` wrote: only tensors and plain containers, no more bytes than allowed.

torch's own reader runs no code (`weights_only`), but it unpacks archives without a limit, and makes
tensors that have other bytes than those in the file. So the archive is unpacked here, with
Python's reader and a limit, and the pickle's list of functions is read before it is.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import torch

from dreamlayer.networks.registry.file_kinds import CONVERT, DOWNLOAD_AGAIN, LEGACY_TORCH, ZIP
from dreamlayer.networks.registry.unfit import UnfitWeights, too_large
from dreamlayer.runtime.devices import errors

PIECE = 1 << 22  # bytes that are unpacked at a time
PICKLE_MAX = 1 << 26  # bytes of the pickle that lists the tensors
RECORDS_MAX = 100_000
LEGACY_PICKLES = 5  # magic number, protocol, machine, the object, the order of its storages

# Functions and classes that a pickle may name; what torch reads beyond them takes memory that has
# no bytes in the file (bytearray, quantised tensors), or is no dense tensor.
_ALLOWED = frozenset(
    {
        "collections OrderedDict",
        "torch._utils _rebuild_tensor",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_parameter",
        "torch._utils _rebuild_parameter_with_state",
        "torch.nn.parameter Parameter",
        "torch.serialization _get_layout",
        "torch Size",
        "torch device",
        "_codecs encode",
        "builtins set",
        "__builtin__ set",
        "builtins complex",
        "__builtin__ complex",
    }
)
_KINDS = ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
_STORAGES = {f"torch {kind}Storage" for kind in (*_KINDS, "ComplexFloat", "ComplexDouble")}
_OTHER_TENSORS = {
    "_rebuild_sparse_tensor": "sparse arrays: save them dense (to_dense())",
    "_rebuild_qtensor": "quantised arrays: save them as floats (dequantize())",
    "_rebuild_meta_tensor_no_storage": "arrays without numbers (meta tensors): save the real ones",
    "_rebuild_nested_tensor": "nested arrays: save dense ones",
    "_rebuild_tensor_v3": "numbers of a rare kind, as 8-bit floats: save them as float32 (float())",
}


def read_torch_file(file: BinaryIO, path: Path, most: int) -> object:
    """The object in a file of `torch.save`, which is at most `most` bytes, unpacked too.

    Raises UnfitWeights, MemoryError, OSError.
    """
    try:
        head = file.read(len(LEGACY_TORCH))
        file.seek(0)
        if head.startswith(ZIP):
            content = _unpacked(file, path, most)
        else:
            content = io.BytesIO(file.read(most + 1))
            pickles = LEGACY_PICKLES if head == LEGACY_TORCH else 1
            _check_pickles(content, pickles, path)
            content.seek(0)
        return _loaded(content)
    except UnfitWeights:
        raise
    except (pickle.UnpicklingError, RecursionError) as error:
        raise _more_than_weights(path) from error
    except (
        RuntimeError, EOFError, ValueError, KeyError, AttributeError, IndexError, TypeError,
        AssertionError, OverflowError, NotImplementedError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        if errors.is_out_of_memory(error):
            raise MemoryError(str(error)) from error
        raise UnfitWeights(
            f"{path} is not a file of weights, or is cut short: {DOWNLOAD_AGAIN}."
        ) from error


def _loaded(content: BinaryIO) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about how the file was made
        return torch.load(content, map_location="cpu", weights_only=True)


def _unpacked(file: BinaryIO, path: Path, most: int) -> io.BytesIO:
    """A copy of an archive without compression: what torch reads is what was counted."""
    with zipfile.ZipFile(file) as archive:
        records = archive.infolist()
        _check_records(records, path)
        if sum(record.file_size for record in records) > most:
            raise too_large(path, sum(record.file_size for record in records), most)
        copy, left = io.BytesIO(), most
        with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as plain:
            for record in records:
                if record.filename.endswith("/data.pkl"):
                    content = archive.open(record).read(PICKLE_MAX + 1)
                    _check_pickles(io.BytesIO(content), 1, path)
                with archive.open(record) as packed, plain.open(
                    record.filename, "w", force_zip64=True
                ) as into:  # fmt: skip
                    while piece := packed.read(PIECE):
                        left -= len(piece)
                        if left < 0:  # more than the archive's list says
                            raise too_large(path, most - left, most)
                        into.write(piece)
    copy.seek(0)
    return copy


def _check_records(records: list[zipfile.ZipInfo], path: Path) -> None:
    """Raise UnfitWeights for archives that `torch.save` did not write."""
    names = [record.filename for record in records]
    if any(name.endswith("/constants.pkl") for name in names):
        raise UnfitWeights(f"{path} is a TorchScript program, not weights alone: {CONVERT}.")
    if not any(name.endswith("/data.pkl") for name in names) or len(names) > RECORDS_MAX:
        kind = "an archive of NumPy arrays" if _all_arrays(names) else "an archive"
        hint = CONVERT if _all_arrays(names) else "if the weights are in it, unpack it first"
        raise UnfitWeights(f"{path} is {kind}, not a file of weights: {hint}.")
    if len(set(names)) < len(names) or any(record.flag_bits & 1 for record in records):
        raise UnfitWeights(f"{path} is damaged, or not from torch.save: {DOWNLOAD_AGAIN}.")
    if any(r.file_size > PICKLE_MAX for r in records if r.filename.endswith("/data.pkl")):
        raise UnfitWeights(f"{path} holds far more than weights: {CONVERT}.")


def _all_arrays(names: list[str]) -> bool:
    return bool(names) and all(name.endswith(".npy") for name in names)


def _check_pickles(file: BinaryIO, count: int, path: Path) -> None:
    """Raise UnfitWeights if one of `count` pickles names anything but dense tensors' parts."""
    for _ in range(count):
        for operation, argument, _place in pickletools.genops(file):
            if operation.name in {"STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"}:
                raise _more_than_weights(path)
            if operation.name == "GLOBAL":
                _check_name(str(argument), path)


def _check_name(name: str, path: Path) -> None:
    module, _, function = name.partition(" ")
    is_number_type = module == "torch" and isinstance(getattr(torch, function, None), torch.dtype)
    if name in _ALLOWED or name in _STORAGES or is_number_type:
        return
    if module == "torch._utils" and function in _OTHER_TENSORS:
        raise UnfitWeights(f"{path} holds {_OTHER_TENSORS[function]}.")
    if module == "torch" and function.startswith("Q") and function.endswith("Storage"):
        raise UnfitWeights(f"{path} holds {_OTHER_TENSORS['_rebuild_qtensor']}.")
    raise _more_than_weights(path)


def _more_than_weights(path: Path) -> UnfitWeights:
    return UnfitWeights(
        f"{path} contains more than weights, or no weights at all: Dreamlayer runs no code from"
        " such a file. Save the network's state_dict() alone, or a .safetensors file."
    )
