"""Dreamlayer's own folder: whose it is, what can be read and written there, and the settings."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dreamlayer.doctor.findings import Finding, ok, warning, wrong
from dreamlayer.server.config import settings
from dreamlink.client import discovery

GB = 1e9
ROOM_WANTED = 1.0 * GB  # results wait there until they are fetched
ROOM_NEEDED = 0.05 * GB
OTHER_PLACE = "Make room, or name another folder in the environment variable DREAMLAYER_HOME."


def look() -> Iterator[Finding]:
    home = discovery.home()
    if not home.is_dir():
        yield warning(
            f"Folder: {home} is not there yet.", "Run install.py, or dream: it is made then."
        )
        return
    yield _writable(home)
    yield _private(home)
    yield _room(home)
    yield from _settings()


def _writable(home: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=home) as trial:
            trial.write(b"dream")
    except OSError as error:
        return wrong(
            f"Folder: {home} can't be written ({error.strerror or error}).",
            "Make it yours and writable, or name another one in DREAMLAYER_HOME.",
        )
    return ok(f"Folder: {home} can be written")


def _private(home: Path) -> Finding:
    """Who reads the token can dream here, and see what is dreamed."""
    if os.name != "posix":
        return ok("Permissions: as Windows keeps a user's folders")
    for path, allowed in ((home, 0o700), (home / discovery.DAEMON_FILE, 0o600)):
        if not path.exists():
            continue
        found = path.stat()
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid != os.getuid():
            return wrong(
                f"Permissions: {path} belongs to another user.",
                "Dream as that user, or name a folder of your own in DREAMLAYER_HOME.",
            )
        if mode & ~allowed:
            return wrong(
                f"Permissions: other users can open {path} (mode {mode:o}).",
                f"Run: chmod {allowed:o} '{path}'",
            )
    return ok("Permissions: nobody else can look into it")


def _room(home: Path) -> Finding:
    free = shutil.disk_usage(home).free
    text = f"Disk: {free / GB:.1f} GB free there"
    if free < ROOM_NEEDED:
        return wrong(text, OTHER_PLACE)
    return warning(text, OTHER_PLACE) if free < ROOM_WANTED else ok(text)


def _settings() -> Iterator[Finding]:
    loaded = settings.load()
    for problem in loaded.problems:
        yield warning(f"Settings: left out: {problem}", "Correct it: dreamlayer settings")
    if not loaded.problems:
        changed = [
            f"{name} = {settings.format_value(name, getattr(loaded.settings, name))}"
            for name in loaded.origins
            if name != "remote"
        ]
        yield ok(f"Settings: {', '.join(changed) or 'all as they were made'}")
