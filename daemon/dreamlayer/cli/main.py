"""The command line. Errors are reported as one sentence; --help imports nothing heavy."""

from __future__ import annotations

import argparse
import dataclasses
import errno
import json
import os
import sys
import textwrap

from dreamlayer.cli import doctor, keys, models, serve, settings, status, stop, streams
from dreamlayer.cli.dreaming import dream
from dreamlayer.cli.filming import film
from dreamlayer.cli.seeing import atlas, see
from dreamlayer.daemon_client import CommandError
from dreamlink import VERSION

INTERRUPTED = 130  # exit status after Ctrl-C, as in shells
HELP_WIDTH = 88  # characters
OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    streams.prepare()
    try:
        status = _run(argv)
    except SystemExit as done:  # argparse: help, or wrong usage
        status = done.code if isinstance(done.code, int) else int(done.code is not None)
    unwritten = streams.output_failure()
    return status if unwritten is None else _fail(unwritten)


def _run(argv: list[str] | None) -> int:
    try:
        arguments = _parser().parse_args(argv)
        status = arguments.run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (CommandError, ValueError, OSError) as error:  # ours, with a sentence for the user
        return _fail(_sentence(error))
    except Exception as error:
        return _fail(f"Something unexpected went wrong ({type(error).__name__}: {error}).")
    return status if isinstance(status, int) else 0


def _sentence(error: Exception) -> str:
    """The error's own sentence; one that the system raised gets one."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    if error.errno in OUT_OF_FILES:
        return f"Too many files are open ({error.strerror}): raise the limit, e.g. ulimit -n 1024."
    if not isinstance(error.filename, str | bytes):
        return f"{error.strerror}."
    return f"{os.fsdecode(error.filename):.200} can't be used ({error.strerror})."


def _fail(sentence: str) -> int:
    print(f"dreamlayer: {' '.join(sentence.split())}", file=sys.stderr)
    return 1


# Arguments.


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dreamlayer",
        description="DeepDream for pictures, in Krita, in GIMP and on the command line.",
    )
    parser.add_argument("--version", action="version", version=f"dreamlayer {VERSION}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    dream.add(commands)
    film.add(commands)
    see.add(commands)
    atlas.add(commands)
    serve.add(commands)
    text = "list the named recipes"
    presets = commands.add_parser("presets", help=text, description=text)
    presets.set_defaults(run=_presets)
    presets.add_argument("--json", action="store_true", help="print one JSON list")
    status.add(commands)
    models.add(commands)
    settings.add(commands)
    keys.add(commands)
    stop.add(commands)
    doctor.add(commands)
    return parser


# Commands.


def _presets(arguments: argparse.Namespace) -> None:
    from dreamlink.recipe.presets import PRESETS

    if arguments.json:
        print(json.dumps([dataclasses.asdict(preset) for preset in PRESETS.values()]))
        return
    for preset in PRESETS.values():
        recipe = preset.recipe()
        print(f"{preset.name}  ({preset.title}; {recipe.model}, {recipe.layer})")
        print(textwrap.indent(textwrap.fill(preset.help, HELP_WIDTH), "    "))
