"""Files in memory, and archives of them that are the same bytes whenever they are made."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import time
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PACKED = (".zip", ".whl", ".jpg", ".png", ".webp", ".kra")  # compressing these gains nothing
LEVEL = 6  # of compression; 9 takes three times as long and saves a hundredth
FILE_MODE, PROGRAM_MODE, FOLDER_MODE = 0o644, 0o755, 0o755


@dataclass(frozen=True)
class PackedFile:
    """A file of an archive."""

    data: bytes
    is_program: bool = False


Files = dict[str, PackedFile]  # by their paths in the archive, with slashes


def below(folder: str, files: Files) -> Files:
    """The same files in a folder."""
    return {f"{folder}/{path}": file for path, file in files.items()}


def chosen(files: Files, *tops: str) -> Files:
    """The files at these paths and in these folders."""
    return {
        path: file
        for path, file in files.items()
        if any(path == top or path.startswith(f"{top}/") for top in tops)
    }


def read_folder(folder: Path) -> Files:
    """The files of a folder; which of them are programs is unknown."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): PackedFile(path.read_bytes()) for path in paths}


def write_folder(folder: Path, files: Files) -> None:
    """Write the files into a folder."""
    for name, file in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        path.chmod(PROGRAM_MODE if file.is_program else FILE_MODE)


def zip_of(files: Files, seconds: int) -> bytes:
    """A zip of the files and their folders, in order, all of the time `seconds` after 1970.

    Folders have entries of their own: Krita's importer looks for that of the module.
    """
    stream = io.BytesIO()
    moment = time.gmtime(seconds)[:6]
    with zipfile.ZipFile(stream, "w") as archive:
        for name in sorted({*files, *_folders(files)}):
            info = zipfile.ZipInfo(name, moment)
            info.create_system = 3  # Unix, so that modes count
            if name.endswith("/"):
                info.external_attr = (0o040000 | FOLDER_MODE) << 16 | 0x10
                archive.writestr(info, b"")
                continue
            mode = PROGRAM_MODE if files[name].is_program else FILE_MODE
            info.external_attr = (0o100000 | mode) << 16
            info.compress_type = zipfile.ZIP_STORED if _is_packed(name) else zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name].data, compresslevel=LEVEL)
    return stream.getvalue()


def tar_of(files: Files, seconds: int) -> bytes:
    """A tar.gz of the files and their folders, as `zip_of`."""
    stream = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", LEVEL, stream, mtime=seconds) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in sorted({*files, *_folders(files)}):
            info = tarfile.TarInfo(name.rstrip("/"))
            info.mtime = seconds
            if name.endswith("/"):
                info.type, info.mode = tarfile.DIRTYPE, FOLDER_MODE
                archive.addfile(info)
                continue
            info.size = len(files[name].data)
            info.mode = PROGRAM_MODE if files[name].is_program else FILE_MODE
            archive.addfile(info, io.BytesIO(files[name].data))
    return stream.getvalue()


def checksums(paths: Iterable[Path]) -> str:
    """Lines as `sha256sum` writes them, in the order of the names."""
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(paths, key=lambda path: path.name)
    )


def _folders(files: Files) -> set[str]:
    parents = {parent for path in files for parent in PurePosixPath(path).parents}
    return {f"{parent}/" for parent in parents if parent != PurePosixPath(".")}


def _is_packed(name: str) -> bool:
    return name.endswith(PACKED)
