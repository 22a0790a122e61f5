"""`dreamlayer stop`: stop the daemon, at once or when its dreams are done."""

from __future__ import annotations

import argparse
import contextlib
import os
from typing import TYPE_CHECKING, Any

from dreamlayer.daemon_client import NOT_RUNNING, ask

if TYPE_CHECKING:
    from dreamlink.client.client import Client

STOPPED = "The Dreamlayer daemon has stopped."


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    text = "stop the daemon"
    stop = commands.add_parser("stop", help=text, description=text)
    stop.add_argument(
        "--finish", action="store_true",
        help="let it finish its dreams first, within the time set by finish_within; without this"
        " option they are cancelled",
    )  # fmt: skip
    stop.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Ask the daemon to stop, whatever its version, and wait until it has stopped."""
    from dreamlink.client.client import LinkError, WrongVersion

    try:
        client = _client()
    except WrongVersion:
        _replace_older()
        return
    if client is None:
        print(NOT_RUNNING)
        return
    with contextlib.closing(client):
        answer = ask(client, {"op": "stop", "finish": arguments.finish})
        with contextlib.suppress(LinkError):
            while True:  # until the connection ends
                client.receive(1.0)
    print(STOPPED)
    if answer.get("unfetched"):
        print(f"Finished dreams that were not fetched are lost: {answer['unfetched']}.")


def _client() -> Client | None:
    from dreamlink.client import discovery
    from dreamlink.client.client import Client, StaleDaemon

    info = discovery.find()
    try:
        return Client.connect(info, newer_too=True) if info and not info.is_waiting else None
    except StaleDaemon:
        return None


def _replace_older() -> None:
    """End a daemon of an older protocol, to which nothing is sent: it can't prove who it is."""
    from dreamlayer.server.lifecycle import single_instance
    from dreamlink.client import discovery

    print("The daemon is of an older version: it finishes its dreams first.", flush=True)
    lock = single_instance.claim()
    discovery.withdraw(os.getpid())
    lock.release()
    print(STOPPED)
