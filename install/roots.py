"""Debian root folders with both hosts installed, and commands to enter them.

A root is a folder with a complete small Debian: Krita, GIMP and what tests of their windows need.
There the plug-ins are tested in the real hosts, independently of what the machine has installed.

    python3 install/roots.py trixie            make the root (about two minutes, 1.4 GB) or find it
    python3 install/roots.py trixie krita …    run a command in it

`ensure` makes a root once and keeps it; `command` returns the argument vector that enters one. Both
need root permissions on a Debian machine: `why_not` returns a sentence about what is missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: no roots there, and no lock
    fcntl = None  # type: ignore[assignment]

SUITES = ("trixie", "forky")  # Krita 5.2 and GIMP 3.0; Krita 5.3 and GIMP 3.2
WINE = "wine"  # the root that stands in for Windows

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

OUTSIDE = "/outer"  # the machine's own files, seen inside a root

# Runs as process 1 of its own process and mount namespaces, so all its mounts and processes are
# gone when it ends, however it ends. Arguments: the root, then pairs of "ro"/"rw" and a path, then
# "--" and the command. It keeps running to reap orphaned processes.
ENTER = """
root=$1; shift
mount --bind "$root" "$root"
mount --rbind / "$root/outer"
mount -t proc proc "$root/proc"
mount -t proc proc "$root/outer/proc"
mount --rbind /dev "$root/dev"
for folder in dev/shm tmp run; do mount -t tmpfs tmpfs "$root/$folder"; done
while [ "$1" != -- ]; do
    if [ -d "$2" ]; then mkdir -p "$root$2"
    else mkdir -p "$root${2%/*}"; [ -e "$root$2" ] || : > "$root$2"
    fi
    mount --bind "$2" "$root$2"
    if [ "$1" = ro ]; then mount -o remount,bind,ro "$root$2"; fi
    shift 2
done
shift
mount -o remount,bind,ro "$root"
chroot "$root" "$@" || exit $?
"""

Log = Callable[[str], None]


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
    WINE: RootRecipe("trixie", WINE_PACKAGES, "with Wine in it"),
}


class RootError(RuntimeError):
    """A root can't be made; the text says why and what to do."""


def cache() -> Path:
    """The folder where tests cache what is slow to make; `DREAMLAYER_CACHE` overrides it."""
    named = os.environ.get("DREAMLAYER_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "dreamlayer-tests"


def why_not() -> str | None:
    """A sentence that says why this machine can't have Debian roots; None if it can."""
    if not sys.platform.startswith("linux") or not shutil.which("apt-get"):
        return "Debian roots need a Debian machine: there is no apt-get here."
    if os.geteuid() != 0:
        return "Debian roots can only be made and entered as root: run this with sudo."
    missing = [tool for tool in ("unshare", "nsenter", "mount", "chroot") if not shutil.which(tool)]
    if missing:
        return f"Debian roots need {' and '.join(missing)}: install util-linux and coreutils."
    trial = ["unshare", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    answer = subprocess.run(trial, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        return (
            f"Debian roots need namespaces and mounts, which are refused here "
            f"({_last_line(answer.stderr)}): give the container the capability SYS_ADMIN."
        )
    return None


def ensure(name: str, log: Log = print) -> Path:
    """The finished root of a suite ("trixie" or "forky") or WINE, made on the first call.

    The folder's name carries a hash of the recipe, so a changed recipe makes a new root. Two runs
    that need the same root at once wait for each other. Raises RootError if it can't be made.
    """
    recipe = RECIPES.get(name)
    if recipe is None:
        raise RootError(f"There is no root for {name!r}: choose one of {', '.join(RECIPES)}.")
    reason = why_not()
    if reason:
        raise RootError(reason)
    root = cache() / "roots" / f"{name}-{recipe.digest()}"
    with locked(root.with_suffix(".lock"), log):
        if not root.is_dir():
            _make(recipe, root, log)
    return root


def command(
    root: Path,
    argv: Sequence[str],
    binds: Mapping[Path, str] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | str = "/",
) -> list[str]:
    """The argument vector that runs `argv` in a root and leaves nothing behind.

    binds: paths of this machine to show at the same path inside, each with "ro" or "rw"; a path
    must come after its parents. env: the whole environment except PATH. All other files are the
    root's own, read-only, except /tmp, /run and /dev/shm, which are empty at the start. The
    machine's own files are at /outer: `chroot /outer …` inside runs a program of the machine. The
    exit status is the command's (128 + n for signal n).
    """
    namespaces = ["--mount", "--propagation", "private", "--pid", "--ipc", "--kill-child"]
    shown = [word for path, mode in (binds or {}).items() for word in (mode, str(path))]
    inside = _with_environment(argv, env, cwd)
    return ["unshare", *namespaces, "sh", "-ec", ENTER, "enter", str(root), *shown, "--", *inside]


def join(
    holder: int,
    root: Path,
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | str = "/",
    outside: bool = False,
) -> list[str]:
    """The argument vector that runs `argv` in the namespaces of a running `command`.

    holder: the process id of that command's `unshare`. With `outside` the program and its files are
    the machine's own, but its processes still count as the holder's and end with it.
    """
    namespaces = [f"--{kind}=/proc/{holder}/ns/{file}" for kind, file in _NAMESPACE_FILES.items()]
    top = f"{root}{OUTSIDE}" if outside else str(root)
    return ["nsenter", *namespaces, "chroot", top, *_with_environment(argv, env, cwd)]


_NAMESPACE_FILES = {"mount": "mnt", "ipc": "ipc", "pid": "pid_for_children"}


def _with_environment(
    argv: Sequence[str], env: Mapping[str, str] | None, cwd: Path | str
) -> list[str]:
    variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(env or {})}
    words = [f"{name}={value}" for name, value in variables.items()]
    return ["env", "-i", f"--chdir={cwd}", *words, *argv]


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


def _make(recipe: RootRecipe, root: Path, log: Log) -> None:
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
    if not shutil.which("mmdebstrap"):
        _apt("update", log)
        _apt("install --yes --no-install-recommends mmdebstrap", log)
    # In its own namespaces, so an interrupted build leaves neither mounts nor processes.
    private = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
    _run([*private, *_mmdebstrap(recipe, unfinished, log)], root.with_suffix(".log"))
    (unfinished / OUTSIDE.strip("/")).mkdir()
    unfinished.rename(root)
    log(f"{root} is ready after {time.monotonic() - start:.0f} s.")


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


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no reason given"


def main(arguments: list[str]) -> int:
    """Make or find the root of a suite, and run a command in it if there is one."""
    if not arguments or arguments[0] not in RECIPES:
        print(f"usage: python3 {sys.argv[0]} {{{','.join(RECIPES)}}} [COMMAND …]", file=sys.stderr)
        return 2
    try:
        root = ensure(arguments[0], lambda line: print(line, file=sys.stderr))
    except RootError as error:
        print(error, file=sys.stderr)
        return 1
    if not arguments[1:]:
        print(root)
        return 0
    return subprocess.run(command(root, arguments[1:]), check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
