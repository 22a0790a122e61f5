"""When to reconnect after the connection to the daemon was lost in the middle of a dream.

The daemon continues a dream for a short time after its client has vanished: long enough to
reconnect and `Dream.resume` it. Quick looks and blends are not resumed: asking
again is as quick.
"""

from __future__ import annotations

RECONNECTIONS_MAX = (
    5  # for one dream or one client: a connection that breaks so often will not last
)


class ReconnectPolicy:
    """Counts the reconnections of one dream, or of one client with its dreams one by one."""

    def __init__(self) -> None:
        self._attempts = 0
        self._reconnecting = False

    def try_again(self) -> bool:
        """Whether to look for the daemon after a loss.

        False after `RECONNECTIONS_MAX` attempts, and if the last attempt has found no daemon: the
        dream has failed then.
        """
        if self._reconnecting or self._attempts >= RECONNECTIONS_MAX:
            return False
        self._attempts += 1
        self._reconnecting = True
        return True

    def connected(self) -> None:
        """The daemon was reached; the next loss is a new one."""
        self._reconnecting = False
