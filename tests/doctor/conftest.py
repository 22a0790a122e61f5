"""The doctor examines daemons as the server's tests start them."""

from tests.server.conftest import client, daemon, own_daemon

__all__ = ["client", "daemon", "own_daemon"]
