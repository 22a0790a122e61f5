"""`dreamlayer dream`: dream on a picture file; its options come from the recipe table."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamlayer.cli.files.opening import PIXELS_MAX
from dreamlayer.daemon_client import CommandError, daemon
from dreamlink.recipe.presets import DEFAULT
from dreamlink.recipe.recipe import PARAMETERS, Parameter, Recipe

if TYPE_CHECKING:
    from PIL import Image

    from dreamlayer.cli.files.reading import ImageFile
    from dreamlayer.cli.files.recipe_file import StoredRecipe
    from dreamlayer.cli.selection import Selection
    from dreamlink.client.reconnecting import ReconnectingClient
    from dreamlink.session.dream import Dream
    from dreamlink.session.inputs import Pixels
    from dreamlink.wire.messages import Header

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
CANCEL_WITHIN = 5.0  # seconds that Ctrl-C waits for the daemon's answer


# Options.


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    dream = commands.add_parser(
        "dream", help="dream on a picture", description="Dream on a picture.", epilog=LAYERS,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    dream.set_defaults(run=run)
    dream._negative_number_matcher = NUMBERS  # or --select -10,5,30,20 would be another option
    dream.add_argument("input", metavar="INPUT", type=Path, help="the picture")
    dream.add_argument(
        "-o", "--output", metavar="OUTPUT", type=Path, required=True,
        help="the file for the result: .png, .tif, .jpg, .webp or .bmp",
    )  # fmt: skip
    dream.add_argument(
        "--overwrite", action="store_true",
        help="let the result replace a file that the dream is made from, that is write-protected,"
        " or that holds several pictures",
    )  # fmt: skip
    where = dream.add_argument_group("where to dream")
    where.add_argument(
        "--select", metavar="X,Y,W,H", help="dream only in this rectangle, in pixels"
    )
    where.add_argument(
        "--mask", metavar="FILE", type=Path,
        help="dream only where this grey picture of the same size is neither black nor transparent;"
        " white means fully",
    )  # fmt: skip
    dream.add_argument(
        "--pixels-max", metavar="MEGAPIXELS", type=int, default=PIXELS_MAX,
        help="refuse a larger picture, mask or guide, before it takes memory"
        f" (default {PIXELS_MAX})",
    )  # fmt: skip
    text = (
        f"Without --preset and --recipe, the preset {DEFAULT} is dreamed. With options that ask for"
        " another dream (--model, --layer, --octaves …), the defaults below count instead."
    )
    _add_recipe(dream.add_argument_group("what to dream", text))
    dream.add_argument(
        "--device",
        default="auto",
        help="auto, cpu, cuda, cuda:1, xpu, mps, webgpu … (default auto)",
    )
    dream.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object about the dream, including its gain",
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


# The dream.


def run(arguments: argparse.Namespace) -> None:
    """Dream on a picture file as the options say, and write the result."""
    from dreamlayer.cli.ending import ended_in_order
    from dreamlayer.cli.files.memory import told

    with ended_in_order(), told("this dream"):
        _run(arguments)


def _run(arguments: argparse.Namespace) -> None:
    from dreamlayer.cli import selection
    from dreamlayer.cli.files import output, reading
    from dreamlayer.cli.files.dream_map import map_pixels, read_map
    from dreamlayer.cli.files.recipe_file import StoredRecipe
    from dreamlink.recipe import presets

    base = StoredRecipe.read(arguments.recipe) if arguments.recipe else StoredRecipe()
    if arguments.preset is not None:
        recipe = _recipe(arguments, presets.find(arguments.preset).values)
    elif arguments.recipe:
        recipe = _recipe(arguments, base.recipe)
    else:
        recipe = _recipe(arguments, presets.values_under(_given(arguments)))
    _check_guide(recipe, arguments.guide)
    _check_map(recipe, arguments.map)
    rectangle = base.select
    if arguments.select is not None:
        rectangle = selection.rectangle_of(arguments.select)
    output.format_of(arguments.output)
    most = arguments.pixels_max
    source = reading.read(arguments.input, most)
    size = source.image.size
    mask = reading.read_mask(arguments.mask, size, most) if arguments.mask else None
    guide = reading.read_guide(arguments.guide, most) if arguments.guide else None
    selected = selection.select(size, rectangle, mask.image if mask else None)
    dream_map = None
    if arguments.map:
        dream_map = read_map(arguments.map, most, recipe.bindings())
    if recipe.start != "noise":  # noise fills transparent parts too
        selection.refuse_transparent(arguments.input, source, selected)
    inputs = [
        arguments.input, arguments.mask, arguments.guide, arguments.map, arguments.recipe,
    ]  # fmt: skip
    result = output.Output(
        arguments.output, source, [path for path in inputs if path is not None],
        overwrite=arguments.overwrite,
    )  # fmt: skip
    notes = [*source.notes, *result.notes, *_notes(arguments, base)]
    _print_notes([*notes, *(other.page_note for other in (mask, guide, dream_map) if other)])
    with result:
        shown = None if dream_map is None else map_pixels(dream_map, size, selected.region)
        dream = _run_dream(
            recipe, source, selected, guide.image if guide else None, shown, arguments
        )
        if dream.pixels is None:
            raise CommandError(dream.text)
        stored = StoredRecipe(
            dream.report["recipe"], rectangle, mask is not None, guide is not None,
            dream_map is not None,
        )  # fmt: skip
        dreamed = selection.part(source, selected.region, dream.pixels)
        result.notes.clear()
        result.write(source, dreamed, selected.region[:2], stored.to_dict())
    _print_notes([*dream.notes, *result.notes])
    _report(dream.report, stored, arguments.output, arguments.json)


def _print_notes(notes: Iterable[str]) -> None:
    for note in filter(None, notes):
        print(f"dreamlayer: {note}", file=sys.stderr)


def _given(arguments: argparse.Namespace) -> list[str]:
    """The recipe's parameters that have been given as options."""
    return [name for name in PARAMETERS if hasattr(arguments, name)]


