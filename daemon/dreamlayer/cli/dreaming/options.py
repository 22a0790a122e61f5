"""The options of `dreamlayer dream`; those of the recipe come from its table."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dreamlayer.files.opening import PIXELS_MAX
from dreamlink.recipe.presets import DEFAULT
from dreamlink.recipe.recipe import PARAMETERS, Parameter

LAYERS = """\
values of --layer, and of --bind after a colour of the map (#ff0000=10:30):
  features.10                     a whole layer, by name or by number: 10
  10:mean                         the same, but weak places count as much as strong ones
  10:30   10:30,115               one channel of it, or several
  10:30@0.5,0.25                  a channel in one place: half way across, a quarter down
  "10:direction(3 7=0.5 9=-1)"    a mixture of channels
  10:guide   10:cosine            what the --guide picture shows, place by place or as a whole
  kind:dogs      kind:birds       a kind of things (also: spread)
  class:castle   class:483        a class that the network knows, by name or number
  "10:30 + 12*0.5 - 3"            several, with weights; subtracted ones are dreamed away
"""
NUMBERS = re.compile(r"^-\.?\d[\d.,eE+-]*$")  # values of options that begin with a minus


def add(commands: Any, run: Callable[[argparse.Namespace], int]) -> None:
    """Add the command `dream`, which calls `run`, to argparse's subparsers."""
    dream = commands.add_parser(
        "dream", help="dream on pictures", description="Dream on a picture, or on many.",
        epilog=LAYERS, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    dream.set_defaults(run=run)
    dream._negative_number_matcher = NUMBERS  # or --select -10,5,30,20 would be another option
    dream.add_argument(
        "inputs", metavar="INPUT", nargs="+",
        help="the picture; or several, folders, whose pictures are taken, and patterns such as"
        ' "photos/*.jpg"',
    )  # fmt: skip
    dream.add_argument(
        "-o", "--output", metavar="OUTPUT", required=True,
        help="the file for the result: .png, .tif, .jpg, .webp or .bmp. For several pictures a name"
        " with {name}, the picture's own name without its ending, e.g. dreams/{name}.png; also"
        " {ext}, its ending, {parent}, its folder's name, and {n}, its number. Folders that"
        " are missing are made",
    )  # fmt: skip
    dream.add_argument(
        "--overwrite", action="store_true",
        help="let the result replace a file that the dream is made from, that is write-protected,"
        " or that holds several pictures",
    )  # fmt: skip
    dream.add_argument(
        "--skip-existing", action="store_true",
        help="leave out pictures whose result is already there: to go on with a batch that ended"
        " early",
    )  # fmt: skip
    add_shared(dream)
    dream.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object about each dream, including its gain",
    )


def add_shared(command: Any) -> None:
    """Add what `film` shares with `dream`: where, with which recipe and device."""
    where = command.add_argument_group("where to dream")
    where.add_argument(
        "--select", metavar="X,Y,W,H", help="dream only in this rectangle, in pixels"
    )
    where.add_argument(
        "--mask", metavar="FILE", type=Path,
        help="dream only where this grey picture of the same size is neither black nor transparent;"
        " white means fully",
    )  # fmt: skip
    command.add_argument(
        "--pixels-max", metavar="MEGAPIXELS", type=int, default=PIXELS_MAX,
        help="refuse a larger picture, mask or guide, before it takes memory"
        f" (default {PIXELS_MAX})",
    )  # fmt: skip
    text = (
        f"Without --preset and --recipe, the preset {DEFAULT} is dreamed. With options that ask for"
        " another dream (--model, --layer, --octaves …), the defaults below count instead."
    )
    _add_recipe(command.add_argument_group("what to dream", text))
    command.add_argument(
        "--device",
        default="auto",
        help="auto, cpu, cuda, cuda:1, xpu, mps, webgpu … (default auto)",
    )


def _add_recipe(group: Any) -> None:
    base = group.add_mutually_exclusive_group()
    base.add_argument(
        "--preset", metavar="NAME",
        help="a named recipe, which other options modify (see: dreamlayer presets)",
    )  # fmt: skip
    base.add_argument(
        "--recipe", metavar="FILE", type=Path,
        help="take the recipe, and --select, from a .png that this command wrote or a .json file;"
        " other options modify it",
    )  # fmt: skip
    group.add_argument(
        "--guide", metavar="PICTURE", type=Path,
        help="a picture of what to dream, for --layer LAYER:guide or LAYER:cosine",
    )  # fmt: skip
    group.add_argument(
        "--map", metavar="PICTURE", type=Path,
        help="a dream map: a picture of flat colours, stretched over the input; --bind says what"
        " each of them stands for",
    )  # fmt: skip
    for parameter in PARAMETERS.values():
        _add_parameter(group, parameter)


def _add_parameter(group: Any, parameter: Parameter) -> None:
    """Add an option for a row of the recipe table; it is absent from the arguments if not used."""
    notes = []
    if parameter.choices:
        notes.append(" or ".join(parameter.choices))
    if parameter.minimum is not None:
        unit = f" {parameter.unit}" if parameter.unit else ""
        notes.append(f"{parameter.minimum:g} to {parameter.maximum:g}{unit}")
    if parameter.entry:
        notes.append("once for each")
    if parameter.kind is bool:
        notes.append(f"default {'on' if parameter.default else 'off'}")
    else:
        notes.append(f"default {parameter.default}" if parameter.default != "" else "default none")
    text = f"{parameter.help} ({', '.join(notes)})".replace("%", "%%")
    options: dict[str, Any] = {"dest": parameter.name, "default": argparse.SUPPRESS, "help": text}
    if parameter.kind is bool:
        options["action"] = argparse.BooleanOptionalAction
    else:
        # Parsed later, so that the recipe table's own sentence reports an invalid value.
        options["metavar"] = {int: "N", float: "X", str: parameter.entry or "NAME"}[parameter.kind]
        if parameter.entry:
            options["action"] = "append"
    group.add_argument(f"--{parameter.name.replace('_', '-')}", **options)
