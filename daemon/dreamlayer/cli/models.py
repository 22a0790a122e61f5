"""`dreamlayer models`, `layers` and `kinds`: list, get, add and remove networks, list parts."""

from __future__ import annotations

import argparse
import contextlib
import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamlayer.daemon_client import CommandError, ask, daemon
from dreamlayer.dreaming.own_networks import use_own_networks

if TYPE_CHECKING:
    from dreamlayer.thumbnails.own import OwnThumbnails
    from dreamlink.wire.messages import Header

WIDTH = 88  # characters
COLUMNS = ("name", "index", "kind", "channels", "stride", "receptive field", "halo", "tiles")
NETWORK = "the network's name (see: dreamlayer models)"
DEFAULT = "squeezenet1_1"  # the recipe's, whose table would have to be imported
JSON = "print one JSON list"


def add(commands: Any) -> None:
    """Add the commands to argparse's subparsers."""
    models = commands.add_parser(
        "models", help="list, get, add and remove networks",
        description="List the networks, or get, add or remove one.",
    )  # fmt: skip
    models.set_defaults(run=_list)
    models.add_argument("--json", action="store_true", help=JSON)
    actions = models.add_subparsers(title="commands", metavar="COMMAND")
    _add_get(actions)
    _add_add(actions)
    remove = actions.add_parser("remove", help="delete a network's weights from this computer")
    remove.set_defaults(run=_remove)
    remove.add_argument("name", metavar="NAME", help=NETWORK)

    layers = commands.add_parser("layers", help="list the layers of a network")
    layers.set_defaults(run=_layers)
    layers.add_argument("model", metavar="MODEL", help=NETWORK)
    layers.add_argument("--json", action="store_true", help=JSON)

    kinds = commands.add_parser(
        "kinds", help="list the kinds of things that a network can dream",
        description="List the kinds of things that a network can dream, each with some of its"
        " classes. Dream of one with --layer kind:NAME.",
    )  # fmt: skip
    kinds.set_defaults(run=_kinds)
    kinds.add_argument(
        "model", metavar="MODEL", nargs="?", default=DEFAULT, help=f"{NETWORK}; default: {DEFAULT}"
    )
    kinds.add_argument("--json", action="store_true", help=JSON)


def _add_get(actions: Any) -> None:
    get = actions.add_parser("get", help="download a network's weights")
    get.set_defaults(run=_get)
    get.add_argument("name", metavar="NAME", help=NETWORK)
    get.add_argument(
        "--file", metavar="FILE", type=Path,
        help="use this file, torchvision's own, downloaded on another computer",
    )  # fmt: skip


def _add_add(actions: Any) -> None:
    add_action = actions.add_parser(
        "add", help="add a network with weights of your own",
        description="Add a network with weights of your own, trained for a known architecture.",
    )  # fmt: skip
    add_action.set_defaults(run=_add)
    add_action.add_argument("name", metavar="NAME", help="the name that it gets here")
    add_action.add_argument(
        "--arch", required=True, help="the architecture, by its torchvision name, e.g. googlenet"
    )
    add_action.add_argument(
        "file", metavar="FILE", type=Path,
        help="the weights: .safetensors, or a state dict that PyTorch saved (.pth, .pt)",
    )  # fmt: skip
    add_action.add_argument(
        "--classes", metavar="FILE", type=Path,
        help="a text file with the names of the classes, one per line, in the order of the outputs",
    )  # fmt: skip
    for name in ("mean", "std"):
        add_action.add_argument(
            f"--{name}", metavar="R,G,B",
            help=f"the {name} of the colours (0 to 1) in training (default: the architecture's)",
        )  # fmt: skip


def _list(arguments: argparse.Namespace) -> None:
    from dreamlayer.networks.registry import registry
    from dreamlayer.networks.registry.catalogue import how_to_get
    from dreamlayer.studio.model_list import local_models

    use_own_networks()
    if arguments.json:
        print(json.dumps(local_models()))
        return
    for spec in registry.listed():
        state = "ready" if registry.ready(spec) else f"get it with: {how_to_get(spec.name)}"
        print(f"{spec.name}  ({spec.title}, default layer {spec.default_layer}) — {state}")
        print(textwrap.indent(textwrap.fill(spec.summary, WIDTH), "    "))
        print(f"    Licence: {spec.licence}")
    further = ", ".join(spec.name for spec in registry.MODELS.values() if spec.further)
    print(textwrap.fill(f"Also, from torchvision: {further}.", WIDTH))


def _get(arguments: argparse.Namespace) -> None:
    use_own_networks()
    from dreamlayer.networks.registry import weight_files

    print(weight_files.get(arguments.name, arguments.file))


def _add(arguments: argparse.Namespace) -> None:
    use_own_networks()
    from dreamlayer.networks.registry import weight_files

    spec = weight_files.add(
        arguments.name,
        arguments.arch,
        arguments.file,
        arguments.classes,
        _triple(arguments.mean, "mean"),
        _triple(arguments.std, "std"),
    )
    own_thumbnails().forget(spec.name)  # of other weights that had this name
    print(f"{spec.name} is ready: {spec.title} is a {spec.arch} with {spec.classes} classes.")


def _remove(arguments: argparse.Namespace) -> None:
    use_own_networks()
    from dreamlayer.networks.registry import weight_files

    print(weight_files.remove(arguments.name))
    own_thumbnails().forget(arguments.name)


def _layers(arguments: argparse.Namespace) -> None:
    layers = _listing(arguments.model)["layers"]
    if arguments.json:
        print(json.dumps(layers))
    else:
        _print_table([list(COLUMNS), *(_row(layer) for layer in layers)])


def _kinds(arguments: argparse.Namespace) -> None:
    kinds = _listing(arguments.model).get("kinds")
    if not kinds:
        from dreamlayer.networks.kinds.kinds import no_kinds

        raise no_kinds(arguments.model)
    if arguments.json:
        print(json.dumps(kinds))
    else:
        rows = [[kind["name"], ", ".join(kind["examples"])] for kind in kinds]
        _print_table([["name", "for example"], *rows])


def _listing(model: str) -> Header:
    """The daemon's lists of a network's layers and kinds."""
    with contextlib.closing(daemon()) as client:
        return ask(client, {"op": "layers", "model": model})


def _print_table(rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _row(layer: dict[str, Any]) -> list[str]:
    values = [layer[name.replace(" ", "_")] for name in COLUMNS[:-1]]
    cells = ["" if value is None else str(value) for value in values]
    return [*cells, "exact" if layer["exact"] else "one only"]


def _triple(text: str | None, name: str) -> list[float] | None:
    if text is None:
        return None
    with contextlib.suppress(ValueError):
        values = [float(part) for part in text.split(",")]
        low = 0.0 if name == "mean" else 1e-3
        if len(values) == 3 and all(low <= value <= 1 for value in values):
            return values
    raise CommandError(
        f"--{name} takes three numbers up to 1, e.g. 0.485,0.456,0.406, not '{text}'."
    )


def own_thumbnails() -> OwnThumbnails:
    """The pictures of channels that this user's commands have made."""
    from dreamlayer.thumbnails.own import OwnThumbnails
    from dreamlink.client import discovery

    return OwnThumbnails(discovery.home() / discovery.THUMBNAILS)
