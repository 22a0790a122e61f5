"""`dreamlayer settings`: what can be set about the daemon, and setting it."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dreamlayer.server.config.settings import LoadedSettings

WIDTH = 88  # letters
LATER = "It holds from the next start of the daemon on: dreamlayer stop"


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    command = commands.add_parser(
        "settings", help="what can be set about the daemon; set it",
        description="Without a further word: show all settings.",
    )  # fmt: skip
    command.set_defaults(run=_run)
    command.add_argument("name", metavar="NAME", nargs="?", help="a setting, to show it")
    command.add_argument(
        "value", metavar="VALUE", nargs="?", help="what it shall be; default to have it as it was"
    )


def _run(arguments: argparse.Namespace) -> None:
    from dreamlayer.server.config import settings
    from dreamlayer.server.config.settings import SETTINGS, format_value

    if arguments.value is not None:
        value = settings.change(arguments.name, arguments.value)
        print(f"{arguments.name} is {format_value(arguments.name, value)} now. {LATER}")
        variable = f"DREAMLAYER_{arguments.name.upper()}"
        if settings.load().origins.get(arguments.name) == variable:
            print(f"But the environment variable {variable} goes before it.")
        return
    loaded = settings.load()
    if arguments.name is not None:
        settings.find(arguments.name)
    for name in SETTINGS if arguments.name is None else [arguments.name]:
        _show(name, loaded)
    for problem in loaded.problems:
        print(f"Left out: {problem}")


def _show(name: str, loaded: LoadedSettings) -> None:
    from dreamlayer.server.config.settings import SETTINGS, format_value

    row = SETTINGS[name]
    said = f"{name} = {format_value(name, getattr(loaded.settings, name))}"
    if name in loaded.origins:
        said += f"  (from {loaded.origins[name]}; default {format_value(name, row.default)})"
    span = ""
    if row.minimum is not None and row.maximum is not None:
        span = f" {format_value(name, row.minimum)} to {format_value(name, row.maximum)}."
    print(said)
    print(textwrap.indent(textwrap.fill(row.help + span, WIDTH), "    "))
