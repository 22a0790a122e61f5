"""`dreamlayer keys`: which other computers may dream here, and this one's own key."""

from __future__ import annotations

import argparse
from typing import Any

NONE_MADE = "This computer has no key yet. Make one with: dreamlayer keys make"
IN_FORCE = "Who is connected stays so until the daemon ends: dreamlayer stop"


def add(commands: Any) -> None:
    """Add the commands to argparse's subparsers."""
    text = "keys, to dream on another computer"
    keys = commands.add_parser(
        "keys", help=text,
        description="Keys, to dream on another computer. There: dreamlayer serve --listen ADDRESS",
    )  # fmt: skip
    actions = keys.add_subparsers(title="commands", required=True, metavar="COMMAND")
    make = actions.add_parser("make", help="make this computer's key")
    make.set_defaults(run=_make)
    make.add_argument(
        "--again", action="store_true", help="in place of the one it has: others must be told"
    )
    actions.add_parser("show", help="show this computer's key").set_defaults(run=_show)
    allow = actions.add_parser("allow", help="let another computer dream here")
    allow.set_defaults(run=_allow)
    allow.add_argument("name", metavar="NAME", help="how you call it")
    allow.add_argument("key", metavar="KEY", help="what `dreamlayer keys show` says there")
    actions.add_parser("list", help="which computers may dream here").set_defaults(run=_list)
    remove = actions.add_parser("remove", help="let a computer dream here no more")
    remove.set_defaults(run=_remove)
    remove.add_argument("name", metavar="NAME", help="its name, see: dreamlayer keys list")


def told(key: str, where: str = "ADDRESS:PORT") -> str:
    """What to type where, with this computer's public key."""
    return (
        "For this computer to dream on another one, there:\n"
        f"    dreamlayer keys allow NAME {key}\n"
        "For another computer to dream on this one, there:\n"
        f"    dreamlayer settings remote {where}/{key}"
    )


def _make(arguments: argparse.Namespace) -> None:
    from dreamlayer.server.transport import keys

    if keys.own() is not None and not arguments.again:
        print("This computer has a key already.")
    else:
        keys.make()
    _show(arguments)


def _show(_arguments: argparse.Namespace) -> None:
    from dreamlayer.server.transport import keys

    pair = keys.own()
    print(NONE_MADE if pair is None else told(pair.public.hex()))


def _allow(arguments: argparse.Namespace) -> None:
    from dreamlayer.server.transport import keys

    keys.allow(arguments.name, arguments.key)
    print(f"{arguments.name} may dream here, whenever `dreamlayer serve --listen` runs.")


def _list(_arguments: argparse.Namespace) -> None:
    from dreamlayer.server.transport import keys

    for name, key in keys.allowed().items():
        print(f"{name}  {key.hex()}")


def _remove(arguments: argparse.Namespace) -> None:
    from dreamlayer.server.transport import keys

    keys.remove(arguments.name)
    print(f"{arguments.name} is let in no more. {IN_FORCE}")
