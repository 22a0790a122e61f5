"""Dreamlayer's own folder, and the file in it that tells clients how to reach the daemon.

The folder is the same for every program of a user, including sandboxed ones. XDG variables are not
used: Flatpak and Snap set them to folders of their own, which the daemon does not use.

Machines may share the folder: a home on a server, containers. The daemon of the first one keeps its
files in the folder itself, where older plug-ins look for them, those of others in folders of their
own inside it (`daemon_folder`).
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from . import machine, private_files

DAEMON_FILE = "daemon.json"
LAUNCHER_FILE = "launcher.json"
MANIFEST_FILE = "plugins.json"  # the hosts into which the plug-in was installed
TORCH_FILE = "torch.json"  # which PyTorch install.py chose for this computer, and why
THUMBNAILS = "channel-thumbnails"  # a folder with those that the user had made
LOG_FILE = "daemon.log"  # written by the daemon
SAID_FILE = "daemon.err"  # output of the daemon, if it can't write its log or crashes
MACHINE_FILE = "daemon.machine"  # the identity of the machine whose daemon uses the folder itself
MACHINES = "machines"  # a folder with one for the daemon of each other machine
SNAPS = ("gimp", "krita")  # the Snaps in which the plug-ins run


class NoFolder(OSError):
    """It can't be said where Dreamlayer's folder is; the text is for the user."""


def home() -> Path:
    """Dreamlayer's folder: $DREAMLAYER_HOME, or the system's usual folder for a user's data.

    The path is absolute: a relative one is meant from the folder in which the program was started.

    Raises:
        NoFolder: there is no home folder, or no current folder that the path could start from.
    """
    chosen = os.environ.get("DREAMLAYER_HOME")
    try:
        return _absolute(chosen) if chosen else _usual().absolute()
    except RuntimeError as error:
        raise NoFolder(
            "Your user account has no home folder: set the environment variable DREAMLAYER_HOME to"
            " a folder for Dreamlayer's files."
        ) from error
    except FileNotFoundError as error:
        raise NoFolder(
            "Dreamlayer's folder is given by a relative path, but the current folder does not exist"
            " any more: set the environment variable DREAMLAYER_HOME to an absolute path."
        ) from error


@functools.lru_cache  # so that it stays the same when the program changes its current folder
def _absolute(path: str) -> Path:
    return Path(os.path.expanduser(path)).absolute()  # noqa: PTH111 - leaves an unknown ~name as is


def _usual() -> Path:
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "Dreamlayer"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "Dreamlayer"
    # In a Snap, HOME is the Snap's own folder; the user's real one is in another variable.
    real = os.environ.get("SNAP_REAL_HOME")
    return (Path(real) if real else Path.home()) / ".local" / "share" / "dreamlayer"


def daemon_folder(base: Path | None = None) -> Path:
    """The folder in `base`, by default `home()`, with the files of this machine's daemon.

    Those are the discovery file, the lock, the log and unfetched results. What daemons print before
    they log is in one file for all machines. Raises NoFolder.
    """
    base = base or home()
    own = machine.identity()
    if not own or _owner(base) in ("", own):
        return base
    return base / MACHINES / own


def claim_folder() -> None:
    """Let this machine's daemon use the folder itself; to be called with its lock held."""
    own = machine.identity()
    if _owner(home()) != own:
        with contextlib.suppress(OSError):  # the address of another machine's daemon, which ended
            (home() / DAEMON_FILE).unlink()
        private_files.write(home() / MACHINE_FILE, own)


def _owner(base: Path) -> str:
    """The identity of the machine whose daemon uses the folder itself, "" if it is any one's."""
    try:
        return private_files.read(base / MACHINE_FILE).decode("ascii").strip()
    except (OSError, ValueError):
        return ""


def sandbox_copies() -> list[Path]:
    """Folders for copies of the discovery file: a Snap can't see the user's hidden folders."""
    if sys.platform != "linux" or os.environ.get("DREAMLAYER_HOME"):
        return []
    try:
        snaps = Path.home() / "snap"
    except RuntimeError:
        return []
    return [
        snaps / name / "common" / "dreamlayer"
        for name in SNAPS
        if (snaps / name / "common").is_dir()
    ]


def is_sandboxed() -> bool:
    """Whether this process runs in a Flatpak or Snap, which can't start programs outside."""
    return Path("/.flatpak-info").exists() or bool(snap())


def snap() -> str:
    """The name of the Snap in which the plug-in runs, "" if in none.

    Other Snaps, of an editor with a terminal for example, hand their variables on to programs that
    run outside.
    """
    name = os.environ.get("SNAP_NAME", "")
    return name if name in SNAPS and os.environ.get("SNAP_USER_COMMON") else ""


def _folders_to_search() -> list[Path]:
    common = os.environ.get("SNAP_USER_COMMON")
    return [home(), *([Path(common) / "dreamlayer"] if common else [])]


@dataclass(frozen=True)
class DaemonInfo:
    """How to reach the daemon. The token is the user's secret.

    Attributes:
        protocol: of the daemon's messages.
        version: of Dreamlayer.
        endpoint: "tcp://127.0.0.1:PORT".
        token: new at each start; "" while the daemon waits until one of an older protocol, which
            finishes its dreams when it sees that it was replaced here, has ended.
        pid: the daemon's process.
    """

    protocol: int
    version: str
    endpoint: str
    token: str
    pid: int

    @property
    def is_waiting(self) -> bool:
        """Whether this daemon still waits for an older one to end."""
        return not self.token

    @property
    def has_ended(self) -> bool:
        """Whether its process has certainly ended; another program may use its port then."""
        if os.name != "posix" or is_sandboxed():  # which sees processes of its own only
            return False
        try:
            os.kill(self.pid, 0)
        except (OSError, OverflowError):  # no process, or another user's
            return True
        return False


def publish(info: DaemonInfo) -> None:
    """Write the discovery file atomically (mode 0600, folder 0700)."""
    for base in [home(), *sandbox_copies()]:
        private_files.make_private(base)
        owner = _owner(home())
        if _owner(base) != owner:
            private_files.write(base / MACHINE_FILE, owner)
        folder = private_files.make_private(daemon_folder(base))
        private_files.write(folder / DAEMON_FILE, json.dumps(asdict(info)))


def withdraw(pid: int) -> None:
    """Remove the discovery file if it is still the one of process `pid`."""
    for base in [home(), *sandbox_copies()]:
        path = daemon_folder(base) / DAEMON_FILE
        info = _read(path)
        if info is not None and info.pid == pid:
            with contextlib.suppress(OSError):
                path.unlink()


def find() -> DaemonInfo | None:
    """What this machine's discovery file says, if there is one; the daemon may have ended since."""
    with contextlib.suppress(NoFolder):  # the launch says so
        for base in _folders_to_search():
            info = _read(daemon_folder(base) / DAEMON_FILE)
            if info is not None:
                return info
    return None


def _read(path: Path) -> DaemonInfo | None:
    try:
        info = DaemonInfo(**json.loads(private_files.read(path)))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    endpoint_is_local = str(info.endpoint).startswith("tcp://127.0.0.1:")
    is_valid = type(info.protocol) is int and type(info.pid) is int and isinstance(info.token, str)
    return info if endpoint_is_local and is_valid else None


def launch_command() -> list[str] | None:
    """The command that starts the daemon, as stored by the installer; None if not installed."""
    try:
        command = json.loads(private_files.read(home() / LAUNCHER_FILE))["command"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    is_argv = isinstance(command, list) and command and all(isinstance(a, str) for a in command)
    return command if is_argv else None
