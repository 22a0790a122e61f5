"""One sum on the graphics card, in the environment that was made."""

from __future__ import annotations

import subprocess
from pathlib import Path

from install.builds.table import TorchBuild
from install.environment import Environment, clean_environ

PATIENCE = 180.0  # seconds: the first import of PyTorch reads gigabytes
PROOF = """
import sys
import torch
device = sys.argv[1]
usable = torch.backends.mps if device == "mps" else getattr(torch, device)
if not usable.is_available():
    sys.exit("PyTorch finds no card that it can use")
ones = torch.ones(8, 8, device=device)
total = float((ones @ ones).sum().item())
if total != 512.0:
    sys.exit(f"a sum is {total:g} instead of 512")
"""
# With Dreamlayer's own code, which the daemon asks in the same way.
WEBGPU_PROOF = """
import sys
sys.path[:0] = sys.argv[2:]
from dreamlayer.runtime import webgpu
sys.exit(webgpu.no_real_card() or webgpu.problem() or None)
"""
CODE = ("daemon", "plugins/link")  # in the checkout: where Dreamlayer's modules are


def failure(environment: Environment, build: TorchBuild, checkout: Path) -> str:
    """A few words on why the build can't compute on its device; "" if it can."""
    if not build.device:
        return ""
    proof = WEBGPU_PROOF if build.beside else PROOF
    paths = [checkout / folder for folder in CODE]
    try:
        done = subprocess.run(
            [environment.python, "-I", "-X", "utf8", "-c", proof, build.device, *paths],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=clean_environ(),
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "it does not answer"
    except OSError as error:
        return str(error.strerror or error)
    if done.returncode == 0:
        return ""
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    return lines[-1].rstrip(".")[:200] if lines else f"it ended with code {done.returncode}"
