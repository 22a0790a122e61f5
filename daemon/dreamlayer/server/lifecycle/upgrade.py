"""Notices that another version was installed since the daemon was started."""

from __future__ import annotations

import time


def installed() -> str | None:
    """The version that is installed now; None if there is none."""
    import importlib.metadata  # takes a tenth of the daemon's start

    try:
        return importlib.metadata.version("dreamlayer")
    except importlib.metadata.PackageNotFoundError:
        return None


class UpgradeWatch:
    """Tells an idle daemon to stop when another version was installed, so that the next one starts.

    Compares with the version that was installed at the start, not with the one in this code: in a
    development checkout those two may always differ.

    Args:
        after: seconds without a message after which the installed version is checked.
    """

    def __init__(self, after: float) -> None:
        self._after = max(0.1, after)
        self._at_start: str | None = None
        self._noted = False
        self._check_at = time.monotonic() + after

    def note_installed(self) -> None:
        """Note the installed version: soon after the start, but after the first hello."""
        if not self._noted:
            self._noted, self._at_start = True, installed()

    @property
    def milliseconds_left(self) -> int:
        """Milliseconds until the next check."""
        return max(1, round((self._check_at - time.monotonic()) * 1000))

    def postpone(self) -> None:
        """Start the wait again: a client has sent a message."""
        self._check_at = time.monotonic() + self._after

    def due(self) -> bool:
        """Whether to stop: no client has sent anything for a while and the version has changed."""
        if time.monotonic() < self._check_at:
            return False
        self.postpone()
        return self._noted and installed() != self._at_start
