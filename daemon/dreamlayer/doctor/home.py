"""Checks Dreamlayer's folder: owner, permissions, disk space, and the settings in it."""

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
SPACE_WANTED = 1.0 * GB  # results are stored there until they are fetched
SPACE_NEEDED = 0.05 * GB
FREE_SPACE = (
    "Free some disk space, or set the environment variable DREAMLAYER_HOME to another folder."
)


def check() -> Iterator[Finding]:
    home = discovery.home()
    if not home.is_dir():
        yield warning(
            f"Folder: {home} does not exist yet.", "Run install.py, or dream: both create it."
        )
        return
    yield _writable(home)
    yield _private(home)
    yield _disk_space(home)
    yield from _settings()


def _writable(home: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=home) as trial:
            trial.write(b"dream")
    except OSError as error:
        return wrong(
            f"Folder: {home} is not writable ({error.strerror or error}).",
            "Make it yours and writable, or set DREAMLAYER_HOME to another folder.",
        )
    return ok(f"Folder: {home} is writable")


def _private(home: Path) -> Finding:
    """Whether other users can read the token, with which they could dream and see dreams."""
    if os.name != "posix":
        return ok("Permissions: those of a Windows user's folder")
    for path, allowed in (
        (home, 0o700),
        (discovery.daemon_folder() / discovery.DAEMON_FILE, 0o600),
    ):
        if not path.exists():
            continue
        status = path.stat()
        mode = stat.S_IMODE(status.st_mode)
        if status.st_uid != os.getuid():
            return wrong(
                f"Permissions: {path} belongs to another user.",
                "Dream as that user, or set DREAMLAYER_HOME to a folder of your own.",
            )
        if mode & ~allowed:
            return wrong(
                f"Permissions: other users can open {path} (mode {mode:o}).",
                f"Run: chmod {allowed:o} '{path}'",
            )
    return ok("Permissions: no other user can read it")


def _disk_space(home: Path) -> Finding:
    free = shutil.disk_usage(home).free
    text = f"Disk: {free / GB:.1f} GB free there"
    if free < SPACE_NEEDED:
        return wrong(text, FREE_SPACE)
    return warning(text, FREE_SPACE) if free < SPACE_WANTED else ok(text)


def _settings() -> Iterator[Finding]:
    loaded = settings.load()
    for problem in loaded.problems:
        yield warning(f"Settings: ignored: {problem}", "Correct it with: dreamlayer settings")
    if not loaded.problems:
        changed = [
            f"{name} = {settings.format_value(name, getattr(loaded.settings, name))}"
            for name in loaded.origins
            if name != "remote"
        ]
        yield ok(f"Settings: {', '.join(changed) or 'all have their defaults'}")
