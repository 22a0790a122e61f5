"""Checks the hosts' plug-ins against the installer's manifest."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dreamlayer.doctor.findings import Finding, ok, warning, wrong
from dreamlink import VERSION
from dreamlink.client import discovery, private_files

AGAIN = "Run install.py again, then restart the host."
ENABLED = b"enable_dreamlayer_krita=true"  # a line in Krita's settings


def check() -> Iterator[Finding]:
    yield _launcher()
    path = discovery.home() / discovery.MANIFEST_FILE
    try:
        findings = [_plugin(plugin) for plugin in _installed(path)]
    except FileNotFoundError:
        yield warning(
            "Plug-ins: install.py has not installed any.", "Run install.py to install them."
        )
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield wrong(f"Plug-ins: {path} can't be read ({error!s:.100}).", AGAIN)
        return
    if not findings:
        yield warning("Plug-ins: neither Krita nor GIMP 3 was found.", "Install one of them, then"
                      " run install.py again.")  # fmt: skip
    yield from findings


def folders() -> dict[str, str]:
    """The plug-ins' folders with a replacement for each, for anonymous reports."""
    try:
        plugins = _installed(discovery.home() / discovery.MANIFEST_FILE)
        return {plugin["folder"]: f"({plugin['host']}'s folder)" for plugin in plugins}
    except (OSError, ValueError, KeyError, TypeError):  # reported by `check`
        return {}


def _installed(manifest: Path) -> list[dict[str, Any]]:
    plugins: list[dict[str, Any]] = json.loads(private_files.read(manifest))["plugins"]
    return plugins


def _launcher() -> Finding:
    command = discovery.launch_command()
    if command is None:
        return warning(
            "Start: the hosts don't know how to start the daemon.",
            "Run install.py, or run `dreamlayer serve` in a terminal before you dream.",
        )
    if not Path(command[0]).is_file():
        return wrong(
            f"Start: {command[0]}, which hosts run to start the daemon, is gone.", "Run install.py."
        )
    return ok("Start: the hosts know how to start the daemon")


def _plugin(plugin: dict[str, Any]) -> Finding:
    host, folder = str(plugin["host"]), Path(plugin["folder"])
    differing = [name for name, digest in plugin["files"].items() if _hash(folder / name) != digest]
    if differing:
        more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
        return wrong(
            f"{host}: the plug-in in {folder} has been changed or damaged ({differing[0]}{more}).",
            AGAIN,
        )
    if plugin["version"] != VERSION:
        return wrong(
            f"{host}: the plug-in is version {plugin['version']}, Dreamlayer is {VERSION}.", AGAIN
        )
    for name in plugin["files"]:
        if name.endswith("dreamlayer-gimp.py") and not os.access(folder / name, os.X_OK):
            return wrong(f"{host}: GIMP ignores {name} because it is not executable.", AGAIN)
    if "settings" in plugin and not _enabled(Path(plugin["settings"])):
        return wrong(
            f"{host}: the plug-in is installed, but disabled.",
            "In Krita, tick Dreamlayer in Settings ▸ Configure Krita ▸ Python Plugin Manager,"
            " then restart Krita.",
        )
    return ok(f"{host}: the plug-in {plugin['version']} is in {folder}")


def _hash(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _enabled(settings: Path) -> bool:
    try:
        lines = settings.read_bytes().splitlines()
    except OSError:
        return False
    return any(line.replace(b" ", b"").lower() == ENABLED for line in lines)
