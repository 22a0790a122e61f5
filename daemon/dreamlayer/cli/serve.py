"""`dreamlayer serve`: run the daemon here."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from dreamlayer.cli.keys import told

if TYPE_CHECKING:
    from dreamlayer.server.config.address import Address


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    text = "run the daemon here, until Ctrl-C"
    serve = commands.add_parser("serve", help=text, description=text)
    serve.set_defaults(run=run)
    serve.add_argument(
        "--listen", metavar="ADDRESS[:PORT]",
        help="dream for other computers, too: those whose keys were allowed, see: dreamlayer keys",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Serve; raises ValueError for an address that can't be."""
    from dreamlayer.server.config.address import listen_address
    from dreamlayer.server.lifecycle.single_instance import AlreadyRunning
    from dreamlayer.server.main import serve

    listen = None if arguments.listen is None else listen_address(arguments.listen)
    if listen is not None:
        _tell(listen)
    try:
        serve(listen=listen)
    except AlreadyRunning as already:
        print(already)
        if listen is not None:
            print("It does not listen to other computers: dreamlayer stop, then this again.")


def _tell(listen: Address) -> None:
    from dreamlayer.server.transport import keys

    pair = keys.own() or keys.make()
    print(told(pair.public.hex(), str(listen)))
    names = ", ".join(keys.allowed()) or "nobody yet"
    print(f"Listening on {listen}. Who may dream here: {names}", flush=True)
