"""The command line. What it says on errors is one sentence; --help loads nothing heavy."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamlink import VERSION
from dreamlink.recipe import PARAMETERS, Parameter, Recipe

if TYPE_CHECKING:
    from dreamlink.client import Client
    from dreamlink.dream import Dream
    from dreamlink.messages import Header

NOT_RUNNING = "The Dreamlayer daemon is not running."
ANSWER_WITHIN = 120.0  # seconds; the first answer about layers waits until torch is loaded
CANCEL_WITHIN = 5.0  # seconds that Ctrl-C waits for the daemon's word
SPEAK_AFTER = 1.0  # seconds of waiting for the daemon that need no word
INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it


class CommandError(Exception):
    """Something that ends the command; the text is one sentence for the user."""


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks × or … shows a ?
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `dreamlayer layers … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (CommandError, ValueError, OSError) as error:  # ours, each with its sentence
        return _fail(str(error))
    except Exception as error:
        return _fail(f"Something unexpected went wrong ({type(error).__name__}: {error}).")
    return 0


def _fail(sentence: str) -> int:
    print(f"dreamlayer: {sentence}", file=sys.stderr)
    return 1


# Arguments.


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dreamlayer", description="DeepDream for pictures, in Krita, in GIMP and here."
    )
    parser.add_argument("--version", action="version", version=f"dreamlayer {VERSION}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_dream(commands)
    for name, run, text in (
        ("serve", _serve, "run the daemon here, until Ctrl-C"),
        ("status", _status, "what the daemon is doing"),
        ("stop", _stop, "end the daemon"),
        ("models", _models, "which networks there are"),
    ):
        commands.add_parser(name, help=text, description=text).set_defaults(run=run)
    layers = commands.add_parser("layers", help="which layers a network has")
    layers.add_argument("model", metavar="MODEL", help="see: dreamlayer models")
    layers.set_defaults(run=_layers)
    return parser


def _add_dream(commands: Any) -> None:
    dream = commands.add_parser(
        "dream", help="dream on a picture", description="Dream on a picture.", allow_abbrev=False
    )
    dream.set_defaults(run=_dream)
    dream.add_argument("input", metavar="INPUT", type=Path, help="the picture")
    dream.add_argument(
        "-o", "--output", metavar="OUTPUT", type=Path, required=True,
        help="where to save the result: .png, .tif, .jpg, .webp or .bmp",
    )  # fmt: skip
    where = dream.add_argument_group("where to dream")
    where.add_argument("--select", metavar="X,Y,W,H", help="only in this rectangle, in pixels")
    where.add_argument(
        "--mask", metavar="FILE", type=Path,
        help="only where this grey picture of the same size is not black; white is fully",
    )  # fmt: skip
    recipe = dream.add_argument_group("what to dream")
    for parameter in PARAMETERS.values():
        _add_parameter(recipe, parameter)
    dream.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, cuda:1, mps … (default auto)"
    )
    dream.add_argument(
        "--json", action="store_true", help="print one JSON object about the dream, and its gain"
    )


def _add_parameter(group: Any, parameter: Parameter) -> None:
    """An option for one row of the recipe table; absent from the arguments if not given."""
    notes = []
    if parameter.minimum is not None:
        unit = f" {parameter.unit}" if parameter.unit else ""
        notes.append(f"{parameter.minimum:g} to {parameter.maximum:g}{unit}")
    if parameter.kind is bool:
        notes.append(f"default {'on' if parameter.default else 'off'}")
    else:
        notes.append(f"default {parameter.default}" if parameter.default != "" else "default none")
    text = f"{parameter.help} ({', '.join(notes)})".replace("%", "%%")
    options: dict[str, Any] = {"dest": parameter.name, "default": argparse.SUPPRESS, "help": text}
    if parameter.kind is bool:
        options["action"] = argparse.BooleanOptionalAction
    else:
        # Parsed later: a value out of range is told in the table's sentence, not argparse's.
        options["metavar"] = {int: "N", float: "X", str: "NAME"}[parameter.kind]
    group.add_argument(f"--{parameter.name.replace('_', '-')}", **options)


def _recipe(arguments: argparse.Namespace) -> Recipe:
    values: dict[str, object] = {}
    for name, parameter in PARAMETERS.items():
        if hasattr(arguments, name):
            value = getattr(arguments, name)
            values[name] = value if parameter.kind is bool else parameter.parse(value)
    return Recipe.of(values)


# Commands.


def _dream(arguments: argparse.Namespace) -> None:
    from dreamlayer import files, selection
    from dreamlink.dream import Dream
    from dreamlink.messages import DreamRequest
    from dreamlink.picture import Region

    recipe = _recipe(arguments)
    rectangle = selection.rectangle_of(arguments.select) if arguments.select is not None else None
    source = files.read(arguments.input)
    files.check_output(arguments.output, source)
    size = source.image.size
    mask = files.read_mask(arguments.mask, size) if arguments.mask else None
    selected = selection.select(size, rectangle, mask)
    for note in source.notes:
        print(f"dreamlayer: {note}", file=sys.stderr)

    seen = selected.seen(Region(0, 0, *size), recipe.context)
    request = DreamRequest(
        recipe=recipe,
        picture=source.layout(seen.width, seen.height),
        region=selected.region.moved(-seen.x, -seen.y),
        mask=selected.mask is not None,
        gain=arguments.json,
        device=arguments.device,
    )
    frames = [selection.pixels(source, seen)]
    if selected.mask is not None:
        frames.append(selected.mask.tobytes())
    with contextlib.closing(_daemon()) as client:
        dream = Dream(client, request, *frames)
        _watch(dream, client)
    if dream.pixels is None:
        raise CommandError(dream.text)
    result = selection.pasted(source, selected.region, dream.pixels)
    files.write(arguments.output, result, source, dream.report["recipe"])
    _report(dream.report, arguments.output, arguments.json)


def _watch(dream: Dream, client: Client) -> None:
    """Show progress until the dream is over; Ctrl-C cancels it."""
    from tqdm import tqdm

    form = "{percentage:3.0f} %|{bar}| {desc}"
    on_terminal = sys.stderr.isatty()
    with tqdm(total=1.0, bar_format=form, disable=not on_terminal, leave=False) as bar:
        try:
            while not dream.over:
                _take_message(dream, client, 1.0)
                bar.set_description_str(dream.text, refresh=False)
                bar.n = dream.fraction
                bar.refresh()
        except KeyboardInterrupt:
            dream.cancel()
            end = time.monotonic() + CANCEL_WITHIN
            while not dream.over and time.monotonic() < end:
                _take_message(dream, client, 0.2)
            raise


def _take_message(dream: Dream, client: Client, timeout: float) -> None:
    message = client.receive(timeout)
    if message is not None:
        dream.receive(*message)


def _report(report: Header, output: Path, as_json: bool) -> None:
    names = ("seconds", "device", "seed", "gain", "megapixel_steps", "recipe")
    if as_json:
        print(json.dumps({**{name: report[name] for name in names}, "output": str(output)}))
    else:
        print(f"{output}: {report['seconds']:.1f} s on {report['device']}, seed {report['seed']}")


def _serve(_arguments: argparse.Namespace) -> None:
    from dreamlayer.server.access import AlreadyRunning
    from dreamlayer.server.serve import serve

    try:
        serve()
    except AlreadyRunning as already:
        print(already)


def _status(_arguments: argparse.Namespace) -> None:
    from dreamlink.dream import duration
    from dreamlink.launch import connect_to_running

    client = connect_to_running()
    if client is None:
        print(NOT_RUNNING)
        return
    with contextlib.closing(client):
        told = _ask(client, {"op": "status"})
    print(f"The Dreamlayer daemon {told['version']} is running (process {told['pid']}).")
    print(f"up:        {duration(told['uptime'])}")
    print(f"device:    {told['device'] or 'not known yet: PyTorch is being loaded'}")
    print(f"networks:  {', '.join(told['networks']) or 'none loaded'}")
    jobs = [f"{job['state']} {job['fraction']:.0%}" for job in told["jobs"]]
    print(f"dreams:    {', '.join(jobs) or 'none'}")
    print(f"until now: {told['done']} done, {told['failed']} failed, {told['cancelled']} cancelled")


def _stop(_arguments: argparse.Namespace) -> None:
    from dreamlink import discovery
    from dreamlink.client import Client, LinkError, StaleDaemon
    from dreamlink.messages import PROTOCOL

    info = discovery.find()
    try:
        client = Client(info) if info else None
    except StaleDaemon:
        client = None
    if client is None:
        print(NOT_RUNNING)
        return
    with contextlib.closing(client):  # not greeted by connect(): any version can be stopped
        _ask(client, {"op": "hello", "protocol": PROTOCOL, "version": VERSION})
        _ask(client, {"op": "stop"})
        with contextlib.suppress(LinkError):
            while True:  # until it has gone
                client.receive(1.0)
    print("The Dreamlayer daemon has stopped.")


def _models(_arguments: argparse.Namespace) -> None:
    with contextlib.closing(_daemon()) as client:
        models = _ask(client, {"op": "models"})["models"]
    for model in models:
        print(f"{model['name']}  ({model['title']}, default layer {model['default_layer']})")
        print(f"    {model['summary']}")
        print(f"    Licence: {model['licence']}")


def _layers(arguments: argparse.Namespace) -> None:
    with contextlib.closing(_daemon()) as client:
        layers = _ask(client, {"op": "layers", "model": arguments.model})["layers"]
    columns = ("name", "index", "kind", "channels", "stride", "receptive_field")
    rows = [[name.replace("_", " ") for name in columns]]
    rows += [["" if layer[c] is None else str(layer[c]) for c in columns] for layer in layers]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _daemon() -> Client:
    """The daemon, started if it does not run."""
    from dreamlink.launch import STARTING, connect

    said: set[str] = set()
    began = time.monotonic()

    def show(sentence: str) -> None:
        worth_it = sentence == STARTING or time.monotonic() > began + SPEAK_AFTER
        if worth_it and sentence not in said:
            said.add(sentence)
            print(f"dreamlayer: {sentence}", file=sys.stderr)

    return connect([sys.executable, "-m", "dreamlayer", "serve"], show)


def _ask(client: Client, request: Header) -> Header:
    """The daemon's answer to a request that has exactly one; raises CommandError."""
    from dreamlink.messages import new_id

    request_id = new_id()
    client.send({**request, "id": request_id})
    end = time.monotonic() + ANSWER_WITHIN
    while (left := end - time.monotonic()) > 0:
        message = client.receive(left)
        if message is not None and message[0].get("id") == request_id:
            header = message[0]
            if header["op"] == "error":
                raise CommandError(str(header.get("text")))
            return header
    raise CommandError("The Dreamlayer daemon does not answer.")
