"""The lock files: requirements as pip reads them, one version each, with the wheels' hashes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from install.locking.targets import TARGETS, LockTarget

LOCKED = Path(__file__).resolve().parents[1] / "locked"
HEADER = (
    "# {title}\n# Made by `python -m install.locking`: change that, or what it reads, not this.\n"
)
LINE = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(?P<equals>===?)(?P<version>[^\s=]+)(?:\s*;\s*(?P<marker>.+))?"
)


@dataclass(frozen=True, order=True)
class Pin:
    """A package at one version, where its marker holds, as any of the files with these hashes."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]  # SHA-256, in hexadecimal digits
    equals: str = "=="  # or "===", which no local version meets, as 2.13.0+cpu does 2.13.0

    def __str__(self) -> str:
        head = f"{self.name}{self.equals}{self.version}" + (
            f" ; {self.marker}" if self.marker else ""
        )
        return " \\\n    ".join((head, *(f"--hash=sha256:{digits}" for digits in self.hashes)))


def parse(text: str) -> list[Pin]:
    """The pins of a lock file.

    Raises:
        ValueError: for a line that is no pin.
    """
    lines = re.sub(r"\\\s*\n", " ", text).splitlines()
    return [_pin(line) for line in map(str.strip, lines) if line and not line.startswith("#")]


def _pin(line: str) -> Pin:
    head, *hashes = re.split(r"\s+--hash=sha256:", line)
    found = LINE.fullmatch(head)
    if found is None:
        raise ValueError(f"This is no pin: {line}")
    return Pin(
        re.sub(r"[-_.]+", "-", found["name"]).lower(),
        found["version"],
        found["marker"] or "",
        tuple(hashes),
        found["equals"],
    )


def read(name: str) -> list[Pin]:
    """The pins of one of the lock files."""
    return parse((LOCKED / name).read_text(encoding="utf-8"))


def write(name: str, title: str, pins: Iterable[Pin]) -> None:
    """Write a lock file, without the pins that hold on none of the systems and Pythons."""
    kept = sorted(pin for pin in pins if _is_needed(pin))
    text = HEADER.format(title=title) + "".join(f"{pin}\n" for pin in kept)
    (LOCKED / name).write_text(text, encoding="utf-8", newline="\n")


def _is_needed(pin: Pin) -> bool:
    return any(
        replace(target, patch=patch).meets(pin.marker) for target in TARGETS for patch in (1, 9)
    )


def chosen(pins: Iterable[Pin], target: LockTarget) -> dict[str, Pin]:
    """The pins that hold on a system and Python, by name.

    Raises:
        ValueError: if a package is pinned twice there.
    """
    found: dict[str, Pin] = {}
    for pin in pins:
        if target.meets(pin.marker) and found.setdefault(pin.name, pin) is not pin:
            raise ValueError(f"{pin.name} is pinned twice for {target}.")
    return found
