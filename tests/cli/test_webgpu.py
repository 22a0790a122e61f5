"""A whole dream through the daemon, on a card by WebGPU."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dreamlink.client import discovery
from tests import software_card
from tests.server.daemons import wait_until

pytest.importorskip("onnxruntime", reason="dreamlayer[webgpu] is not installed")

PEAKS = Path(__file__).parent.parent / "pictures" / "peaks.jpg"
SIDE = 64
HOW = ("--octaves", "2", "--steps", "3", "--layer", "3", "--seed", "7", "--step-size", "2")
SAME = 1.5  # of 255; a channel that rounding moves over an edge between two of them differs by 1


def dreamlayer(*arguments: object) -> str:
    command = [sys.executable, "-m", "dreamlayer", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def daemon(home: Path) -> Iterator[None]:
    """A daemon of this test, which sees no card but one that is a program."""
    # Started here, as the command line starts it without the libraries of the program it is in.
    command = [sys.executable, "-m", "dreamlayer", "serve"]
    environ = os.environ | software_card.variables()
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environ) as process:
        wait_until(lambda: discovery.find() is not None)
        yield
        dreamlayer("stop")
        assert process.wait(30) == 0


def test_a_dream_on_a_card_is_the_dream_on_the_cpu(daemon: None, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    with Image.open(PEAKS) as whole:
        whole.resize((SIDE + 16, SIDE)).save(picture)
    dreams = {}
    for device in ("cpu", "webgpu", "auto"):
        result = tmp_path / f"{device}.png"
        told = dreamlayer("dream", picture, "-o", result, "--device", device, *HOW)
        with Image.open(result) as image:
            dreams[device] = np.asarray(image).astype(float)
        # A program that pretends to be a card is only used if the user asks for it.
        expected = "webgpu (SwiftShader Device" if device == "webgpu" else "cpu"
        assert f" s on {expected}" in told
    with Image.open(picture) as image:
        before = np.asarray(image).astype(float)
    assert np.abs(dreams["cpu"] - before).mean() > 3
    assert np.abs(dreams["webgpu"] - dreams["cpu"]).max() <= SAME
    assert "(onnx)" in dreamlayer("status")
