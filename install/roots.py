"""Debian root folders with both hosts installed, and commands to enter them.

A root is a folder with a complete small Debian: Krita, GIMP and what tests of their windows need.
There the plug-ins are tested in the real hosts, independently of what the machine has installed.

    python3 install/roots.py trixie            make the root (about two minutes, 1.4 GB) or find it
    python3 install/roots.py trixie krita …    run a command in it

`ensure` makes a root once and keeps it; `command` returns the argument vector that enters one. Both
need root permissions on a Debian machine: `why_not` returns a sentence about what is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if not __package__:  # this file is the program
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from install.root_making import (
    OLD_HOSTS,
    OUTSIDE,
    RECIPES,
    SUITES,
    WINE,
    Log,
    RootError,
    cache,
    have_program,
    last_line,
    locked,
    make,
)

__all__ = [
    "OLD_HOSTS",
    "OUTSIDE",
    "RECIPES",
    "SUITES",
    "WINE",
    "RootError",
    "cache",
    "have_program",
    "locked",
]

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
            f"({last_line(answer.stderr)}): give the container the capability SYS_ADMIN."
        )
    return None


def ensure(name: str, log: Log = print) -> Path:
    """The finished root of a recipe ("trixie", "forky" …), made on the first call.

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
            make(recipe, root, log)
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
