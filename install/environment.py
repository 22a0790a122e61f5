"""Dreamlayer's own virtual environment, separate from all other Python packages."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from install.errors import InstallError

STAMP = "dreamlayer.stamp"  # a file in the environment with the fingerprint of its sources
BEGUN = "dreamlayer.begun"  # a file in the environment from the first moment on: it is ours
MADE = "dreamlayer.made"  # the same file when the environment is made, and packages can come
PIP_WITH_PYTHON_OPTION = (22, 3)


@dataclass(frozen=True)
class Environment:
    """A virtual environment, which need not exist yet."""

    folder: Path

    @property
    def python(self) -> Path:
        return self._programs / ("python.exe" if os.name == "nt" else "python")

    @property
    def script(self) -> Path:
        """The command `dreamlayer`."""
        return self._programs / ("dreamlayer.exe" if os.name == "nt" else "dreamlayer")

    @property
    def _programs(self) -> Path:
        return self.folder / ("Scripts" if os.name == "nt" else "bin")

    def package(self, name: str) -> Path | None:
        """The folder of an installed package; None if it is not installed."""
        libraries = ("lib/python3*/site-packages", "Lib/site-packages")
        paths = [path for library in libraries for path in self.folder.glob(f"{library}/{name}")]
        return paths[0] if paths else None

    def works(self) -> bool:
        """Whether its Python starts and still has the version that the packages are for."""
        if not self.python.exists():
            return False
        try:
            done = self.run(
                "-c", "import sys; print(f'python{sys.version_info[0]}.{sys.version_info[1]}')"
            )
        except OSError:  # it is no program, or may not be run
            return False
        name = done.stdout.decode(errors="replace").strip()
        return done.returncode == 0 and (os.name == "nt" or (self.folder / "lib" / name).is_dir())

    @property
    def version(self) -> tuple[int, ...]:
        """The version of its Python, e.g. (3, 12, 1); () if it is damaged or does not exist."""
        try:
            settings = (self.folder / "pyvenv.cfg").read_text(encoding="utf-8")
        except (OSError, ValueError):
            return ()
        found = re.search(r"^version(?:_info)? *= *(\d+)\.(\d+)\.(\d+)", settings, re.MULTILINE)
        return tuple(map(int, found.groups())) if found else ()

    @property
    def is_complete(self) -> bool:
        """Whether its installation came to its end."""
        return (self.folder / STAMP).is_file()

    def run(self, *arguments: str | Path, **changes: str) -> subprocess.CompletedProcess[bytes]:
        """Run its Python and capture the output; `changes` are additional environment variables.

        Isolated (-I): the installer may have been called in a folder in which others plant modules.
        """
        return subprocess.run(
            [self.python, "-I", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=clean_environ() | changes,
            check=False,
        )

    def show(self, *arguments: str | Path) -> int:
        """Run its Python, isolated, in this terminal; returns the exit code."""
        return subprocess.call([self.python, "-I", *arguments], env=clean_environ())


def clean_environ() -> dict[str, str]:
    """The environment variables without those that would affect another Python."""
    unwanted = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__")
    return {key: value for key, value in os.environ.items() if key not in unwanted}


def make(environment: Environment) -> None:
    """Create the environment without packages, unless it exists and works.

    Raises:
        InstallError: with what to do.
    """
    _check_python()
    folder = environment.folder
    was_made = environment.is_complete or (folder / MADE).is_file()
    if was_made and environment.works():
        return
    has_pip = _prepare_venv()
    _clear(folder)
    print(f"Creating Dreamlayer's own environment in {folder}", flush=True)
    folder.mkdir()
    (folder / BEGUN).touch()
    options = [] if has_pip else ["--without-pip"]
    _run([sys.executable, "-I", "-m", "venv", *options, str(folder)], folder)
    (folder / BEGUN).rename(folder / MADE)


def _check_python() -> None:
    if "WindowsApps" in Path(sys.base_prefix).parts:
        raise InstallError(
            "This is the Microsoft Store's Python, whose files Krita and GIMP can't see:"
            " double-click Install-Windows.cmd of Dreamlayer's archive, which brings its own, or"
            " install Python from python.org and run install.py with that."
        )
    if sys.maxsize < 2**32:
        raise InstallError(
            "PyTorch needs a 64-bit Python, but this one is 32-bit:"
            " install a 64-bit Python and run install.py with that."
        )


def _prepare_venv() -> bool:
    """Make sure that environments can be created; returns whether they will have their own pip.

    Debian's Python comes without the modules for that.
    """
    if _has_venv():
        return True
    if importlib.util.find_spec("venv") and _pip_version() >= PIP_WITH_PYTHON_OPTION:
        return False
    package = f"python3.{sys.version_info.minor}-venv"
    if not shutil.which("apt-get"):
        raise InstallError(
            "This Python can't create environments (it has no venv with ensurepip):"
            " install that package of your system, then run install.py again."
        )
    if os.geteuid() != 0:
        raise InstallError(
            "This Python can't create environments:"
            f" run `sudo apt install {package}`, then run install.py again as yourself."
        )
    print(f"Installing {package} with apt-get, which Debian's Python needs", flush=True)
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    fetch = ["apt-get", "install", "-y", "-q", "--no-install-recommends", package]
    for argv in (fetch, ["apt-get", "update", "-q"], fetch):
        done = subprocess.run(argv, env=environ, capture_output=True, check=False)
        importlib.invalidate_caches()
        if _has_venv():
            return True
    words = done.stderr.decode(errors="replace").strip().splitlines()
    raise InstallError(
        f"apt-get could not install {package} ({words[-1] if words else 'no reason given'}):"
        " fix that, then run install.py again."
    )


def _has_venv() -> bool:
    return all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))


def _pip_version() -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in importlib.metadata.version("pip").split(".")[:2])
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return (0, 0)


def _clear(folder: Path) -> None:
    """Remove a broken environment, but no folder of anything else."""
    if not folder.exists():
        return
    is_ours = any((folder / name).exists() for name in (BEGUN, "pyvenv.cfg"))
    if not is_ours and any(folder.iterdir()):
        raise InstallError(
            f"{folder} exists, but is not a Python environment:"
            " move it elsewhere, then run install.py again."
        )
    shutil.rmtree(folder)


def _run(argv: Sequence[str], folder: Path) -> None:
    done = subprocess.run(argv, env=clean_environ(), capture_output=True, check=False)
    if done.returncode != 0:
        words = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()
        raise InstallError(
            f"Python could not create an environment in {folder}"
            f" ({words[-1] if words else 'no reason given'}): fix that, then run install.py again."
        )
