"""The options of `dreamlayer film`, and what contradicts each other among them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from dreamlayer.cli.dreaming import options
from dreamlayer.daemon_client import CommandError

CARRY = 0.8  # of a film; a dive's frames contain the dream before anyway
ZOOM_MAX = 2.0
ONE_SHOT = "none"
RATE_MAX = 1000
# Of films and pictures that are not written: a folder of that name would be a surprise.
UNWRITTEN = {
    ".avi", ".flv", ".m4v", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".wmv", ".png", ".jpg",
    ".jpeg", ".tif", ".tiff", ".exr",
}  # fmt: skip


def add(commands: Any, run: Callable[[argparse.Namespace], int]) -> None:
    """Add the command `film`, which calls `run`, to argparse's subparsers."""
    film = commands.add_parser(
        "film", help="dream on a film", allow_abbrev=False,
        description="Dream on a film frame by frame, so that it does not flicker, or dive into a"
        " picture. Frames are numbered PNGs; the command goes on where it was, and dreams single"
        " shots for render farms.",
        epilog=options.LAYERS, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    film.set_defaults(run=run, json=False)
    film._negative_number_matcher = options.NUMBERS
    film.add_argument(
        "inputs", metavar="INPUT", nargs="+",
        help='a folder of pictures, a pattern such as "frames/*.png", a GIF, WebP or APNG, a video'
        " if ffmpeg is installed, or one picture to dive into",
    )  # fmt: skip
    film.add_argument(
        "-o", "--output", metavar="OUTPUT", required=True, type=Path,
        help="the folder for the frames, or a film: .mp4, .mov, .mkv or .webm, if ffmpeg is"
        " installed, .gif, .webp or .apng. A film's frames are in FILM.frames until it is done",
    )  # fmt: skip
    film.add_argument(
        "--resume", action="store_true",
        help="keep the frames that are there, and go on after the last one: the bytes are those of"
        " a film that was not interrupted",
    )  # fmt: skip
    film.add_argument(
        "--overwrite", action="store_true", help="let the film replace a file that is there"
    )
    how = film.add_argument_group("film")
    how.add_argument(
        "--carry", metavar="X", type=float,
        help="how much of the dream before each frame starts from, 0 to 1: the more, the calmer"
        f" the film (default {CARRY}, for a dive 0)",
    )  # fmt: skip
    how.add_argument(
        "--zoom", metavar="X", type=float, default=1.0,
        help="how many times each frame is enlarged, 1 to 2, e.g. 1.03. With one picture: a dive"
        " into it; with a film, what was dreamed grows out of the middle",
    )  # fmt: skip
    how.add_argument("--frames", metavar="N", type=int, help="how many frames a dive has")
    how.add_argument(
        "--cuts", metavar="N,N…",
        help="the first frames of new shots, counted from 1, or none; without it cuts are found",
    )  # fmt: skip
    how.add_argument(
        "--rate", metavar="X",
        help="frames a second of a film made of pictures (default 24), or instead of the source's",
    )  # fmt: skip
    farm = film.add_argument_group("render farms")
    farm.add_argument(
        "--shot", metavar="N", type=int, help="dream only the N-th shot, from 1; write no film"
    )
    farm.add_argument(
        "--of", metavar="M", type=int, help="with --shot: how many shots there must be"
    )
    farm.add_argument(
        "--list-shots", action="store_true", help="only print each shot: number, first, last frame"
    )
    options.add_shared(film)


def check(arguments: argparse.Namespace) -> None:
    """Refuse options that contradict each other, before anything is read."""
    from dreamlayer.filming.assembling import is_film

    carry = arguments.carry
    if carry is not None and not 0.0 <= carry <= 1.0:
        raise CommandError(f"--carry is between 0 and 1, not {carry:g}.")
    if not 1.0 <= arguments.zoom <= ZOOM_MAX:
        raise CommandError(f"--zoom is between 1 and {ZOOM_MAX:g}, not {arguments.zoom:g}.")
    if arguments.of is not None and arguments.shot is None:
        raise CommandError("--of says how many shots there are: say which one with --shot.")
    if arguments.frames is not None and arguments.frames < 1:
        raise CommandError("--frames is at least 1.")
    rate(arguments.rate)
    output = arguments.output
    if is_film(output):
        there = output.exists() and arguments.shot is None and not arguments.list_shots
        if there and not arguments.overwrite:
            raise CommandError(f"{output} is there already: name another file, or add --overwrite.")
    elif output.suffix.lower() in UNWRITTEN and not output.is_dir():
        from dreamlayer.filming.assembling import ENDINGS

        raise CommandError(
            f"{output} can't be written: a film's name ends in one of {', '.join(ENDINGS)}, and a"
            " folder's has no ending."
        )


def cuts(text: str | None) -> list[int] | None:
    """The first frames of new shots; None: they are to be found."""
    if text is None:
        return None
    if text == ONE_SHOT:
        return []
    try:
        return [int(word) for word in text.split(",")]
    except ValueError as error:
        raise CommandError(
            f"--cuts takes the first frames of shots, e.g. 48,96, or none; not {text!r:.60}."
        ) from error


def rate(text: str | None) -> Fraction | None:
    """Frames a second; None: as the source says."""
    if text is None:
        return None
    try:
        found = Fraction(text)
    except (ValueError, ZeroDivisionError):
        found = Fraction(0)
    if not 0 < found <= RATE_MAX:
        raise CommandError(
            f"--rate is a number of frames a second, e.g. 25 or 30000/1001; not {text!r:.40}."
        )
    return found
