"""The discovery file of a running daemon, written again when it is deleted or damaged."""

from __future__ import annotations

import contextlib
import logging
import time

from dreamlink.client import discovery
from dreamlink.client.discovery import DaemonInfo

log = logging.getLogger(__name__)

INTERVAL = 2.0  # seconds between two checks


class DiscoveryFile:
    """Tells clients how to reach this daemon, from its start to its end."""

    def __init__(self, info: DaemonInfo) -> None:
        self._info = info
        self._check_at = 0.0

    def write(self) -> None:
        """Write the file; raises OSError."""
        discovery.publish(self._info)
        self._check_at = time.monotonic() + INTERVAL

    def keep(self) -> bool:
        """Write the file again if it is gone or damaged; False if it is another daemon's.

        That happens when the folder was deleted, with the lock in it, and another daemon started
        there: no client will find this daemon any more.
        """
        if time.monotonic() < self._check_at:
            return True
        self._check_at = time.monotonic() + INTERVAL
        published = discovery.find()
        if published is None:
            with contextlib.suppress(OSError):  # e.g. the disk is full: tried again later
                discovery.publish(self._info)
                log.warning("the discovery file was gone: it is written again")
        return published is None or published.pid == self._info.pid

    def remove(self) -> None:
        """Remove the file if it is this daemon's."""
        discovery.withdraw(self._info.pid)
