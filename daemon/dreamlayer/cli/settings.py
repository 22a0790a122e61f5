"""`dreamlayer settings`: show and change the daemon's settings."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dreamlayer.server.config.settings import LoadedSettings

WIDTH = 88  # characters
LATER = "This takes effect when the daemon starts next; to stop it now: dreamlayer stop"


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    command = commands.add_parser(
        "settings", help="show or change the daemon's settings",
        description="Show all settings, or one of them, or change one.",
    )  # fmt: skip
    command.set_defaults(run=_run)
    command.add_argument("name", metavar="NAME", nargs="?", help="the setting to show or change")
    command.add_argument(
        "value", metavar="VALUE", nargs="?", help="its new value; default restores the default"
    )


def _run(arguments: argparse.Namespace) -> None:
    from dreamlayer.server.config import settings
    from dreamlayer.server.config.settings import SETTINGS, format_value

    if arguments.value is not None:
        value = settings.change(arguments.name, arguments.value)
        print(f"{arguments.name} is now {format_value(arguments.name, value)}. {LATER}")
        variable = f"DREAMLAYER_{arguments.name.upper()}"
        if settings.load().origins.get(arguments.name) == variable:
            print(f"But the environment variable {variable} overrides it.")
        return
    loaded = settings.load()
    if arguments.name is not None:
        settings.find(arguments.name)
    for name in SETTINGS if arguments.name is None else [arguments.name]:
        _show(name, loaded)
    for problem in loaded.problems:
        print(f"Ignored: {problem}")


def _show(name: str, loaded: LoadedSettings) -> None:
    from dreamlayer.server.config.settings import SETTINGS, format_value

    row = SETTINGS[name]
    line = f"{name} = {format_value(name, getattr(loaded.settings, name))}"
    if name in loaded.origins:
        line += f"  (from {loaded.origins[name]}; default {format_value(name, row.default)})"
    limits = ""
    if row.minimum is not None and row.maximum is not None:
        limits = f" {format_value(name, row.minimum)} to {format_value(name, row.maximum)}."
    print(line)
    print(textwrap.indent(textwrap.fill(row.help + limits, WIDTH), "    "))
