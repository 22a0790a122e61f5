"""A film whose command is killed at random moments has the bytes of one that was left alone."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

PHOTO = Path(__file__).parents[1] / "pictures" / "chelsea.png"
FRAMES = 90  # more than there are before ten kills, also where a frame takes a moment
KILLS = 10
LIMIT = 300  # seconds


@pytest.mark.slow
def test_ten_kills_and_the_same_bytes(tmp_path: Path) -> None:
    film = tmp_path / "film"
    film.mkdir()
    with Image.open(PHOTO) as photo:
        for number in range(FRAMES):
            box = (80 + number, 60, 160 + number, 124)
            photo.convert("RGB").crop(box).save(film / f"{number}.png")
    assert start(tmp_path, "whole").wait(LIMIT) == 0

    chance = random.Random(20)
    kills = 0
    while kills < KILLS:
        done = frames(tmp_path / "out")
        process = start(tmp_path, "out", "--resume")
        until = time.monotonic() + LIMIT
        while process.poll() is None and len(frames(tmp_path / "out")) < len(done) + 2:
            assert time.monotonic() < until
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.15))  # a frame takes about as long
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        kills += 1
    assert kills == KILLS
    assert start(tmp_path, "out", "--resume").wait(LIMIT) == 0
    assert frames(tmp_path / "out") == frames(tmp_path / "whole")


def start(folder: Path, output: str, *more: str) -> subprocess.Popen[bytes]:
    recipe = ["--layer", "features.5", "--octaves", "2", "--steps", "4", "--seed", "3"]
    command = [sys.executable, "-m", "dreamlayer", "film", "film", "-o", output]
    environ = {**os.environ, "DREAMLAYER_HOME": str(folder / "home")}
    return subprocess.Popen(
        [*command, "--cuts", "none", *recipe, *more], cwd=folder, env=environ,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip


def frames(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("[0-9]*.png"))}
