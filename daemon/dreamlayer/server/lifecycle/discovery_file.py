"""The discovery file of a running daemon: kept up, as files get deleted and damaged."""

from __future__ import annotations

import contextlib
import logging
import time

from dreamlink.client import discovery
from dreamlink.client.discovery import DaemonInfo

log = logging.getLogger(__name__)

INTERVAL = 2.0  # seconds between two looks


class Notice:
    """Tells where this daemon is, from its start to its end."""

    def __init__(self, info: DaemonInfo) -> None:
        self._info = info
        self._look_at = 0.0

    def put_up(self) -> None:
        """Write the file; raises OSError."""
        discovery.publish(self._info)
        self._look_at = time.monotonic() + INTERVAL

    def keep_up(self) -> bool:
        """Write the file again if it is gone or damaged; False if it is another daemon's.

        Then the folder was deleted, and with it the lock, and another daemon has begun there: no
        client will find this one any more.
        """
        if time.monotonic() < self._look_at:
            return True
        self._look_at = time.monotonic() + INTERVAL
        found = discovery.find()
        if found is None:
            with contextlib.suppress(OSError):  # a full disk, say: tried again
                discovery.publish(self._info)
                log.warning("the discovery file was gone: it is written again")
        return found is None or found.pid == self._info.pid

    def take_down(self) -> None:
        """Remove the file if it is this daemon's."""
        discovery.withdraw(self._info.pid)
