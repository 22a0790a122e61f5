"""The plug-ins in a host's folder: putting them there, comparing them, removing them.

What a host gets is put together in a folder beside its place and then moved there as a whole, so
that neither an older copy's files nor half a copy are ever seen. `places.py` finds the folders.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from install.errors import InstallError

KRITA_PARTS = ("dreamlayer_krita.desktop", "dreamlayer_krita", "dreamlink")  # in pykrita/
GIMP_PARTS = ("dreamlayer-gimp",)  # in plug-ins/
GIMP_SCRIPT = "dreamlayer-gimp.py"
MSGPACK_FILES = ("__init__.py", "exceptions.py", "ext.py", "fallback.py")  # its pure-Python part
WORK_PREFIX = ".dreamlayer-"


def install_krita(checkout: Path, data: Path, msgpack: Path) -> Path:
    """Put the Krita plug-in into Krita's data folder; returns the folder that it is in.

    Args:
        checkout: Dreamlayer's source tree.
        data: Krita's data folder, e.g. ~/.local/share/krita.
        msgpack: the folder of an installed msgpack package.

    Raises:
        InstallError: a source is missing or the folder can't be written.
    """
    return _place(lambda stage: _stage_krita(checkout, msgpack, stage), data / "pykrita")


def install_gimp(checkout: Path, profile: Path, msgpack: Path) -> Path:
    """Put the GIMP plug-in into a GIMP profile, e.g. ~/.config/GIMP/3.0; otherwise alike."""
    return _place(lambda stage: _stage_gimp(checkout, msgpack, stage), profile / "plug-ins")


def krita_differences(checkout: Path, data: Path, msgpack: Path) -> list[str]:
    """Files of the Krita plug-in that are missing, surplus or not those of the checkout."""
    return _differences(lambda stage: _stage_krita(checkout, msgpack, stage), data / "pykrita")


def gimp_differences(checkout: Path, profile: Path, msgpack: Path) -> list[str]:
    """Files of the GIMP plug-in that are missing, surplus or not those of the checkout."""
    return _differences(lambda stage: _stage_gimp(checkout, msgpack, stage), profile / "plug-ins")


def remove_krita(data: Path) -> bool:
    """Remove what `install_krita` put there; returns whether there was anything."""
    return _remove(data / "pykrita", KRITA_PARTS)


def remove_gimp(profile: Path) -> bool:
    """Remove what `install_gimp` put there; returns whether there was anything."""
    return _remove(profile / "plug-ins", GIMP_PARTS)


def contents(top: Path, root: Path | None = None) -> dict[str, bytes]:
    """What is in the files in a folder (or one file), by their paths below `root`."""
    files = [top] if top.is_file() else list(_source_files(top))
    return {path.relative_to(root or top).as_posix(): path.read_bytes() for path in files}


def vendor_dreamlink(checkout: Path, msgpack: Path, target: Path) -> None:
    """Make the folder `target` a dreamlink package that brings its own pure-Python msgpack."""
    _copy_tree(checkout / "plugins" / "link" / "dreamlink", target)
    _copy_file(checkout / "LICENSE", target / "LICENSE")
    vendor = target / "_vendor"
    for name in MSGPACK_FILES:
        _copy_file(msgpack / name, vendor / "msgpack" / name)
    _copy_file(_msgpack_licence(msgpack), vendor / "msgpack" / "COPYING")
    (vendor / "__init__.py").write_text('"""Libraries that come along."""\n', encoding="utf-8")


def _stage_krita(checkout: Path, msgpack: Path, stage: Path) -> None:
    source = checkout / "plugins" / "krita"
    _copy_file(source / "dreamlayer_krita.desktop", stage / "dreamlayer_krita.desktop")
    _copy_tree(source / "dreamlayer_krita", stage / "dreamlayer_krita")
    vendor_dreamlink(checkout, msgpack, stage / "dreamlink")


def _stage_gimp(checkout: Path, msgpack: Path, stage: Path) -> None:
    plugin = stage / "dreamlayer-gimp"
    _copy_tree(checkout / "plugins" / "gimp" / "dreamlayer-gimp", plugin)
    vendor_dreamlink(checkout, msgpack, plugin / "dreamlink")
    (plugin / GIMP_SCRIPT).chmod(0o755)  # GIMP passes over scripts that can't be executed


def _place(stage_into: Callable[[Path], None], folder: Path) -> Path:
    with _readably(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(f"{WORK_PREFIX}*"):  # of a run that was killed
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
        with _readably(folder):
            found = {
                path: content
                for part in parts
                for path, content in contents(part, part.parent).items()
            }
    differing = {path for path in wanted | found if wanted.get(path) != found.get(path)}
    script = folder / "dreamlayer-gimp" / GIMP_SCRIPT
    if script.is_file() and not script.stat().st_mode & 0o100:
        differing.add(f"dreamlayer-gimp/{GIMP_SCRIPT}")
    return sorted(differing)


def _remove(folder: Path, parts: tuple[str, ...]) -> bool:
    with _readably(folder):
        there = [folder / part for part in parts if _present(folder / part)]
        for path in there:
            if path.is_symlink() or path.is_file():
                path.unlink()
            else:
                shutil.rmtree(path)
        for emptied in (folder, folder.parent) if there else ():
            if not any(emptied.iterdir()):
                emptied.rmdir()  # it was made for us
    return bool(there)


def _present(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _source_files(folder: Path) -> Iterator[Path]:
    """The files of a source tree, without what Python compiled there."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.relative_to(folder).parts:
            yield path


def _copy_tree(source: Path, target: Path) -> None:
    if not source.is_dir():
        raise InstallError(_incomplete(source))
    for path in _source_files(source):
        _copy_file(path, target / path.relative_to(source))


def _copy_file(source: Path, target: Path) -> None:
    """Copy the bytes alone: a read-only or foreign-owned source must not make such a copy."""
    if not source.is_file():
        raise InstallError(_incomplete(source))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _msgpack_licence(msgpack: Path) -> Path:
    for info in sorted(msgpack.parent.glob("msgpack-*.dist-info")):
        for path in sorted(info.rglob("COPYING")):
            return path
    return msgpack / "COPYING"  # as in msgpack's own source tree; missing is said by the copier


def _incomplete(path: Path) -> str:
    return f"A file to install is missing: {path}. Fetch Dreamlayer anew and run install.py again."


@contextmanager
def _readably(folder: Path) -> Iterator[None]:
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
            " Make room or give yourself the right to write there, and run install.py again."
        ) from error
