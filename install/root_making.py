"""Makes Debian root folders: what is in each of them, and mmdebstrap, which puts it there."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: no roots there, and no lock
    fcntl = None  # type: ignore[assignment]

SUITES = ("trixie", "forky")  # Krita 5.2 and GIMP 3.0; Krita 5.3 and GIMP 3.2
OLD_HOSTS = "bookworm"  # Krita 5.1 and GIMP 2.10, too old for the plug-ins
WINE = "wine"  # the root that stands in for Windows
OUTSIDE = "/outer"  # the machine's own files, seen inside a root

PACKAGES = (
    "krita",
    "python3-pyqt5",  # only recommended by krita, but without it there are no Python plug-ins
    "gimp",
    "xvfb",
    "xauth",
    "xdotool",
    "openbox",  # xdotool can only activate windows where there is a window manager
    "imagemagick",  # screenshots
    "x11-utils",
    "dbus-x11",
    "fonts-dejavu-core",
    "adwaita-icon-theme",
)
WINE_PACKAGES = ("wine", "wine64", "gcc-mingw-w64-x86-64-posix")  # and what compiles a python.exe
BARE_PYTHON = ("python3", "python3-venv")
BARE_PACKAGES = ("ca-certificates", "procps")  # of people without Krita and GIMP
# No recommended packages and no documents: a third of the size. No fsyncs: a folder is used only
# once it is complete. forky's package lists may be older than their stated validity.
APT_OPTIONS = (
    'APT::Install-Recommends "false"',
    'Acquire::Languages "none"',
    'Acquire::Check-Valid-Until "false"',
    'Acquire::Retries "3"',
)
DPKG_OPTIONS = (
    "force-unsafe-io",
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
)
KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")
SPACE_NEEDED = 4e9  # bytes: the root and, while it is made, the packages it comes from

Log = Callable[[str], None]


class RootError(RuntimeError):
    """A root can't be made; the text says why and what to do."""


def cache() -> Path:
    """The folder where tests cache what is slow to make; `DREAMLAYER_CACHE` overrides it."""
    named = os.environ.get("DREAMLAYER_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "dreamlayer-tests"


@contextmanager
def locked(path: Path, log: Log) -> Iterator[None]:
    """Hold a lock file; the system releases it if this process dies."""
    if fcntl is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log(f"Waiting for another run that holds {path} …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class RootRecipe:
    """What a root is made of; `about` says it in the log."""

    suite: str
    packages: tuple[str, ...]
    about: str

    def digest(self) -> str:
        """A hash of what is installed and how."""
        text = json.dumps([self.packages, APT_OPTIONS, DPKG_OPTIONS])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


RECIPES = {
    **{suite: RootRecipe(suite, PACKAGES, "with Krita and GIMP in it") for suite in SUITES},
    OLD_HOSTS: RootRecipe(OLD_HOSTS, PACKAGES, "with an old Krita and GIMP in it"),
    WINE: RootRecipe("trixie", WINE_PACKAGES, "with Wine in it"),
    "bookworm-bare": RootRecipe(
        "bookworm", (*BARE_PACKAGES, "python3", "python3-venv"), "with Python"
    ),
    "trixie-bare": RootRecipe("trixie", BARE_PACKAGES, "with neither Python nor hosts"),
}


def make(recipe: RootRecipe, root: Path, log: Log) -> None:
    """Make a root in a folder of another name and rename it, so a partial root is never used."""
    unfinished = root.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    if shutil.disk_usage(root.parent).free < SPACE_NEEDED:
        raise RootError(
            f"A Debian root needs {SPACE_NEEDED / 1e9:.0f} GB of free space below {root.parent}: "
            "free some space, or set DREAMLAYER_CACHE to another folder."
        )
    start = time.monotonic()
    log(f"Making a Debian {recipe.suite} {recipe.about} (one to four minutes) …")
    have_program("mmdebstrap", "mmdebstrap", log)
    # In its own namespaces, so an interrupted build leaves neither mounts nor processes.
    private = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
    _run([*private, *_mmdebstrap(recipe, unfinished, log)], root.with_suffix(".log"))
    (unfinished / OUTSIDE.strip("/")).mkdir()
    unfinished.rename(root)
    log(f"{root} is ready after {time.monotonic() - start:.0f} s.")


def have_program(name: str, package: str, log: Log) -> None:
    """Install a Debian package, unless its program is there; raises RootError."""
    if shutil.which(name):
        return
    with locked(cache() / "apt.lock", log):  # apt refuses a second one at the same time
        if not shutil.which(name):
            _apt("update", log)
            _apt(f"install --yes --no-install-recommends {package}", log)


def _mmdebstrap(recipe: RootRecipe, folder: Path, log: Log) -> list[str]:
    options = [f"--aptopt={option}" for option in (*APT_OPTIONS, *_network_options())]
    options += [f"--dpkgopt={option}" for option in DPKG_OPTIONS]
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=apt",
        "--format=directory",
        f"--include={','.join(recipe.packages)}",
        *options,
        recipe.suite,
        str(folder),
        f"deb {_signed_by()}{_archive(log)} {recipe.suite} main",
    ]


def _archive(log: Log) -> str:
    """The address of the Debian archive that this machine's own apt uses.

    apt itself is asked, so the files and formats of its configuration don't matter.
    """
    archives = _debian_archives()
    if not archives:  # apt knows an archive's origin only after it has fetched its lists
        _apt("update", log)
        archives = _debian_archives()
    if not archives:
        raise RootError(
            "This machine's apt knows no Debian archive to make the roots from: "
            "add Debian's main archive to /etc/apt/sources.list.d and try again."
        )
    return archives[0]


def _debian_archives() -> list[str]:
    form = "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)"
    asked = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
    lines = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
    # security updates have a label of their own, third parties an origin of their own
    ours = "Debian|Debian|main|"
    return [line.removeprefix(ours) for line in lines if line.startswith(ours)]


def _network_options() -> list[str]:
    """Proxies, certificates and the like that this machine's apt needs to reach its archive."""
    dumped = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
    lines = dumped.stdout.splitlines()
    wanted = re.compile(r'Acquire::(https?|ftp|ForceIPv[46]|Proxy-Auto-Detect)\b.* "[^"]+";')
    return [line.rstrip(";") for line in lines if wanted.fullmatch(line)]


def _signed_by() -> str:
    for name in KEYRINGS:
        path = Path("/usr/share/keyrings") / name
        if path.exists():
            return f"[signed-by={path}] "
    return ""  # apt then uses the keys that it trusts in general


def _apt(action: str, log: Log) -> None:
    argv = ["apt-get", *action.split()]
    log(f"{shlex.join(argv)} …")
    _run(argv, cache() / "apt.log")


def _run(argv: list[str], log_file: Path) -> None:
    log_file.parent.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    with log_file.open("w", encoding="utf-8") as log:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, check=False
        )
    if done.returncode != 0:
        output = log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        raise RootError(
            f"{shlex.join(argv[:2])} … failed with status {done.returncode}; its output is in "
            f"{log_file}, and ends with:\n" + "\n".join(output[-15:])
        )


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no reason given"
