"""`dreamlayer atlas`: pages that show what the networks' layers and channels answer to."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dreamlayer.atlas.contents import NetworkEntry

HELP = "write pages that show what a network's channels answer to"


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    command = commands.add_parser(
        "atlas", help=HELP, allow_abbrev=False,
        description="Write pages for a browser that show what each layer, each channel and each"
        " kind of things of a network answers to, with the addresses that --layer takes. They"
        " need no network service. Of a network that is not part of Dreamlayer the pictures are"
        " dreamed first, seconds for each on a processor; interrupted, it goes on when called"
        " again.",
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
    command.add_argument(
        "--layer", metavar="NAME", action="append", default=[],
        help="a layer to make pictures of, by name or number, of a network that is not part of"
        " Dreamlayer (default: its usual one); may be given several times",
    )  # fmt: skip
    command.add_argument(
        "--channels", metavar="N", type=int, default=None,
        help="make pictures of the first N channels only",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Write the atlas, and print where it begins."""
    from dreamlayer.atlas import contents, writing
    from dreamlayer.dreaming.own_networks import use_own_networks
    from dreamlayer.thumbnails import sheets

    use_own_networks()
    writing.check(arguments.output)
    if arguments.model and arguments.model not in sheets.index():
        networks = [_other(arguments)]
    else:
        models = [arguments.model] if arguments.model else list(sheets.index())
        networks = [contents.of_embedded(model) for model in models]
    first = writing.write(arguments.output, networks)
    print(f"Open {first.resolve()} in a browser.")


def _other(arguments: argparse.Namespace) -> NetworkEntry:
    """What there is of a network that is not embedded; pictures that are missing are made."""
    from dreamlayer.atlas import contents
    from dreamlayer.cli.models import own_thumbnails
    from dreamlayer.cli.seeing import channel_pictures

    made = own_thumbnails()
    interrupted = None
    try:
        channel_pictures.make(made, arguments.model, arguments.layer, arguments.channels)
    except KeyboardInterrupt as error:
        interrupted = error
    try:
        network = contents.of_other(arguments.model, made)
    except contents.NoAtlas:
        if interrupted is not None:
            raise interrupted from None
        raise
    if interrupted is not None:
        print("Called again, it goes on where it stopped.", file=sys.stderr)
    return network
