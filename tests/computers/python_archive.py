"""A stand-in for the Python that uv fetches: this machine's own, packed as such an archive is.

uv's Pythons come from an address that tests must not need. The archive has the libraries with it
that Python's own modules need, and finds them beside itself, as uv's do.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

SYSTEMS_OWN = re.compile(r"lib(c|m|dl|pthread|rt|util|crypt)\.so|ld-linux|linux-vdso")
LEFT_OUT = shutil.ignore_patterns(
    "site-packages", "test", "__pycache__", "*.a", "idlelib", "config-*"
)


def make(folder: Path, patchelf: Path) -> dict[str, str]:
    """Pack it; returns the variables with which the start scripts and uv take it.

    Args:
        folder: for the archive.
        patchelf: the program that changes where a library is looked for.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    tree = folder / "python"
    library = tree / "lib" / f"python{version}"
    shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=LEFT_OUT, symlinks=True)
    (library / "site-packages").mkdir()
    program = tree / "bin" / f"python{version}"
    program.parent.mkdir()
    shutil.copy(Path(sys.base_prefix, "bin", f"python{version}"), program)
    (program.parent / "python3").symlink_to(program.name)
    for binary, way in [(program, "../lib"), *((so, "../..") for so in library.rglob("*.so"))]:
        _bring_libraries(binary, tree / "lib")
        subprocess.run([patchelf, "--set-rpath", f"$ORIGIN/{way}", binary], check=True)
    archive = folder / "python.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as packed:
        packed.add(tree, "python")
    shutil.rmtree(tree)
    told = folder / "pythons.json"
    told.write_text(json.dumps(_described(archive)), encoding="utf-8")
    return {"DREAMLAYER_PYTHON": version, "UV_PYTHON_DOWNLOADS_JSON_URL": str(told)}


def _bring_libraries(binary: Path, folder: Path) -> None:
    found = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    for name, path in re.findall(r"(\S+) => (/\S+)", found):
        if not SYSTEMS_OWN.match(name) and not (folder / name).exists():
            shutil.copy(path, folder / name)


def _described(archive: Path) -> dict[str, object]:
    """What uv has to know of a Python."""
    major, minor, patch = sys.version_info[:3]
    machine = platform.machine()
    return {
        f"cpython-{major}.{minor}.{patch}-linux-{machine}-gnu": {
            "name": "cpython", "arch": {"family": machine, "variant": None}, "os": "linux",
            "libc": "gnu", "major": major, "minor": minor, "patch": patch, "prerelease": "",
            "url": archive.as_uri(), "variant": None, "build": "20260101",
            "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        }
    }  # fmt: skip
