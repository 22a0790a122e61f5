"""Installing, comparing and removing the plug-ins in a host's folder.

A plug-in is assembled in a temporary folder beside its destination and then moved as a whole, so
that a host never sees a partial copy or files of an older one. `places.py` finds the folders.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from install.errors import InstallError

KRITA_PARTS = ("dreamlayer_krita.desktop", "dreamlayer_krita")  # in pykrita/
# In Krita's data folder: what older versions put there, and what Krita's own importer does. Krita
# would take the actions from there, and not those of the plug-in.
KRITA_OBSOLETE = ("pykrita/dreamlink", "actions/dreamlayer_krita.action")
KRITA_LIBRARIES = "dreamlayer_krita/lib"  # put on the module path by the plug-in
GIMP_PARTS = ("dreamlayer-gimp",)  # in plug-ins/
GIMP_SCRIPT = "dreamlayer-gimp.py"
MSGPACK_FILES = ("__init__.py", "exceptions.py", "ext.py", "fallback.py")  # its pure-Python part
WORK_PREFIX = ".dreamlayer-"
EXECUTE_BITS = os.name == "posix"  # Windows has none: GIMP goes by the name there


def install_krita(checkout: Path, data: Path, msgpack: Path) -> Path:
    """Install the Krita plug-in into Krita's data folder; returns the folder of the plug-in.

    Args:
        checkout: Dreamlayer's source tree.
        data: Krita's data folder, e.g. ~/.local/share/krita.
        msgpack: the folder of an installed msgpack package.

    Raises:
        InstallError: a source is missing or the folder can't be written.
    """
    folder = _place(lambda stage: stage_krita(checkout, msgpack, stage), data / "pykrita")
    _remove(data, KRITA_OBSOLETE)
    return folder


def install_gimp(checkout: Path, profile: Path, msgpack: Path) -> Path:
    """Install the GIMP plug-in into a profile, e.g. ~/.config/GIMP/3.0; like `install_krita`."""
    return _place(lambda stage: stage_gimp(checkout, msgpack, stage), profile / "plug-ins")


def krita_differences(checkout: Path, data: Path, msgpack: Path) -> list[str]:
    """Files of the Krita plug-in that are missing, surplus or different from the checkout's."""
    obsolete = [name for name in KRITA_OBSOLETE if _present(data / name)]
    return obsolete + _differences(
        lambda stage: stage_krita(checkout, msgpack, stage), data / "pykrita"
    )


def gimp_differences(checkout: Path, profile: Path, msgpack: Path) -> list[str]:
    """Files of the GIMP plug-in that are missing, surplus or different from the checkout's."""
    return _differences(lambda stage: stage_gimp(checkout, msgpack, stage), profile / "plug-ins")


def remove_krita(data: Path) -> bool:
    """Remove what `install_krita` installed; returns whether there was anything."""
    return _remove(data, KRITA_OBSOLETE) | _remove(data / "pykrita", KRITA_PARTS)


def remove_gimp(profile: Path) -> bool:
    """Remove what `install_gimp` installed; returns whether there was anything."""
    return _remove(profile / "plug-ins", GIMP_PARTS)


def contents(top: Path, root: Path | None = None) -> dict[str, bytes]:
    """The contents of the files in a folder (or of one file), by their paths below `root`."""
    files = [top] if top.is_file() else list(_source_files(top))
    return {path.relative_to(root or top).as_posix(): path.read_bytes() for path in files}


def vendor_dreamlink(checkout: Path, msgpack: Path, target: Path) -> None:
    """Make the folder `target` a dreamlink package with its own copy of pure-Python msgpack."""
    _copy_tree(checkout / "plugins" / "link" / "dreamlink", target)
    _copy_file(checkout / "LICENSE", target / "LICENSE")
    vendor = target / "_vendor"
    for name in MSGPACK_FILES:
        _copy_file(msgpack / name, vendor / "msgpack" / name)
    _copy_file(_msgpack_licence(msgpack), vendor / "msgpack" / "COPYING")
    (vendor / "__init__.py").write_text('"""Bundled libraries."""\n', encoding="utf-8")


