"""`dreamlayer serve`: run the daemon in the terminal."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from dreamlayer.cli import streams
from dreamlayer.cli.keys import key_instructions

if TYPE_CHECKING:
    from dreamlayer.server.config.address import Address


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    text = "run the daemon in this terminal until Ctrl-C"
    serve = commands.add_parser("serve", help=text, description=text)
    serve.set_defaults(run=run)
    serve.add_argument(
        "--listen", metavar="ADDRESS[:PORT]",
        help="also dream for other computers whose keys are allowed (see: dreamlayer keys)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Run the daemon; raises ValueError for an invalid address."""
    from dreamlayer.server.config.address import listen_address
    from dreamlayer.server.lifecycle.single_instance import AlreadyRunning
    from dreamlayer.server.main import serve

    streams.speak_utf8()
    listen = None if arguments.listen is None else listen_address(arguments.listen)
    if listen is not None:
        _print_instructions(listen)
    try:
        serve(listen=listen)
    except AlreadyRunning as already:
        print(already)
        if listen is not None:
            print(
                "It does not listen on that address: run dreamlayer stop, then this command again."
            )


def _print_instructions(listen: Address) -> None:
    from dreamlayer.server.transport import keys

    pair = keys.own() or keys.make()
    print(key_instructions(pair.public.hex(), str(listen)))
    names = ", ".join(keys.allowed()) or "none yet"
    print(f"Listening on {listen}. Computers that may dream here: {names}", flush=True)
