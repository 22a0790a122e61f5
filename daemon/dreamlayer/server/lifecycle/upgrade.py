"""Whether another version was installed since the daemon was started."""

from __future__ import annotations

import time


def installed() -> str | None:
    """The version that is installed now; None while there is none."""
    import importlib.metadata  # takes a tenth of the daemon's start

    try:
        return importlib.metadata.version("dreamlayer")
    except importlib.metadata.PackageNotFoundError:
        return None


class Update:
    """Tells a daemon that has nothing to do to make way for another version.

    What is compared is what was installed at the start, not what this code says of itself: they
    may differ for good where it is developed.

    Args:
        after: seconds without a message after which it is looked whether there is another version.
    """

    def __init__(self, after: float) -> None:
        self._after = max(0.1, after)
        self._at_start: str | None = None
        self._begun = False
        self._look_at = time.monotonic() + after

    def begin(self) -> None:
        """Note what is installed: soon after the start, but behind the first hello."""
        if not self._begun:
            self._begun, self._at_start = True, installed()

    @property
    def patience(self) -> int:
        """Milliseconds until it is time to look."""
        return max(1, round((self._look_at - time.monotonic()) * 1000))

    def heard(self) -> None:
        """A client is talking to the daemon: now is not the time."""
        self._look_at = time.monotonic() + self._after

    def due(self) -> bool:
        """Whether to make way: nobody has talked for a while, and another version is there."""
        if time.monotonic() < self._look_at:
            return False
        self.heard()
        return self._begun and installed() != self._at_start
