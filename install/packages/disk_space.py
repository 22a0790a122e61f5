"""Whether the disks have room for an installation."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from install.errors import InstallError


def check_space(home: Path, fetched: float, unpacked: float, otherwise: str = "") -> None:
    """Raise InstallError if the disks have no room for so many bytes.

    What is fetched is at first in the folder for temporary files, and then kept in `home` until the
    installation is complete.

    Args:
        home: the folder to install into.
        fetched, unpacked: bytes to download, and bytes installed.
        otherwise: what else the user can do about it.
    """
    temporary = Path(tempfile.gettempdir())
    together = home.stat().st_dev == temporary.stat().st_dev
    needs = {home: unpacked + fetched * (2 if together else 1)}
    if not together:
        needs[temporary] = fetched
    for folder, needed in needs.items():
        free = shutil.disk_usage(folder).free
        if free < needed:
            move = "DREAMLAYER_HOME" if folder == home else "TMPDIR (on Windows TEMP)"
            raise InstallError(
                f"There are only {free / 1e9:.1f} GB free in {folder}, but Dreamlayer needs"
                f" {needed / 1e9:.1f}: free some space, or set {move} to another folder{otherwise}."
            )
