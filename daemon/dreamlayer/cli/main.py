"""The command line. Errors are reported as one sentence; --help imports nothing heavy."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap

from dreamlayer.cli import doctor, dream, keys, models, serve, settings, status, stop
from dreamlayer.daemon_client import CommandError
from dreamlink import VERSION

INTERRUPTED = 130  # exit status after Ctrl-C, as in shells
HELP_WIDTH = 88  # characters


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without × or … shows ?
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `dreamlayer layers … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (CommandError, ValueError, OSError) as error:  # ours, with a sentence for the user
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
        prog="dreamlayer",
        description="DeepDream for pictures, in Krita, in GIMP and on the command line.",
    )
    parser.add_argument("--version", action="version", version=f"dreamlayer {VERSION}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    dream.add(commands)
    serve.add(commands)
    text = "list the named recipes"
    commands.add_parser("presets", help=text, description=text).set_defaults(run=_presets)
    status.add(commands)
    models.add(commands)
    settings.add(commands)
    keys.add(commands)
    stop.add(commands)
    doctor.add(commands)
    return parser


# Commands.


def _presets(_arguments: argparse.Namespace) -> None:
    from dreamlink.recipe.presets import PRESETS

    for preset in PRESETS.values():
        recipe = preset.recipe()
        print(f"{preset.name}  ({preset.title}; {recipe.model}, {recipe.layer})")
        print(textwrap.indent(textwrap.fill(preset.help, HELP_WIDTH), "    "))
