"""Many small pictures, one by one and in one command: python -m tests.bench.batch.

The daemon runs with its network loaded, and all write the same files, which is checked. The time is
that of the whole program from its start to its end.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

PHOTO = Path(__file__).parents[1] / "pictures" / "peaks.jpg"
COMMAND = [sys.executable, "-m", "dreamlayer"]
# What is dreamed: strokes in a moment, and what people dream.
RECIPES = {
    "`--layer 3 --octaves 1 --steps 2`": {"layer": "3", "octaves": 1, "steps": 2},
    "`--preset animals --steps 3`": {"preset": "animals", "steps": 3},
    "`--preset animals`": {"preset": "animals"},
}
PYTHON = """
import sys
from pathlib import Path
import dreamlayer
folder, output, options = Path(sys.argv[1]), sys.argv[2], eval(sys.argv[3])
list(dreamlayer.dream_all(sorted(folder.iterdir()), output=output, seed=7, **options))
"""
HEAD = "| recipe | a command each | one command | Python | one command is |\n|---|---|---|---|---|"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--side", type=int, default=64, help="pixels")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ["DREAMLAYER_HOME"] = str(Path(name) / "home")
        photos = Path(name) / "photos"
        _cut(photos, arguments.pictures, arguments.side)
        print(f"{arguments.pictures} pictures of {arguments.side} × {arguments.side} pixels:\n")
        print(HEAD, flush=True)
        try:
            for title, options in RECIPES.items():
                print(_row(title, options, photos, Path(name)), flush=True)
        finally:
            subprocess.run([*COMMAND, "stop"], stdout=subprocess.DEVNULL, check=False)


def _cut(folder: Path, count: int, side: int) -> None:
    """Write as many parts of a photo as PNGs."""
    folder.mkdir()
    with Image.open(PHOTO) as photo:
        across = photo.width - side
        for i in range(count):
            x, y = i * 37 % across, i * 23 % (photo.height - side)
            photo.crop((x, y, x + side, y + side)).save(folder / f"{i:03}.png")


def _row(title: str, options: dict[str, object], photos: Path, folder: Path) -> str:
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    dream = [*COMMAND, "dream", "--seed", "7", *words]
    paths = sorted(photos.iterdir())
    outputs = [folder / name for name in ("single", "batch", "python")]
    for output in outputs:
        output.mkdir(exist_ok=True)
    single, batch, python = outputs
    _timed([*dream, str(paths[0]), "-o", str(single / "first.png")])  # the network is loaded
    (single / "first.png").unlink()
    began = time.monotonic()
    for path in paths:
        _timed([*dream, str(path), "-o", str(single / path.name)])
    each = time.monotonic() - began
    one = _timed([*dream, str(photos), "-o", str(batch / "{name}.png")])
    called = _timed(
        [sys.executable, "-c", PYTHON, str(photos), str(python / "{name}.png"), repr(options)]
    )
    for path in paths:
        files = [(output / path.name).read_bytes() for output in outputs]
        assert files[0] == files[1] == files[2], path
    return (
        f"| {title} | {each:.1f} s | {one:.1f} s, {60 * len(paths) / one:.0f} a minute |"
        f" {called:.1f} s | {each / one:.1f} × as fast |"
    )


def _timed(command: list[str]) -> float:
    """Seconds that a program takes; raises CalledProcessError if it fails."""
    began = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
