"""The hosts' plug-ins, as the installer wrote down that it put them there."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dreamlayer.doctor.findings import Finding, ok, warning, wrong
from dreamlink import VERSION
from dreamlink.client import discovery

AGAIN = "Run install.py again, then restart the host."
ENABLED = b"enable_dreamlayer_krita=true"  # a line of Krita's settings


def look() -> Iterator[Finding]:
    yield _launcher()
    path = discovery.home() / discovery.MANIFEST_FILE
    try:
        found = [_plugin(plugin) for plugin in _installed(path)]
    except FileNotFoundError:
        yield warning("Plug-ins: none was installed by install.py.", "Run install.py to get them.")
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield wrong(f"Plug-ins: {path} can't be read ({error!s:.100}).", AGAIN)
        return
    if not found:
        yield warning("Plug-ins: no Krita and no GIMP 3 was found.", "Install one, and run"
                      " install.py again.")  # fmt: skip
    yield from found


def folders() -> dict[str, str]:
    """Where the plug-ins are, by path, with a name for each: for reports that name no folders."""
    try:
        plugins = _installed(discovery.home() / discovery.MANIFEST_FILE)
        return {plugin["folder"]: f"({plugin['host']}'s folder)" for plugin in plugins}
    except (OSError, ValueError, KeyError, TypeError):  # `look` says so
        return {}


def _installed(manifest: Path) -> list[dict[str, Any]]:
    plugins: list[dict[str, Any]] = json.loads(manifest.read_text(encoding="utf-8"))["plugins"]
    return plugins


def _launcher() -> Finding:
    command = discovery.launch_command()
    if command is None:
        return warning(
            "Start: the hosts don't know how the daemon is started.",
            "Run install.py, or `dreamlayer serve` in a terminal whenever you want to dream.",
        )
    if not Path(command[0]).is_file():
        return wrong(
            f"Start: {command[0]}, with which hosts start the daemon, is gone.", "Run install.py."
        )
    return ok("Start: the hosts know how the daemon is started")


def _plugin(plugin: dict[str, Any]) -> Finding:
    host, folder = str(plugin["host"]), Path(plugin["folder"])
    differing = [name for name, digest in plugin["files"].items() if _hash(folder / name) != digest]
    if differing:
        more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
        return wrong(
            f"{host}: the plug-in in {folder} is not as it was installed ({differing[0]}{more}).",
            AGAIN,
        )
    if plugin["version"] != VERSION:
        return wrong(
            f"{host}: the plug-in is version {plugin['version']}, Dreamlayer is {VERSION}.", AGAIN
        )
    for name in plugin["files"]:
        if name.endswith("dreamlayer-gimp.py") and not os.access(folder / name, os.X_OK):
            return wrong(f"{host}: GIMP passes over {name}: it can't be executed.", AGAIN)
    if "settings" in plugin and not _enabled(Path(plugin["settings"])):
        return wrong(
            f"{host}: the plug-in is there, but switched off.",
            "In Krita: Settings ▸ Configure Krita ▸ Python Plugin Manager: tick Dreamlayer,"
            " then restart it.",
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
