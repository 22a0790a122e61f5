"""The folders of this user's Krita and GIMP installations, on every system and in every packaging.

A host is found if its program is installed or its folder exists. Nothing is changed here.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from install.errors import InstallError

KRITA_FLATPAK, GIMP_FLATPAK = "org.kde.krita", "org.gimp.GIMP"
GIMP_PROGRAMS = (
    "gimp-console", "gimp", "gimp-console-3", "gimp-3",
    "gimp-console-3.0", "gimp-3.0", "gimp-console-3.2", "gimp-3.2",
)  # fmt: skip
GIMP_PROFILE = re.compile(r"3\.\d+")
VERSION = re.compile(r"version (\d+)\.(\d+)")
ASK_TIMEOUT = 30.0  # seconds for a program to print its version


def _users_home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise InstallError(
            "Your user account has no home folder, in which Krita and GIMP keep plug-ins: set the"
            " environment variable HOME to a folder of yours, then run install.py again."
        ) from error


@dataclass(frozen=True)
class Machine:
    """The computer to search; by default this one."""

    platform: str = sys.platform
    home: Path = field(default_factory=_users_home)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    top: Path = Path("/")  # the root of the system's folders

    def folder(self, variable: str, *usual: str) -> Path:
        """The folder in an environment variable, else the usual one below home."""
        named = self.environ.get(variable)
        return Path(named) if named and Path(named).is_absolute() else self.home.joinpath(*usual)

    def program(self, name: str) -> Path | None:
        """A program on PATH, except those of Snaps, which have folders of their own."""
        path = shutil.which(name, path=self.environ.get("PATH", os.defpath))
        return Path(path) if path and "snap" not in Path(path).parts else None

    def has_flatpak(self, name: str) -> bool:
        users = self.folder("XDG_DATA_HOME", ".local", "share") / "flatpak"
        roots = (self.top / "var" / "lib" / "flatpak", users)
        return any((root / "app" / name).is_dir() for root in roots)


@dataclass(frozen=True)
class KritaPlace:
    """One Krita: its data folder, and its settings file, in which plug-ins are enabled."""

    name: str
    data: Path
    settings: Path


@dataclass(frozen=True)
class GimpPlace:
    """One GIMP profile."""

    name: str
    profile: Path


@dataclass(frozen=True)
class NewGimp:
    """An installed GIMP that this user has never started: it has no profile yet."""

    name: str
    program: Path
    profile: Path


def kritas(machine: Machine) -> list[KritaPlace]:
    """All of this user's Kritas."""
    found = {
        "win32": _kritas_of_windows,
        "darwin": _kritas_of_macos,
    }.get(machine.platform, _kritas_of_linux)(machine)
    return list(found)


def _kritas_of_linux(machine: Machine) -> Iterator[KritaPlace]:
    data = machine.folder("XDG_DATA_HOME", ".local", "share") / "krita"
    if data.is_dir() or machine.program("krita"):
        yield KritaPlace("Krita", data, machine.folder("XDG_CONFIG_HOME", ".config") / "kritarc")
    box = machine.home / ".var" / "app" / KRITA_FLATPAK
    if box.is_dir() or machine.has_flatpak(KRITA_FLATPAK):
        yield KritaPlace("Krita (Flatpak)", box / "data" / "krita", box / "config" / "kritarc")
    box = machine.home / "snap" / "krita" / "current"
    if box.is_dir():
        yield KritaPlace("Krita (Snap)", box / ".local/share/krita", box / ".config/kritarc")


def _kritas_of_macos(machine: Machine) -> Iterator[KritaPlace]:
    data = machine.home / "Library" / "Application Support" / "krita"
    apps = (machine.top / "Applications", machine.home / "Applications")
    if data.is_dir() or any((folder / "krita.app").is_dir() for folder in apps):
        yield KritaPlace("Krita", data, machine.home / "Library" / "Preferences" / "kritarc")


def _kritas_of_windows(machine: Machine) -> Iterator[KritaPlace]:
    local = machine.folder("LOCALAPPDATA", "AppData", "Local")
    data = machine.folder("APPDATA", "AppData", "Roaming") / "krita"
    if data.is_dir() or machine.program("krita") or any(_program_files(machine, "Krita*")):
        yield KritaPlace("Krita", data, local / "kritarc")
    for package in sorted((local / "Packages").glob("49800Krita_*")):
        cache = package / "LocalCache"
        yield KritaPlace("Krita (Store)", cache / "Roaming" / "krita", cache / "Local" / "kritarc")


def gimps(machine: Machine) -> list[GimpPlace]:
    """Every GIMP 3 profile of this user."""
    found = []
    for label, root in _gimp_roots(machine):
        for profile in sorted(root.glob("3.*")) if root.is_dir() else []:
            if profile.is_dir() and GIMP_PROFILE.fullmatch(profile.name):
                found.append(GimpPlace(f"GIMP {profile.name}{label}", profile))
    chosen = machine.environ.get("GIMP3_DIRECTORY")
    if chosen and Path(chosen).is_dir() and Path(chosen) not in [place.profile for place in found]:
        found.append(GimpPlace("GIMP 3 (GIMP3_DIRECTORY)", Path(chosen)))
    return found


