"""The command that installs Dreamlayer from the folder that setup.zip was unpacked into."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from ..launch import environment

ARGUMENTS = "DREAMLAYER_SETUP_ARGUMENTS"  # further ones for the installer, as for a shell
SCRIPTS = {"win32": "Install-Windows.cmd", "darwin": "Install-macOS.command"}
OTHERS_SCRIPT = "install.sh"


def command() -> list[str]:
    """The command, to be run in that folder: so its path needs no quoting for cmd."""
    script = SCRIPTS.get(sys.platform, OTHERS_SCRIPT)
    if sys.platform == "win32":
        shell = os.environ.get("COMSPEC") or "cmd.exe"
        return [shell, "/d", "/c", f".\\{script}", *_further()]
    return ["/bin/sh", f"./{script}", *_further()]


def variables(home: Path) -> dict[str, str]:
    """The installer's environment: it says at once what it does, in UTF-8, and waits for no key."""
    own = {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "DREAMLAYER_NO_PAUSE": "1"}
    return environment(home) | own


def _further() -> list[str]:
    text = os.environ.get(ARGUMENTS, "")
    if sys.platform == "win32":  # where a backslash is part of a path
        return [word.strip('"') for word in shlex.split(text, posix=False)]
    return shlex.split(text)
