"""The record of installed plug-ins: a file in Dreamlayer's folder that `dreamlayer doctor` reads.

For each host: its name, the folder of the plug-in, the plug-in's version, the SHA-256 of each of
its files, and for Krita the settings file in which it is enabled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dreamlink import VERSION
from dreamlink.client import private_files
from install.hosts.copying import GIMP_PARTS, KRITA_PARTS, contents
from install.hosts.places import GimpPlace, KritaPlace
from install.own import Own


def write_manifest(own: Own, kritas: Sequence[KritaPlace], gimps: Sequence[GimpPlace]) -> None:
    """Write the record of the hosts that have the plug-in."""
    plugins = [
        _plugin(krita.name, krita.data / "pykrita", KRITA_PARTS) | {"settings": str(krita.settings)}
        for krita in kritas
    ]
    plugins += [_plugin(gimp.name, gimp.profile / "plug-ins", GIMP_PARTS) for gimp in gimps]
    private_files.write(own.manifest, json.dumps({"plugins": plugins}, indent=1))


def _plugin(host: str, folder: Path, parts: Sequence[str]) -> dict[str, Any]:
    files = {
        path: hashlib.sha256(content).hexdigest()
        for part in parts
        for path, content in contents(folder / part, folder).items()
    }
    return {"host": host, "version": VERSION, "folder": str(folder), "files": files}
