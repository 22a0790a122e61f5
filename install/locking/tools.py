"""uv, which finds versions for all systems and Pythons at once."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from install.locking.pins import Pin, parse
from install.locking.targets import PYTHONS, LockTarget

UV = "0.13.9"
PIP = "26.3"


class LockingTools:
    """uv in an environment of its own, and the pip that knows which index to ask."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        programs = folder / ("Scripts" if os.name == "nt" else "bin")
        venv.create(folder, with_pip=True)
        self._pip = [str(programs / "python"), "-m", "pip", "--disable-pip-version-check"]
        _run([*self._pip, "install", "--quiet", f"pip=={PIP}", f"uv=={UV}"])
        self._uv = str(programs / "uv")

    def lock(
        self,
        requirements: Iterable[str],
        known: Iterable[Pin] = (),
        upgrade: bool = False,
        oldest: str = PYTHONS[0],
    ) -> list[Pin]:
        """The pins of everything that the requirements need, with the hashes of all wheels.

        Args:
            known: pins that are kept if their packages are needed
            upgrade: whether these are given up for newer versions
            oldest: the Python from which on the pins must do
        """
        wanted, got = self._folder / "wanted.txt", self._folder / "got.txt"
        wanted.write_text("".join(f"{line}\n" for line in requirements), encoding="utf-8")
        got.write_text("" if upgrade else "".join(f"{pin}\n" for pin in known), encoding="utf-8")
        command = [self._uv, "--quiet", "pip", "compile", str(wanted), "--output-file", str(got)]
        options = ["--universal", "--python-version", oldest, "--generate-hashes"]
        plain = ["--no-header", "--no-annotate", "--no-emit-index-url", "--only-binary", ":all:"]
        _run([*command, *options, *plain, *self._index()])
        return parse(got.read_text(encoding="utf-8"))

    def refusal(self, pins: Iterable[Pin], target: LockTarget) -> str:
        """What uv has against installing these pins on a system and Python; "" is nothing.

        It looks for a wheel of each, and for requirements of theirs that are not pinned. It reads
        metadata only, so it does not compare hashes: `lock` takes these from the index.
        """
        locked = self._folder / "locked.txt"
        locked.write_text("".join(f"{pin}\n" for pin in pins), encoding="utf-8")
        command = [self._uv, "--quiet", "pip", "install", "--dry-run", "--require-hashes"]
        kind = ["--only-binary", ":all:", "--target", str(self._folder / "nothing")]
        where = ["--python-platform", target.system.uv, "--python-version", target.python]
        done = subprocess.run(
            [*command, *kind, *where, *self._index(), "--requirements", str(locked)],
            capture_output=True, text=True, check=False,
            env=os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"},  # the oldest for PyTorch
        )  # fmt: skip
        return done.stderr.strip() if done.returncode else ""

    def _index(self) -> list[str]:
        """The index that pip would ask: uv reads nothing of pip's configuration."""
        done = subprocess.run(
            [*self._pip, "config", "get", "global.index-url"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        address = os.environ.get("PIP_INDEX_URL") or done.stdout.strip()
        return ["--default-index", address] if address else []


@contextmanager
def fresh_tools() -> Iterator[LockingTools]:
    """Make the tools for a while, in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        yield LockingTools(Path(folder))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        sys.exit(f"This failed, for the reason above: {' '.join(command)}")
