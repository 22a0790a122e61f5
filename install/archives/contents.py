"""What is in each archive."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from install.archives.packing import Files, PackedFile, below, chosen, read_folder, write_folder
from install.archives.sources import Sources
from install.archives.systems import TargetSystem
from install.errors import InstallError
from install.hosts import copying

# Of the sources, what the installation needs and what a reader may look for; no tests, no tools of
# developers.
NEEDED = (
    "CHANGELOG.md", "LICENSE", "README.md", "daemon", "docs", "install", "plugins",
    "pyproject.toml", "tests/pictures/README.md", "tests/pictures/peaks.jpg",
)  # fmt: skip
FOR_DEVELOPERS = (
    "install/archives", "install/build.py", "install/locking", "install/root_making.py",
    "install/roots.py", "install/test.py",
)  # fmt: skip
SETUP_ZIP = "setup.zip"  # in a plug-in; dreamlink/client/setup unpacks it
LICENCES = "licences.spdx.json"


@dataclass(frozen=True)
class Ingredients:
    """What the archives of all systems are made of."""

    sources: Sources
    msgpack: Files  # the contents of its wheel
    licences: PackedFile


def everything(
    ingredients: Ingredients, system: TargetSystem, wheels: Sequence[Path], uv: Files
) -> Files:
    """The archive that installs Dreamlayer: sources, wheels, uv, and the start script on top.

    Args:
        uv: the contents of uv's wheel for the system.

    Raises:
        InstallError: the sources have no start script for the system, or the wheel no program.
    """
    sources = ingredients.sources.files
    unneeded = chosen(sources, *FOR_DEVELOPERS)
    files = {path: file for path, file in chosen(sources, *NEEDED).items() if path not in unneeded}
    script = sources.get(f"install/{system.script}")
    if script is None:
        raise InstallError(
            f"The start script install/{system.script} is missing: without it nobody can start the"
            " installation."
        )
    files[system.script] = PackedFile(script.data, is_program=True)
    files |= {f"wheels/{wheel.name}": PackedFile(wheel.read_bytes()) for wheel in wheels}
    files |= below("install/uv", _uv(uv, system))
    files[LICENCES] = ingredients.licences
    return files


def krita(ingredients: Ingredients, setup: bytes) -> Files:
    """The zip that Krita's "Import Python Plugin from File…" takes.

    The importer copies the module's folder, its .desktop and its .action, so all is in these. The
    .action is beside the folder, as the importer would leave another one in it, which Krita reads.

    Args:
        setup: the zip of `everything`.
    """
    module = copying.KRITA_PARTS[1]
    files = _plugin(copying.stage_krita, module, ingredients, setup)
    files[f"actions/{module}.action"] = files.pop(f"{module}/{module}.action")
    return files


def gimp(ingredients: Ingredients, setup: bytes) -> Files:
    """The zip with the folder to put into GIMP's plug-ins; like `krita`."""
    folder = copying.GIMP_PARTS[0]
    files = _plugin(copying.stage_gimp, folder, ingredients, setup)
    script = f"{folder}/{copying.GIMP_SCRIPT}"
    return files | {script: PackedFile(files[script].data, is_program=True)}


def _plugin(
    stage: Callable[[Path, Path, Path], None], folder: str, ingredients: Ingredients, setup: bytes
) -> Files:
    """The plug-in as install.py puts it together, and what installs the rest."""
    with tempfile.TemporaryDirectory() as work:
        checkout, parts, plugin = (Path(work, name) for name in ("checkout", "parts", "plugin"))
        write_folder(checkout, chosen(ingredients.sources.files, "plugins", "LICENSE"))
        write_folder(parts, ingredients.msgpack)
        stage(checkout, parts / "msgpack", plugin)
        files = read_folder(plugin)
    own = {SETUP_ZIP: PackedFile(setup), LICENCES: ingredients.licences}
    return files | below(folder, own)


def _uv(wheel: Files, system: TargetSystem) -> Files:
    """The program of uv, its licences, and the list of what it is made of."""
    found: Files = {}
    for path, file in wheel.items():
        folder, _, name = path.rpartition("/")
        if folder.endswith(".data/scripts") and name == system.uv_program:
            found[name] = PackedFile(file.data, is_program=True)
        if folder.endswith((".dist-info/licenses", ".dist-info/sboms")):
            found[name] = file
    if system.uv_program not in found:
        raise InstallError(f"uv's wheel for {system.name} has no program {system.uv_program}.")
    return found
