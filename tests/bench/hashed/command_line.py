"""The files that `dreamlayer dream` writes, hashed: as a person gets them, through a daemon.

Here are networks of other architectures, too, as their users bring them. No one trained them, but
each has its own operations.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tests.bench.hashed.asking import THREADS, Line, digest
from tests.bench.hashed.project import random_state
from tests.bench.hashed.scenes import ellipse, opacity, photo

SIZE = (200, 160)
SHORT = ("--octaves", "2", "--steps", "2", "--seed", "7", "--device", "cpu")
ARCHITECTURES = {  # and a layer of each
    "squeezenet1_0": "features.9", "googlenet": "inception4b", "resnet18": "layer2",
    "mobilenet_v2": "features.7", "mobilenet_v3_small": "features.5",
    "densenet121": "features.denseblock2", "shufflenet_v2_x0_5": "stage2",
    "efficientnet_b0": "features.4",
}  # fmt: skip
CLASSES = 10
COMMAND = [sys.executable, "-m", "dreamlayer"]
LIMIT = 180.0  # seconds


@dataclass(frozen=True)
class FileCase:
    """A picture file that is dreamed on; the names of files are in `folder`.

    Attributes:
        name: of its lines.
        source: what `pictures` calls it.
        written: the name of the result.
        options: of the command line.
        network: the architecture of a network to bring before, or "".
        folder: where all of it lies.
    """

    name: str
    source: str
    written: str
    options: tuple[str, ...] = ()
    network: str = ""
    folder: Path = Path()

    def inside(self, folder: Path) -> FileCase:
        return replace(self, folder=folder)

    def lines(self) -> Iterator[Line]:
        """Dream; the hashes of the file, of its pixels, of its text and of the gain."""
        if self.network:
            self._bring()
        said = self._run("dream", self.source, "-o", self.written, "--json", *SHORT, *self.options)
        path = self.folder / self.written
        with Image.open(path) as image:
            text = str(image.info.get("dreamlayer", ""))
            yield f"{self.name}/pixels", digest(image.mode.encode(), np.asarray(image).tobytes())
        yield f"{self.name}/file", digest(path.read_bytes())
        yield f"{self.name}/text", digest(text.encode())
        yield f"{self.name}/gain", digest(repr(json.loads(said)["gain"]).encode())

    def _bring(self) -> None:
        weights = self.folder / "weights.pth"
        torch.save(random_state(self.network, CLASSES), weights)
        self._run("models", "add", f"my-{self.network}", "--arch", self.network, weights.name)
        weights.unlink()

    def _run(self, *arguments: str) -> str:
        return dreamlayer(self.folder, *arguments)


def file_cases() -> Iterator[FileCase]:
    """All of them, in their order."""
    yield FileCase("file-png", "rgb.png", "rgb-out.png", ("--layer", "9"))
    yield FileCase("file-preset", "rgb.png", "preset.png", ("--preset", "strawberries"))
    select = ("--select", "40,30,110,90", "--feather", "8", "--context", "32")
    yield FileCase("file-select", "rgb.png", "select.png", select)
    masked = ("--mask", "mask.png", "--colour", "source", "--dither")
    yield FileCase("file-mask", "rgba.png", "mask-out.png", masked)
    yield FileCase(
        "file-guide", "rgb.png", "guide.png", ("--layer", "9:guide", "--guide", "coffee.jpg")
    )
    yield FileCase("file-grey", "grey.png", "grey-out.png")
    yield FileCase("file-deep-grey", "deep.png", "deep-out.tif", ("--layer", "7"))
    yield FileCase("file-grey-alpha", "la.png", "la-out.webp")
    yield FileCase("file-palette", "palette.png", "palette-out.png")
    yield FileCase("file-cmyk", "cmyk.tif", "cmyk-out.jpg")
    yield FileCase("file-again", "rgb.png", "again.bmp", ("--recipe", "recipe.json"))
    for arch, layer in ARCHITECTURES.items():
        options = ("--model", f"my-{arch}", "--layer", layer)
        yield FileCase(f"network-{arch}", "rgb.png", f"{arch}.png", options, arch)


def put_pictures(folder: Path) -> None:
    """Write what the cases read."""
    colours, alpha = photo("chelsea.png", SIZE), opacity(SIZE)
    rgb = Image.fromarray(colours)
    grey = np.asarray(rgb.convert("L"))
    rgb.save(folder / "rgb.png", dpi=(300, 300))
    Image.fromarray(np.dstack([colours, alpha])).save(folder / "rgba.png")
    Image.fromarray(grey).save(folder / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257 - grey // 2).save(folder / "deep.png")
    Image.fromarray(np.dstack([grey, alpha])).save(folder / "la.png")
    rgb.quantize(32).save(folder / "palette.png")
    rgb.convert("CMYK").save(folder / "cmyk.tif")
    Image.fromarray(ellipse(SIZE)).save(folder / "mask.png")
    Image.fromarray(photo("coffee.png", (300, 240))).save(folder / "coffee.jpg")
    recipe = {"layer": "features.7", "smooth": 1.5, "seed": 9, "roll": False}
    (folder / "recipe.json").write_text(json.dumps(recipe))


@contextlib.contextmanager
def daemon(folder: Path) -> Iterator[None]:
    """A daemon that keeps its things in `folder`.

    The one that a command starts would not have our PYTHONPATH, and so perhaps another Dreamlayer.
    """
    home = folder / "home"
    process = subprocess.Popen(
        [*COMMAND, "serve"], cwd=folder, env=_environment(folder), stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + LIMIT
        while not (home / "daemon.json").exists():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("The daemon does not start.")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(LIMIT)


def dreamlayer(folder: Path, *arguments: str) -> str:
    """What a command prints that works with the daemon there."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder, env=_environment(folder), capture_output=True, text=True, timeout=LIMIT,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise ValueError(done.stderr.strip())
    return done.stdout


def _environment(folder: Path) -> dict[str, str]:
    ours = {"DREAMLAYER_HOME": str(folder / "home"), "DREAMLAYER_THREADS": str(THREADS)}
    return {**os.environ, **ours}
