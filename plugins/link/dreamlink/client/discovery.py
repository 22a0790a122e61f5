"""Where Dreamlayer keeps its own files, and the file that tells clients how to reach the daemon.

The folder is the same for every program of a user, sandboxed ones included. XDG variables are
not asked: Flatpak and Snap point them at a folder of their own, where the daemon is not.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

DAEMON_FILE = "daemon.json"
LAUNCHER_FILE = "launcher.json"
MANIFEST_FILE = "plugins.json"  # which hosts the installer gave the plug-in
LOG_FILE = "daemon.log"  # the daemon writes it
SAID_FILE = "daemon.err"  # what a started daemon prints: only where it comes to no log, or crashes


def home() -> Path:
    """Dreamlayer's folder: $DREAMLAYER_HOME, or the system's usual place for a user's data."""
    chosen = os.environ.get("DREAMLAYER_HOME")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "Dreamlayer"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "Dreamlayer"
    # A Snap's HOME is its own folder; the user's real one is told separately.
    real = os.environ.get("SNAP_REAL_HOME")
    return (Path(real) if real else Path.home()) / ".local" / "share" / "dreamlayer"


def sandbox_copies() -> list[Path]:
    """Folders in which strictly confined hosts look: a Snap sees no hidden folder of the user's."""
    if sys.platform != "linux" or os.environ.get("DREAMLAYER_HOME"):
        return []
    snaps = Path.home() / "snap"
    return [
        snaps / name / "common" / "dreamlayer"
        for name in ("gimp", "krita")
        if (snaps / name / "common").is_dir()
    ]


def _places_to_look() -> list[Path]:
    common = os.environ.get("SNAP_USER_COMMON")
    return [home(), *([Path(common) / "dreamlayer"] if common else [])]


@dataclass(frozen=True)
class DaemonInfo:
    """What a client needs to reach the daemon. The token is a secret of the user's."""

    protocol: int
    version: str
    endpoint: str
    token: str
    pid: int


def publish(info: DaemonInfo) -> None:
    """Write the discovery file (mode 0600, folder 0700), whole or not at all."""
    text = json.dumps(asdict(info))
    for folder in [home(), *sandbox_copies()]:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = folder / f"{DAEMON_FILE}.{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(folder / DAEMON_FILE)


def withdraw(pid: int) -> None:
    """Remove the discovery file if it is still that of process `pid`."""
    for folder in [home(), *sandbox_copies()]:
        info = _read(folder / DAEMON_FILE)
        if info is not None and info.pid == pid:
            with contextlib.suppress(OSError):
                (folder / DAEMON_FILE).unlink()


def find() -> DaemonInfo | None:
    """The daemon's discovery file, if there is one; the daemon itself may have died since."""
    for folder in _places_to_look():
        info = _read(folder / DAEMON_FILE)
        if info is not None:
            return info
    return None


def _read(path: Path) -> DaemonInfo | None:
    try:
        info = DaemonInfo(**_own_json(path))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    endpoint_is_local = str(info.endpoint).startswith("tcp://127.0.0.1:")
    return info if endpoint_is_local and isinstance(info.token, str) else None


def launch_command() -> list[str] | None:
    """How the installer said that the daemon is started, or None if it was not installed."""
    try:
        command = _own_json(home() / LAUNCHER_FILE)["command"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    is_argv = isinstance(command, list) and command and all(isinstance(a, str) for a in command)
    return command if is_argv else None


def _own_json(path: Path) -> Any:
    """What a file says that is the user's own; raises PermissionError if it is somebody else's."""
    with path.open(encoding="utf-8") as file:
        if os.name == "posix" and os.fstat(file.fileno()).st_uid != os.geteuid():
            raise PermissionError(f"{path} belongs to another user.")
        return json.load(file)