def stage_krita(checkout: Path, msgpack: Path, stage: Path) -> None:
    """Put the Krita plug-in together in a folder; the arguments are those of `install_krita`."""
    source = checkout / "plugins" / "krita"
    _copy_file(source / "dreamlayer_krita.desktop", stage / "dreamlayer_krita.desktop")
    _copy_tree(source / "dreamlayer_krita", stage / "dreamlayer_krita")
    vendor_dreamlink(checkout, msgpack, stage / KRITA_LIBRARIES / "dreamlink")


def stage_gimp(checkout: Path, msgpack: Path, stage: Path) -> None:
    """Put the GIMP plug-in together in a folder, like `stage_krita`."""
    plugin = stage / "dreamlayer-gimp"
    _copy_tree(checkout / "plugins" / "gimp" / "dreamlayer-gimp", plugin)
    vendor_dreamlink(checkout, msgpack, plugin / "dreamlink")
    (plugin / GIMP_SCRIPT).chmod(0o755)  # GIMP ignores scripts that are not executable


def _place(stage_into: Callable[[Path], None], folder: Path) -> Path:
    with _errors_as_sentences(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(f"{WORK_PREFIX}*"):  # of an interrupted run
            shutil.rmtree(leftover, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=WORK_PREFIX, dir=folder) as work:
            fresh, old = Path(work, "new"), Path(work, "old")
            fresh.mkdir()
            old.mkdir()
            stage_into(fresh)
            for part in sorted(fresh.iterdir()):
                _swap(part, folder / part.name, old / part.name)
    return folder


def _swap(fresh: Path, target: Path, old: Path) -> None:
    if not _present(target):
        fresh.rename(target)
        return
    target.rename(old)
    try:
        fresh.rename(target)
    except OSError:
        old.rename(target)
        raise


def _differences(stage_into: Callable[[Path], None], folder: Path) -> list[str]:
    with tempfile.TemporaryDirectory(prefix=WORK_PREFIX) as work:
        stage_into(Path(work))
        wanted = contents(Path(work))
        parts = [folder / part.name for part in Path(work).iterdir()]
        with _errors_as_sentences(folder):
            installed = {
                path: content
                for part in parts
                for path, content in contents(part, part.parent).items()
            }
    differing = {path for path in wanted | installed if wanted.get(path) != installed.get(path)}
    script = folder / "dreamlayer-gimp" / GIMP_SCRIPT
    if EXECUTE_BITS and script.is_file() and not script.stat().st_mode & 0o100:
        differing.add(f"dreamlayer-gimp/{GIMP_SCRIPT}")
    return sorted(differing)


def _remove(folder: Path, parts: tuple[str, ...]) -> bool:
    with _errors_as_sentences(folder):
        present = [folder / part for part in parts if _present(folder / part)]
        for path in present:
            if path.is_symlink() or path.is_file():
                path.unlink()
            else:
                shutil.rmtree(path)
        for emptied in (folder, folder.parent) if present else ():
            if not any(emptied.iterdir()):
                emptied.rmdir()  # it was created for the plug-in
    return bool(present)


def _present(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _source_files(folder: Path) -> Iterator[Path]:
    """The files of a source tree, without Python's bytecode."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.relative_to(folder).parts:
            yield path


def _copy_tree(source: Path, target: Path) -> None:
    if not source.is_dir():
        raise InstallError(_incomplete(source))
    for path in _source_files(source):
        _copy_file(path, target / path.relative_to(source))


def _copy_file(source: Path, target: Path) -> None:
    """Copy only the contents, so that mode and owner of the source don't matter."""
    if not source.is_file():
        raise InstallError(_incomplete(source))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _msgpack_licence(msgpack: Path) -> Path:
    for info in sorted(msgpack.parent.glob("msgpack-*.dist-info")):
        for path in sorted(info.rglob("COPYING")):
            return path
    return msgpack / "COPYING"  # as in msgpack's source tree; `_copy_file` reports a missing file


def _incomplete(path: Path) -> str:
    return f"A file to install is missing: {path}. Download Dreamlayer again, then run install.py."


@contextmanager
def _errors_as_sentences(folder: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise InstallError(
            f"{error.filename or folder} can't be changed (permission denied)."
            " Close Krita and GIMP, make sure that the folder is yours, and run install.py again."
        ) from error
    except OSError as error:
        raise InstallError(
            f"{error.filename or folder} can't be changed ({error.strerror or error})."
            " Free some space or get permission to write there, then run install.py again."
        ) from error
