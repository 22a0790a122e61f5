"""The daemon as the command line talks to it. The link is imported only when it is talked to."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dreamlink.client.client import Client
    from dreamlink.wire.messages import Header

ANSWER_WITHIN = 120.0  # seconds; the first answer about layers waits until torch is loaded
NOT_RUNNING = "The Dreamlayer daemon is not running."
SPEAK_AFTER = 1.0  # seconds of waiting for the daemon that need no word


class CommandError(Exception):
    """Something that ends the command; the text is one sentence for the user."""


def daemon() -> Client:
    """The daemon, started if it does not run."""
    from dreamlink.client.launch import STARTING, connect

    said: set[str] = set()
    began = time.monotonic()

    def show(sentence: str) -> None:
        worth_it = sentence == STARTING or time.monotonic() > began + SPEAK_AFTER
        if worth_it and sentence not in said:
            said.add(sentence)
            print(f"dreamlayer: {sentence}", file=sys.stderr)

    return connect([sys.executable, "-m", "dreamlayer", "serve"], show)


def ask(client: Client, request: Header) -> Header:
    """The daemon's answer to a request that has exactly one; raises CommandError."""
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
