"""The fake daemon, listening to other computers: `listening_daemon.py ADDRESS:PORT`."""

from __future__ import annotations

import sys
from typing import Any

from dreamlayer.server.config.address import listen_address
from dreamlayer.server.main import serve
from tests.server.fake_daemon import FakeStudio


def studio() -> Any:
    return FakeStudio(0.0)


if __name__ == "__main__":
    serve(studio, listen_address(sys.argv[1]))
