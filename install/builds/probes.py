"""How this computer is asked what it is; tests put another computer here.

Nothing here raises or waits for long: a question without an answer is answered by None or nothing.
"""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 15.0  # seconds; a sleeping card takes some to wake, a broken driver never answers
DISPLAYS = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"


def ask(command: Sequence[str], patience: float = PATIENCE) -> str | None:
    """What a program prints; None if it is missing, fails or takes longer than `patience`."""
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except (OSError, ValueError):
        return None
    try:
        output, _ = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()  # and not waited for: inside a driver it may be stuck for ever
        return None
    return output.decode(errors="replace") if process.returncode == 0 else None


def displays() -> list[str]:
    """The names of the cards for which Windows has a driver; empty on other systems."""
    if sys.platform != "win32":
        return []
    import winreg

    names = []
    with contextlib.suppress(OSError), winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, DISPLAYS) as top:
        for index in range(winreg.QueryInfoKey(top)[0]):
            with (
                contextlib.suppress(OSError),
                winreg.OpenKey(top, winreg.EnumKey(top, index)) as key,
            ):
                names.append(str(winreg.QueryValueEx(key, "DriverDesc")[0]))
    return names


def architecture() -> str:
    """The processor that this Python is for, e.g. "x86_64", "amd64", "arm64"."""
    if sys.platform == "win32":  # an Intel Python also runs on ARM, and takes Intel's packages
        return sysconfig.get_platform().rpartition("-")[2].lower()
    return platform.machine().lower()


@dataclass(frozen=True)
class Probes:
    """The questions; by default they are asked of this computer."""

    system: str = sys.platform
    architecture: str = field(default_factory=architecture)
    macos: str = field(default_factory=lambda: platform.mac_ver()[0])
    ask: Callable[[Sequence[str]], str | None] = ask
    displays: Callable[[], list[str]] = displays
    root: Path = Path("/")
    windows: str = field(default_factory=lambda: os.environ.get("SYSTEMROOT", r"C:\Windows"))
