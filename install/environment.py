"""Dreamlayer's own virtual environment, separate from all other Python packages."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from install.errors import InstallError

STAMP = "dreamlayer.stamp"  # a file in the environment with the fingerprint of its sources
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "daemon/dreamlayer", "plugins/link/dreamlink")
PIP_WITH_PYTHON_OPTION = (22, 3)
CLUES = (  # texts in pip's log, and what they mean for the user
    ("No space left on device", "The disk is full: free some space"),
    ("There is not enough space on the disk", "The disk is full: free some space"),
    ("CERTIFICATE_VERIFY_FAILED", "The package index is not trusted: fix its certificate"),
    ("InvalidProxyURL", "The proxy's address is wrong: correct HTTPS_PROXY, e.g."
     " http://proxy.example:3128"),
    ("Cannot connect to proxy", "The proxy can't be reached: correct or remove HTTPS_PROXY"),
    ("407 Proxy Authentication", "The proxy needs a password: set HTTPS_PROXY for pip"),
    ("NewConnectionError", "The package index can't be reached: go online"),
    ("NameResolutionError", "The package index can't be reached: go online"),
    ("ConnectTimeoutError", "The package index does not answer: check the network"),
    ("ReadTimeoutError", "The package index does not answer: check the network"),
    ("THESE PACKAGES DO NOT MATCH THE HASHES", "A download was corrupted: clear pip's cache"),
    ("No matching distribution found", "A library has no package for this Python and system:"
     " use a 64-bit Python 3.10 to 3.14"),
)  # fmt: skip


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
    def is_complete(self) -> bool:
        """Whether its installation came to its end."""
        return (self.folder / STAMP).is_file()

    def is_current(self, checkout: Path) -> bool:
        """Whether it was built completely, from exactly these sources."""
        try:
            stamp = (self.folder / STAMP).read_text(encoding="utf-8")
        except OSError:
            return False
        return stamp == fingerprint(checkout) and self.works()

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


def fingerprint(checkout: Path) -> str:
    """A hash of the sources to install."""
    digest = hashlib.sha256()
    for source in SOURCES:
        top = checkout / source
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            name = path.relative_to(checkout)
            if path.is_file() and "__pycache__" not in name.parts:
                content = path.read_bytes()
                digest.update(f"{name.as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def build(environment: Environment, checkout: Path, log: Path) -> None:
    """Create or update the environment with the project and its pinned libraries.

    Raises:
        InstallError: with what to do.
    """
    make(environment)
    folder = environment.folder
    print("Installing Dreamlayer and its libraries: this can take minutes", flush=True)
    stamp = fingerprint(checkout)  # first, so that a change meanwhile is noticed
    (folder / STAMP).unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    pip_install(environment, log, str(checkout))
    (folder / STAMP).write_text(stamp, encoding="utf-8")


def make(environment: Environment) -> None:
    """Create the environment without packages, unless it exists and works.

    Raises:
        InstallError: with what to do.
    """
    _check_python()
    folder = environment.folder
    if environment.works():
        return
    has_pip = _prepare_venv()
    _clear(folder)
    print(f"Creating Dreamlayer's own environment in {folder}", flush=True)
    options = [] if has_pip else ["--without-pip"]
    _run([sys.executable, "-I", "-m", "venv", *options, str(folder)], folder)


def pip_command(environment: Environment) -> list[str]:
    """The command of pip for the environment: its own pip, or that of this Python."""
    if environment.package("pip"):
        return [str(environment.python), "-m", "pip"]
    return [sys.executable, "-m", "pip", "--python", str(environment.python)]


def _check_python() -> None:
    if "WindowsApps" in Path(sys.base_prefix).parts:
        raise InstallError(
            "This is the Microsoft Store's Python, whose files Krita and GIMP can't see:"
            " install Python from python.org and run install.py with that."
        )
    if sys.maxsize < 2**32:
        raise InstallError(
            "PyTorch needs a 64-bit Python, but this one is 32-bit:"
            " install a 64-bit Python and run install.py with that."
        )


def check_space(home: Path, fetched: float, unpacked: float, otherwise: str = "") -> None:
    """Raise InstallError if the disks have no room for so many bytes.

    pip unpacks in `home`, but downloads into the folder for temporary files. `otherwise` is what
    else the user can do about it.
    """
    temporary = Path(tempfile.gettempdir())
    together = home.stat().st_dev == temporary.stat().st_dev
    needs = {home: unpacked + fetched if together else unpacked}
    if not together:
        needs[temporary] = fetched
    for folder, needed in needs.items():
        free = shutil.disk_usage(folder).free
        if free < needed:
            move = "DREAMLAYER_HOME" if folder == home else "TMPDIR (on Windows TEMP)"
            raise InstallError(
                f"There are only {free / 1e9:.1f} GB free in {folder}, but Dreamlayer needs"
                f" {needed / 1e9:.1f}: free some space, or set {move} to another folder{otherwise}."
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
    if not (folder / "pyvenv.cfg").exists() and any(folder.iterdir()):
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


def pip_install(environment: Environment, log: Path, *arguments: str) -> None:
    """Have pip install something into the environment; what it does is shown, and logged.

    Raises:
        InstallError: with what to do.
    """
    options = ["--no-user", "--disable-pip-version-check", "--no-warn-script-location"]
    command = [*pip_command(environment), "--log", str(log), "install", *options, *arguments]
    # Not in the current folder, from which Python would import.
    if subprocess.call(command, env=clean_environ(), cwd=environment.folder) == 0:
        return
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    reasons = [meaning for clue, meaning in CLUES if clue in text]
    raise InstallError(
        f"{reasons[0] if reasons else 'pip failed: the reason is above. Fix it'},"
        f" then run install.py again; it continues where it stopped. (pip's log: {log})"
    )
