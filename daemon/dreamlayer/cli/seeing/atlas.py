"""`dreamlayer atlas`: pages that show what the networks' layers and channels answer to."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

HELP = "write pages that show what a network's channels answer to"


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    command = commands.add_parser(
        "atlas", help=HELP, allow_abbrev=False,
        description="Write pages for a browser that show what each layer, each channel and each"
        " kind of things of a network answers to, with the addresses that --layer takes. They"
        " need no network service.",
    )  # fmt: skip
    command.set_defaults(run=run)
    command.add_argument(
        "model", metavar="MODEL", nargs="?", default="",
        help="the network (default: both that are part of Dreamlayer)",
    )  # fmt: skip
    command.add_argument(
        "-o", "--output", metavar="FOLDER", type=Path, required=True,
        help="where to write them: a new folder, an empty one, or an atlas to replace",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Write the atlas, and print where it begins."""
    from dreamlayer.atlas import contents, writing
    from dreamlayer.cli.models import use_own_networks
    from dreamlayer.thumbnails import sheets

    use_own_networks()
    writing.check(arguments.output)
    models = [arguments.model] if arguments.model else list(sheets.index())
    first = writing.write(arguments.output, [contents.of(model) for model in models])
    print(f"Open {first.resolve()} in a browser.")
