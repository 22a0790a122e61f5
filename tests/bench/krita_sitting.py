"""One sitting in Krita, in ten pictures: python -m tests.bench.krita_sitting [trixie|forky].

In a real Krita with the real daemon a photo is opened, selected in, looked at, dreamed on, changed
by a slider, undone, redone, saved, opened again and edited, by mouse and keyboard as a painter
would. Each step is asserted (inside/krita_sitting.py) and becomes a small picture for
docs/design/krita.md.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from PIL import Image

from install import roots
from tests.hosts import warm
from tests.hosts.session import CHECKOUT, SCREENSHOTS, VERSIONS, HostSession

SCRIPT = Path(__file__).parent / "inside/krita_sitting.py"
PHOTO = CHECKOUT / "tests/pictures/chelsea.png"
FOLDER = CHECKOUT / "docs/pictures/sitting"
SCREEN = "960x760x24"  # small, so that what is in the pictures is legible
WIDTH = 600  # px
QUALITY = 72  # of JPEG


class SmallScreen(HostSession):
    """A session whose screen is no larger than the pictures can show."""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "SCREEN": SCREEN}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", nargs="?", default="trixie", choices=VERSIONS)
    parser.add_argument("--to", type=Path, default=FOLDER, help="the folder of the pictures")
    arguments = parser.parse_args()
    root = roots.ensure(arguments.suite)
    with SmallScreen(arguments.suite, root, warm.ensure(arguments.suite, root)) as session:
        session.install_plugins()
        facts = session.run_krita(
            SCRIPT,
            timeout=300,
            folder=str(session.folder),
            checkout=str(CHECKOUT),
            photo=str(shutil.copy(PHOTO, session.pictures)),
        ).facts()
    shutil.rmtree(arguments.to, ignore_errors=True)
    arguments.to.mkdir(parents=True)
    for step in facts["steps"]:
        _keep(SCREENSHOTS / f"{arguments.suite}-krita-sitting-{step}.png", arguments.to / step)


def _keep(screenshot: Path, target: Path) -> None:
    with Image.open(screenshot) as screen:
        height = round(screen.height * WIDTH / screen.width)
        small = screen.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    path = target.with_suffix(".jpg")
    small.save(path, quality=QUALITY, optimize=True, progressive=True)
    print(f"{path.name}: {WIDTH} × {height}, {path.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main()
