"""`dreamlayer stop`: end the daemon, at once or when its dreams are done."""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING, Any

from dreamlayer.daemon_client import NOT_RUNNING, ask

if TYPE_CHECKING:
    from dreamlink.client.client import Client


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    text = "end the daemon"
    stop = commands.add_parser("stop", help=text, description=text)
    stop.add_argument(
        "--finish", action="store_true",
        help="let it finish its dreams before, as long as the setting finish_within allows;"
        " otherwise they are cancelled",
    )  # fmt: skip
    stop.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Ask the daemon to stop, whatever its version, and wait until it has."""
    from dreamlink import VERSION
    from dreamlink.client.client import LinkError
    from dreamlink.wire.messages import PROTOCOL

    client = _client()
    if client is None:
        print(NOT_RUNNING)
        return
    with contextlib.closing(client):  # not greeted by connect(): any version can be stopped
        ask(client, {"op": "hello", "protocol": PROTOCOL, "version": VERSION})
        told = ask(client, {"op": "stop", "finish": arguments.finish})
        with contextlib.suppress(LinkError):
            while True:  # until it has gone
                client.receive(1.0)
    print("The Dreamlayer daemon has stopped.")
    if told.get("unfetched"):
        print(f"Finished dreams that were kept and not fetched are lost: {told['unfetched']}.")


def _client() -> Client | None:
    from dreamlink.client import discovery
    from dreamlink.client.client import Client, StaleDaemon

    info = discovery.find()
    try:
        return Client(info) if info else None
    except StaleDaemon:
        return None
