"""The sources as git knows them: what is committed, and nothing that merely lies in the folder."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from install.archives.packing import Files, PackedFile
from install.environment import clean_environ
from install.errors import InstallError


@dataclass(frozen=True)
class Sources:
    """The files of a commit; `seconds` is its time, after 1970, and that of all files."""

    commit: str
    seconds: int
    files: Files


def read(checkout: Path, dirty: bool = False) -> Sources:
    """The sources of the checkout.

    Args:
        dirty: take the files as they lie there, new ones too, but none that git ignores.

    Raises:
        InstallError: this is no git checkout, or there are changes that are not committed.
    """
    commit, seconds = _git(checkout, "log", "-1", "--format=%H %ct").decode().split()
    changed = _git(checkout, "status", "--porcelain").decode().splitlines()
    if changed and not dirty:
        raise InstallError(
            f"There are changes that are not committed ({changed[0].strip()}"
            f"{' and others' if len(changed) > 1 else ''}): commit them, or add --dirty to have"
            " them in the archives."
        )
    files = _lying(checkout) if dirty else _committed(checkout)
    return Sources(commit, int(seconds), files)


def _committed(checkout: Path) -> Files:
    with tarfile.open(fileobj=io.BytesIO(_git(checkout, "archive", "HEAD"))) as archive:
        files = {}
        for member in archive:
            if content := archive.extractfile(member) if member.isfile() else None:
                files[member.name] = PackedFile(content.read(), bool(member.mode & 0o100))
        return files


def _lying(checkout: Path) -> Files:
    listed = _git(checkout, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    paths = sorted({name for name in listed.decode().split("\0") if name})
    return {
        name: PackedFile((checkout / name).read_bytes(), os.access(checkout / name, os.X_OK))
        for name in paths
        if (checkout / name).is_file()
    }


def _git(checkout: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(checkout), *arguments],
            capture_output=True,
            env=clean_environ(),
            check=False,
        )
    except OSError as error:
        raise InstallError("git can't be started: install it, then run build.py again.") from error
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise InstallError(
            f"git can't read {checkout} ({words[-1] if words else 'no reason given'}):"
            " archives are made from a git checkout, so run build.py in one."
        )
    return done.stdout
