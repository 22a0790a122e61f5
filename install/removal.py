"""`install.py --uninstall`: removes everything that was installed, and nothing else.

What the user has made since (settings, keys, networks of their own) is kept and named, and only
removed with --everything.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path

from dreamlink.client import discovery
from dreamlink.client.setup import unpacking
from dreamlink.client.wish import WISH_FILE
from install.command_link import unlink_command
from install.environment import BEGUN, MADE, STAMP
from install.errors import for_user
from install.hosts import copying, kritarc, places
from install.hosts.places import Machine
from install.login import setup as login
from install.own import Own, stop_daemon
from install.packages.pip import downloads

# What the user has made: its name in Dreamlayer's folder, what it is, and the files that are it.
KEPT = {
    "models": ("networks of your own", ("models/*.safetensors", "models/*.json")),
    "settings.json": ("settings", ("settings.json",)),
    "keys": ("keys of computers that dream for each other", ("keys/*.json",)),
}
# Only by names that nobody else's have is a whole folder removed: DREAMLAYER_HOME may name one that
# has other things in it.
PYTHON = "dreamlayer-python"  # the folder with the Python that a start script has brought
ENVIRONMENTS_OWN = (STAMP, MADE, BEGUN, "pyvenv.cfg")  # files that say that it is one of ours


def uninstall(own: Own, machine: Machine, *, everything: bool = False) -> None:
    """Stop the daemon and remove the plug-ins, the environment and Dreamlayer's own files.

    A second run finds nothing left to do.

    Args:
        everything: also what the user has made.

    Raises:
        InstallError: something is in use or write-protected.
    """
    environment = own.environment
    removed = login.remove(machine)
    removed |= stop_daemon(environment)
    for krita in places.kritas(machine):
        if copying.remove_krita(krita.data) | kritarc.disable(krita.settings):
            print(f"{krita.name}: removed the plug-in from {krita.data}")
            removed = True
    for gimp in places.gimps(machine):
        if copying.remove_gimp(gimp.profile):
            print(f"{gimp.name}: removed the plug-in from {gimp.profile}")
            removed = True
    removed |= unlink_command(environment, machine)
    if any((environment.folder / name).is_file() for name in ENVIRONMENTS_OWN):
        print(f"Removing {environment.folder}", flush=True)
        shutil.rmtree(environment.folder)
        removed = True
    removed |= _remove_files(own)
    removed |= everything and _remove_what_the_user_made(own)
    removed |= _remove_python(own)
    with contextlib.suppress(OSError):
        own.home.rmdir()  # only if it is empty, and so on
        if own.home.parent == machine.home / ".local" / "share":  # which it may have brought
            own.home.parent.rmdir()
            own.home.parent.parent.rmdir()
    print("Dreamlayer is uninstalled." if removed else "Dreamlayer was not installed.")
    _say_what_is_left(own)


def _say_what_is_left(own: Own) -> None:
    if not own.home.is_dir():
        return
    left = {path.name for path in own.home.iterdir()} - ({PYTHON} if _is_in_use(own) else set())
    kept = [f"{words} ({name})" for name, (words, _) in KEPT.items() if name in left]
    if kept:
        print(f"Kept in {own.home}: {', '.join(kept)}.")
        print(for_user("To remove that, too: install.py --uninstall --everything"))
    if left - KEPT.keys():
        print(f"Its folder has other files and was kept: {own.home}")


def _remove_files(own: Own) -> bool:
    present = [path for path in own.files if path.is_file()]
    for path in present:
        path.unlink()
    ours = (discovery.MACHINES, unpacking.FOLDER, unpacking.UNFINISHED, discovery.THUMBNAILS)
    folders = [*(own.home / name for name in ours), downloads(own.environment)]
    removed = [_remove(folder) for folder in folders]
    for copy in discovery.sandbox_copies():
        shutil.rmtree(copy / discovery.MACHINES, ignore_errors=True)
        with contextlib.suppress(OSError):
            for name in (discovery.DAEMON_FILE, discovery.MACHINE_FILE, WISH_FILE):
                (copy / name).unlink(missing_ok=True)
            copy.rmdir()
    return bool(present) or any(removed)


def _remove_what_the_user_made(own: Own) -> bool:
    patterns = [pattern for _, patterns in KEPT.values() for pattern in patterns]
    present = [path for pattern in patterns for path in own.home.glob(pattern)]
    for path in present:
        path.unlink()
        with contextlib.suppress(OSError):
            path.parent.rmdir()  # only if it is empty
    return bool(present)


def _remove_python(own: Own) -> bool:
    """Remove the Python that a start script has brought, unless this runs in it on Windows.

    Windows removes no program that runs; the start script then does it.
    """
    return not _is_in_use(own) and _remove(own.home / PYTHON)


def _is_in_use(own: Own) -> bool:
    return os.name == "nt" and (own.home / PYTHON) in Path(sys.base_prefix).parents


def _remove(path: Path) -> bool:
    """Remove a file or a folder; returns whether there was one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return True
    if os.path.lexists(path):
        path.unlink()
        return True
    return False
