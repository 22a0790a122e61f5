"""The command line's connection to the daemon. The link is imported only when it is used."""

from __future__ import annotations

import random
import site
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dreamlink.client.client import Client
    from dreamlink.wire.messages import Header

ANSWER_WITHIN = 120.0  # seconds; the first list of layers has to wait until torch is loaded
NOT_RUNNING = "The Dreamlayer daemon is not running."
FULL = "As many programs are connected to the daemon as may be: waiting for one to finish…"
TURN_WITHIN = 3600.0  # seconds to wait for a place among the programs that may be connected
PAUSE_IF_FULL = 1.0  # seconds between two attempts
QUIET = 1.0  # seconds of waiting for the daemon without a message


class CommandError(Exception):
    """An error that ends the command; the text is one sentence for the user."""


def daemon(tell: Callable[[str], None] | None = None) -> Client:
    """A connection to the daemon, which is started if it is not running.

    If too many programs are connected, which a script that dreams on many pictures at once brings
    about, it waits for its turn. `tell` is called with each sentence about that; without it, the
    important ones are printed.
    """
    from dreamlink.client.client import LinkError
    from dreamlink.client.launch import STARTING, connect
    from dreamlink.wire.zmtp import Full

    shown: set[str] = set()
    began = time.monotonic()

    def show(sentence: str) -> None:
        important = sentence in (STARTING, FULL) or time.monotonic() > began + QUIET
        if important and sentence not in shown:
            shown.add(sentence)
            print(f"dreamlayer: {sentence}", file=sys.stderr)

    while True:
        try:
            return connect(start_command(), tell or show)
        except LinkError as error:
            if not isinstance(error.__cause__, Full) or time.monotonic() > began + TURN_WITHIN:
                raise
        (tell or show)(FULL)
        time.sleep(random.uniform(0.5, 1.5) * PAUSE_IF_FULL)  # noqa: S311


def start_command() -> list[str]:
    """The command that starts the daemon with this Python.

    Isolated (-I), Python imports from its own folders only: not from the current one, nor from
    those that variables name. Without an environment of its own, it may need the user's packages.
    """
    isolated = [] if site.ENABLE_USER_SITE else ["-I"]
    return [sys.executable, *isolated, "-m", "dreamlayer", "serve"]


def ask(client: Client, request: Header) -> Header:
    """The daemon's answer to a request that gets exactly one; raises CommandError."""
    from dreamlink.wire.messages import new_id

    request_id = new_id()
    client.send({**request, "id": request_id})
    end = time.monotonic() + ANSWER_WITHIN
    while (left := end - time.monotonic()) > 0:
        message = client.receive(left)
        if message is not None and message[0].get("id") == request_id:
            header = message[0]
            if header["op"] == "error":
                raise CommandError(str(header.get("text")))
            return header
    raise CommandError("The Dreamlayer daemon does not answer.")
