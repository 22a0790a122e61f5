"""Asking for the daemon from inside a Flatpak or Snap, which can't start programs outside.

The plug-in leaves a file, the wish, in a folder that both sides see. Outside, systemd watches for
it with units that install.py wrote: it removes the file and starts the daemon. The file says
nothing that anybody obeys. Its content only tells one program's wish from another's.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path

from . import discovery, private_files

WISH_FILE = "wanted"
TAKEN_WITHIN = 10.0  # seconds; systemd needs a moment, on a busy computer a few seconds


def watched() -> list[Path]:
    """The files that are wishes, as a program outside the sandboxes sees them. Raises NoFolder."""
    return [folder / WISH_FILE for folder in [discovery.home(), *discovery.sandbox_copies()]]


def fulfil() -> None:
    """Remove all wishes, as the daemon is there: one that stayed would start it when it ends."""
    for path in watched():
        with contextlib.suppress(OSError):
            path.unlink()


class Wish:
    """One wish of this program, from now on; see `launch.connecting`.

    Raises:
        WrongOwner: the folder for it belongs to another user.
        OSError: it can't be written.
    """

    def __init__(self) -> None:
        self._text = secrets.token_hex(8)
        self._path = private_files.make_private(_folder()) / WISH_FILE
        private_files.write(self._path, self._text)
        self._end = time.monotonic() + TAKEN_WITHIN

    def patience(self) -> float | None:
        """Seconds that waiting still makes sense; None: as long as a start may take."""
        return 0.0 if not self._is_taken() and time.monotonic() > self._end else None

    def give_up(self) -> str:
        """A sentence on what went wrong, and what to do."""
        if self._is_taken():
            return (
                "The Dreamlayer daemon was started outside this program's sandbox, but does not"
                " answer. Run `dreamlayer doctor` in a terminal: it says what is wrong."
            )
        return (
            "The Dreamlayer daemon is not running, and can't be started from this program's"
            " sandbox: run Dreamlayer's install.py again in a terminal, or `dreamlayer serve`, then"
            " try again."
        )

    def close(self) -> None:
        """Take the wish back, unless another program has replaced it by its own."""
        with contextlib.suppress(OSError):
            if private_files.read(self._path) == self._text.encode():
                self._path.unlink()

    def _is_taken(self) -> bool:
        return not os.path.lexists(self._path)


def _folder() -> Path:
    """The folder for wishes that this sandbox can write and the outside watches."""
    if discovery.snap():  # which can't see the user's hidden folders
        return Path(os.environ["SNAP_USER_COMMON"]) / "dreamlayer"
    return discovery.home()
