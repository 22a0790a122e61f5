"""`dreamlayer models` and `dreamlayer layers`: list, get, add and remove networks; list layers."""

from __future__ import annotations

import argparse
import contextlib
import textwrap
from pathlib import Path
from typing import Any

from dreamlayer.daemon_client import CommandError, ask, daemon

WIDTH = 88  # characters
COLUMNS = ("name", "index", "kind", "channels", "stride", "receptive field", "halo", "tiles")
NETWORK = "the network's name (see: dreamlayer models)"


def add(commands: Any) -> None:
    """Add the commands to argparse's subparsers."""
    models = commands.add_parser(
        "models", help="list, get, add and remove networks",
        description="List the networks, or get, add or remove one.",
    )  # fmt: skip
    models.set_defaults(run=_list)
    actions = models.add_subparsers(title="commands", metavar="COMMAND")
    _add_get(actions)
    _add_add(actions)
    remove = actions.add_parser("remove", help="delete a network's weights from this computer")
    remove.set_defaults(run=_remove)
    remove.add_argument("name", metavar="NAME", help=NETWORK)

    layers = commands.add_parser("layers", help="list the layers of a network")
    layers.set_defaults(run=_layers)
    layers.add_argument("model", metavar="MODEL", help=NETWORK)


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


def _list(_arguments: argparse.Namespace) -> None:
    from dreamlayer.networks.registry import registry
    from dreamlayer.networks.registry.catalogue import how_to_get

    use_own_networks()
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
    print(f"{spec.name} is ready: {spec.title} is a {spec.arch} with {spec.classes} classes.")


def _remove(arguments: argparse.Namespace) -> None:
    use_own_networks()
    from dreamlayer.networks.registry import weight_files

    print(weight_files.remove(arguments.name))


def _layers(arguments: argparse.Namespace) -> None:
    with contextlib.closing(daemon()) as client:
        layers = ask(client, {"op": "layers", "model": arguments.model})["layers"]
    rows = [list(COLUMNS), *(_row(layer) for layer in layers)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
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


def use_own_networks() -> None:
    """Let the registry find the networks that this user has added."""
    from dreamlayer.networks.registry import user_store
    from dreamlink.client import discovery

    user_store.keep_in(discovery.home() / "models")