def _gimp_roots(machine: Machine) -> Iterator[tuple[str, Path]]:
    """The folders that contain profiles, that of an ordinary installation first."""
    if machine.platform == "win32":
        yield "", machine.folder("APPDATA", "AppData", "Roaming") / "GIMP"
    elif machine.platform == "darwin":
        yield "", machine.home / "Library" / "Application Support" / "GIMP"
    else:
        # Flatpak's GIMP uses the first of these if it exists, otherwise its own.
        yield "", machine.folder("XDG_CONFIG_HOME", ".config") / "GIMP"
        yield " (Flatpak)", machine.home / ".var" / "app" / GIMP_FLATPAK / "config" / "GIMP"
        yield " (Snap)", machine.home / "snap" / "gimp" / "current" / ".config" / "GIMP"


def new_gimps(machine: Machine) -> list[NewGimp]:
    """All installed GIMPs from version 3 that have no profile yet."""
    root = next(path for _, path in _gimp_roots(machine))
    found: dict[Path, NewGimp] = {}
    for program in _gimp_programs(machine):
        version = _version(program)
        if version and version[0] >= 3 and not machine.environ.get("GIMP3_DIRECTORY"):
            name = f"{version[0]}.{version[1]}"
            if not (root / name).is_dir():
                found.setdefault(root / name, NewGimp(f"GIMP {name}", program, root / name))
    return list(found.values())


def has_sandboxed_host(machine: Machine) -> bool:
    """Whether there is a Krita or GIMP in a Flatpak or Snap, which can't start the daemon."""
    if machine.platform != "linux":
        return False
    boxes = [machine.home / ".var" / "app" / name for name in (KRITA_FLATPAK, GIMP_FLATPAK)]
    boxes += [machine.home / "snap" / name for name in ("krita", "gimp")]
    flatpaks = any(machine.has_flatpak(name) for name in (KRITA_FLATPAK, GIMP_FLATPAK))
    return flatpaks or any(box.is_dir() for box in boxes)


def hints(machine: Machine) -> list[str]:
    """Sentences about hosts that can't get the plug-in yet, with what to do."""
    sentences = []
    for host in ("Krita", "GIMP"):
        name = host.lower()
        is_snap = (machine.top / "snap" / name).is_dir()
        if is_snap and not (machine.home / "snap" / name / "current").is_dir():
            sentences.append(
                f"{host} is a Snap that has never been started: start it once, then run"
                " install.py again."
            )
    found = [place for place in gimps(machine) if "Snap" not in place.name]
    if machine.has_flatpak(GIMP_FLATPAK) and not found:
        sentences.append(
            "GIMP is a Flatpak that has never been started: start it once, then run install.py"
            " again."
        )
    versions = {_version(program) for program in _gimp_programs(machine)} - {None}
    if versions and all(version and version[0] < 3 for version in versions):
        sentences.append("This GIMP is older than 3.0 and can't run the plug-in: install GIMP 3.")
    return sentences


def _gimp_programs(machine: Machine) -> list[Path]:
    found = [machine.program(name) for name in GIMP_PROGRAMS]
    programs = list({program.resolve(): program for program in found if program}.values())
    if machine.platform == "darwin":
        for folder in (machine.top / "Applications", machine.home / "Applications"):
            programs += sorted(folder.glob("GIMP*.app/Contents/MacOS/gimp-console*"))[:1]
    if machine.platform == "win32":
        for folder in _program_files(machine, "GIMP 3*"):
            programs += sorted((folder / "bin").glob("gimp-console-3*.exe"))[:1]
    return programs


def _program_files(machine: Machine, pattern: str) -> Iterator[Path]:
    local = machine.folder("LOCALAPPDATA", "AppData", "Local")
    for variable in ("PROGRAMFILES", "ProgramW6432"):
        if folder := machine.environ.get(variable):
            yield from Path(folder).glob(pattern)
    yield from (local / "Programs").glob(pattern)


@functools.cache
def _version(program: Path) -> tuple[int, int] | None:
    """The version in the output of `program --version`; None if there is none."""
    try:
        output = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ASK_TIMEOUT,
            check=False,
        ).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = VERSION.search(output)
    return (int(match[1]), int(match[2])) if match else None


def is_running(program: str, machine: Machine) -> bool:
    """Whether this user runs a process of this name; False if that can't be determined."""
    if machine.platform == "win32":
        argv = ["tasklist", "/NH", "/FI", f"IMAGENAME eq {program}.exe"]
    else:
        argv = ["pgrep", "-x", "-u", str(os.getuid()), program]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=ASK_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return program.encode() in done.stdout.lower() if argv[0] == "tasklist" else not done.returncode
