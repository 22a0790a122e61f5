"""A person at a Debian computer: a home of their own, no rights, no network but the loopback."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from install import roots

USER = 1000  # the person's user and group
NAME = "Zoë Müller"
# Without rights; the processes that a program leaves behind end with it, as the root does.
AS_PERSON = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
# A network with nothing but this computer: what would be fetched fails at once.
ALONE = ("unshare", "--net", "sh", "-ec", 'ip link set lo up; exec "$@"', "sh")
NOT_OURS = (".cache",)  # of Krita, GIMP and fontconfig, as they start


@dataclass(frozen=True)
class Said:
    """How a program ended, and what it said."""

    code: int
    text: str

    def well(self) -> str:
        """What it said; AssertionError if it failed."""
        assert self.code == 0, self.text
        return self.text


class Person:
    """A person with a home in a folder of this machine, at a computer that is a root.

    Attributes:
        home: seen at the same path in the root.
    """

    def __init__(self, root: Path, folder: Path, python: dict[str, str]) -> None:
        self.root = root
        self.home = folder / NAME
        self.home.mkdir(parents=True)
        self.python = python
        self.own(self.home)

    def own(self, path: Path) -> None:
        """Give a file or a folder with all that is in it to the person."""
        for place in (path, *path.rglob("*")):
            os.chown(place, USER, USER, follow_symlinks=False)

    def keep(self, source: Path, name: str) -> Path:
        """Copy a file or a folder into the home."""
        target = self.home / name
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copy(source, target)
        self.own(target)
        return target

    def starts(self, *argv: str | Path, shown: Sequence[Path] = ()) -> subprocess.Popen[str]:
        """Start a program in the home; it can read the folders of this machine that are `shown`."""
        binds = dict.fromkeys(shown, "ro") | {self.home: "rw"}
        env = {"HOME": str(self.home), "LANG": "C.UTF-8", "USER": NAME, **self.python}
        command = [*AS_PERSON, *map(str, argv)]
        entered = roots.command(self.root, command, binds, env, self.home)
        return subprocess.Popen(
            [*ALONE, *entered],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def runs(self, *argv: str | Path, shown: Sequence[Path] = (), timeout: float = 900) -> Said:
        """Run a program to its end; the daemon that it starts ends with it."""
        process = self.starts(*argv, shown=shown)
        try:
            text, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill(process)
            raise
        return Said(process.returncode, text)

    def kill(self, process: subprocess.Popen[str]) -> None:
        """End a program and all that it has started, at once, as a power cut would."""
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def files(self) -> dict[str, str]:
        """What is in the home: paths and, for files, their SHA-256."""
        return {
            str(path.relative_to(self.home)): _content(path)
            for path in self.home.rglob("*")
            if path.relative_to(self.home).parts[0] not in NOT_OURS
        }


def _content(path: Path) -> str:
    if path.is_symlink():
        return str(path.readlink())
    return "" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
