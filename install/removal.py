"""`install.py --uninstall`: removes everything that was installed, and nothing else."""

from __future__ import annotations

import contextlib
import shutil

from dreamlink.client import discovery
from dreamlink.client.wish import WISH_FILE
from install import hosts, kritarc, places
from install.command_link import unlink_command
from install.environment import STAMP
from install.login import setup as login
from install.own import Own, stop_daemon
from install.places import Machine


def uninstall(own: Own, machine: Machine) -> None:
    """Stop the daemon and remove the plug-ins, the environment and Dreamlayer's own files.

    A second run finds nothing left to do.

    Raises:
        InstallError: something is in use or write-protected.
    """
    environment = own.environment
    removed = login.remove(machine)
    removed |= stop_daemon(environment)
    for krita in places.kritas(machine):
        if hosts.remove_krita(krita.data) | kritarc.disable(krita.settings):
            print(f"{krita.name}: removed the plug-in from {krita.data}")
            removed = True
    for gimp in places.gimps(machine):
        if hosts.remove_gimp(gimp.profile):
            print(f"{gimp.name}: removed the plug-in from {gimp.profile}")
            removed = True
    removed |= unlink_command(environment, machine)
    if any((environment.folder / name).is_file() for name in (STAMP, "pyvenv.cfg")):
        print(f"Removing {environment.folder}", flush=True)
        shutil.rmtree(environment.folder)
        removed = True
    removed |= _remove_files(own)
    print("Dreamlayer is uninstalled." if removed else "Dreamlayer was not installed.")
    if own.home.is_dir():
        print(f"Its folder has other files and was kept: {own.home}")


def _remove_files(own: Own) -> bool:
    present = [path for path in own.files if path.is_file()]
    for path in present:
        path.unlink()
    shutil.rmtree(own.home / discovery.MACHINES, ignore_errors=True)
    for copy in discovery.sandbox_copies():
        shutil.rmtree(copy / discovery.MACHINES, ignore_errors=True)
        with contextlib.suppress(OSError):
            for name in (discovery.DAEMON_FILE, discovery.MACHINE_FILE, WISH_FILE):
                (copy / name).unlink(missing_ok=True)
            copy.rmdir()
    with contextlib.suppress(OSError):
        own.home.rmdir()  # only if it is empty
    return bool(present)
