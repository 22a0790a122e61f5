"""torchvision can be imported with and without its compiled operators.

Each case needs a fresh process: operators cannot be taken back.
"""

import subprocess
import sys

import pytest

IMPORT = """
from dreamlayer.networks.registry.torchvision_import import import_torchvision
first = import_torchvision()
assert import_torchvision() is first
assert first.models.squeezenet1_1 and torch.ops.torchvision.nms.default
"""

# What torchvision's compiled library does when it fits: it declares the operators itself.
COMPILED = """
library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", COMPILED], ids=["as installed", "operators present"])
def test_import(before: str) -> None:
    script = "import torch\n" + before + IMPORT
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
