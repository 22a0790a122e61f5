"""`dreamlayer keys`: this computer's key, and the computers that may dream here."""

from __future__ import annotations

import argparse
from typing import Any

NONE_MADE = "This computer has no key yet. Make one with: dreamlayer keys make"
STAYS = "If it is connected now, it stays so until the daemon stops: dreamlayer stop"


def add(commands: Any) -> None:
    """Add the commands to argparse's subparsers."""
    text = "manage keys for dreaming on another computer"
    keys = commands.add_parser(
        "keys", help=text,
        description="Manage keys for dreaming on another computer, which must run: dreamlayer serve"
        " --listen ADDRESS",
    )  # fmt: skip
    actions = keys.add_subparsers(title="commands", required=True, metavar="COMMAND")
    make = actions.add_parser("make", help="make this computer's key")
    make.set_defaults(run=_make)
    make.add_argument(
        "--again",
        action="store_true",
        help="replace an existing key; other computers then need the new one",
    )
    actions.add_parser("show", help="show this computer's key").set_defaults(run=_show)
    allow = actions.add_parser("allow", help="allow another computer to dream here")
    allow.set_defaults(run=_allow)
    allow.add_argument("name", metavar="NAME", help="a name of your choice for it")
    allow.add_argument(
        "key", metavar="KEY", help="the key that `dreamlayer keys show` prints there"
    )
    actions.add_parser("list", help="list the computers that may dream here").set_defaults(
        run=_list
    )
    remove = actions.add_parser("remove", help="no longer allow a computer to dream here")
    remove.set_defaults(run=_remove)
    remove.add_argument("name", metavar="NAME", help="its name (see: dreamlayer keys list)")


def key_instructions(key: str, address: str = "ADDRESS:PORT") -> str:
    """The commands to type on other computers, with this computer's public key."""
    return (
        "To let this computer dream on another one, run there:\n"
        f"    dreamlayer keys allow NAME {key}\n"
        "To let another computer dream on this one, run there:\n"
        f"    dreamlayer settings remote {address}/{key}"
    )


def _make(arguments: argparse.Namespace) -> None:
    from dreamlayer.server.transport import keys

    if keys.own() is not None and not arguments.again:
        print("This computer already has a key.")
    else:
        keys.make()
    _show(arguments)


def _show(_arguments: argparse.Namespace) -> None:
    from dreamlayer.server.transport import keys

    pair = keys.own()
    print(NONE_MADE if pair is None else key_instructions(pair.public.hex()))


def _allow(arguments: argparse.Namespace) -> None:
    from dreamlayer.server.transport import keys

    keys.allow(arguments.name, arguments.key)
    print(f"{arguments.name} may dream here while `dreamlayer serve --listen` is running.")


def _list(_arguments: argparse.Namespace) -> None:
    from dreamlayer.server.transport import keys

    for name, key in keys.allowed().items():
        print(f"{name}  {key.hex()}")


def _remove(arguments: argparse.Namespace) -> None:
    from dreamlayer.server.transport import keys

    keys.remove(arguments.name)
    print(f"{arguments.name} may no longer dream here. {STAYS}")