def _recipe(arguments: argparse.Namespace, base: Mapping[str, object]) -> Recipe:
    """The recipe `base` with the values of the options."""
    values: dict[str, object] = {}
    for name in _given(arguments):
        value, parameter = getattr(arguments, name), PARAMETERS[name]
        if parameter.entry:
            value = "; ".join(value)
        values[name] = value if parameter.kind is bool else parameter.parse(value)
    if values.get("bind") and "layer" in values:
        raise CommandError(
            "--layer is dreamed everywhere, and --bind says what each colour of a map stands for:"
            " omit one of them."
        )
    if "layer" in values:
        values.setdefault("channels", "")  # the base's channels belong to its layer
    elif "model" in values and "layer" not in base:
        # The default layer is one of the default network: take the named network's own.
        from dreamlayer.cli.models import use_own_networks
        from dreamlayer.networks.registry import registry

        use_own_networks()
        values["layer"] = registry.find(str(values["model"])).default_layer
    return Recipe.of({**base, **values})


def _check_guide(recipe: Recipe, guide: Path | None) -> None:
    if recipe.needs_guide == (guide is not None):
        return
    if guide is None:
        raise CommandError(
            f"“{recipe.bind or recipe.layer}” needs a guide picture: name one with --guide PICTURE."
        )
    layer = next(iter(recipe.expression().layers), Recipe().layer)
    raise CommandError(
        f"A guide is only used by layers with :guide or :cosine: add e.g. --layer {layer}:guide, or"
        " omit --guide."
    )


def _check_map(recipe: Recipe, dream_map: Path | None) -> None:
    if recipe.bindings() and dream_map is None:
        raise CommandError(
            f"“{recipe.bind}” says what the colours of a dream map stand for: name the map with"
            " --map PICTURE."
        )
    if dream_map is not None and not recipe.bindings():
        raise CommandError(
            "Nothing says what the colours of --map stand for: add e.g."
            " --bind '#ff0000=kind:dogs', once for each colour."
        )


def _notes(arguments: argparse.Namespace, base: StoredRecipe) -> list[str]:
    """Notes about options that come from the stored recipe, or that it would need."""
    notes = []
    if base.select is not None and arguments.select is None:
        x, y, width, height = base.select
        notes.append(
            f"As in {arguments.recipe}, only {x},{y},{width},{height} is dreamed in; use --select"
            " to change that."
        )
    if base.mask and arguments.mask is None:
        notes.append(
            f"{arguments.recipe} was dreamed with a mask, which is not stored in it: for the same"
            " result, pass the mask again with --mask."
        )
    return notes


def _run_dream(
    recipe: Recipe,
    source: ImageFile,
    selected: Selection,
    guide: Image.Image | None,
    dream_map: Pixels | None,
    arguments: argparse.Namespace,
) -> Dream:
    """Dream, and return the dream when it is over."""
    from dreamlayer.cli import selection
    from dreamlink.client.client import LinkError
    from dreamlink.client.reconnecting import ReconnectingClient
    from dreamlink.picture import Picture, Region
    from dreamlink.session.dream import Dream
    from dreamlink.session.inputs import Pixels, RequestInputs

    whole = Region(0, 0, *source.image.size)
    sent = selected.with_context(whole, recipe.context)
    inputs = RequestInputs(
        Pixels(source.layout(sent.width, sent.height), selection.pixels(source, sent)),
        mask=selected.mask.tobytes() if selected.mask else None,
        guide=Pixels(Picture(*guide.size, "U8", "RGB"), guide.tobytes()) if guide else None,
        dream_map=dream_map,
    )
    request = inputs.request(
        recipe,
        selected.region.moved(-sent.x, -sent.y),
        edges=selected.region.edges(whole),
        gain=arguments.json,
        device=arguments.device,
    )
    with contextlib.closing(ReconnectingClient(daemon())) as line:
        try:
            dream = Dream(line, request, *inputs.frames())
            _watch(dream, line)
        except LinkError as error:
            raise CommandError(f"{error} Nothing was written: dream again.") from error
    return dream


def _watch(dream: Dream, line: ReconnectingClient) -> None:
    """Show progress until the dream is over; Ctrl-C cancels it."""
    from tqdm import tqdm

    form = "{percentage:3.0f} %|{bar}| {desc}"
    on_terminal = sys.stderr.isatty()
    with tqdm(total=1.0, bar_format=form, disable=not on_terminal, leave=False) as bar:
        try:
            while not dream.over:
                line.feed(dream, 1.0)
                bar.set_description_str(dream.text, refresh=False)
                bar.n = dream.fraction
                bar.refresh()
        except KeyboardInterrupt:
            dream.cancel()
            end = time.monotonic() + CANCEL_WITHIN
            while not dream.over and time.monotonic() < end:
                line.feed(dream, 0.2)
            raise


def _report(report: Header, stored: StoredRecipe, output: Path, as_json: bool) -> None:
    if as_json:
        names = ("seconds", "device", "seed", "gain", "megapixel_steps", "notes")
        values = {name: report[name] for name in names}
        print(json.dumps({**values, **stored.to_dict(), "output": str(output)}))
    else:
        print(f"{output}: {report['seconds']:.1f} s on {report['device']}, seed {report['seed']}")
