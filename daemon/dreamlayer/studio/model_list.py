"""Lists in the daemon's answers: the networks known on this computer, and a network's kinds.

Imports no torch: the daemon answers `models` before torch is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence

from dreamlayer.networks.kinds import kinds
from dreamlayer.networks.kinds.classes import KINDS
from dreamlayer.networks.registry import registry

FIELDS = ("name", "title", "summary", "default_layer", "licence", "classes")  # of a ModelSpec
EXAMPLES = 4  # classes that are named for each kind


def local_models() -> list[dict[str, object]]:
    """A dictionary for each listed network: `FIELDS`, whether it is ready, how to get it if not."""
    return [
        {
            **{name: getattr(spec, name) for name in FIELDS},
            "ready": registry.ready(spec),
            "get": registry.how_to_get(spec.name),
        }
        for spec in registry.listed()
    ]


def kinds_of(model: str) -> list[dict[str, object]]:
    """A dictionary for each kind of things that a network knows: `name`, and `examples`.

    The examples are names of classes, evenly spaced over the kind's; those of the menagerie are
    kinds. Empty if the network has no kinds. Importing torchvision for the names takes a second.
    Raises registry.UnknownModel.
    """
    found = kinds.names(registry.find(model).name)
    classes = registry.categories(model) if found else []
    members = {name: [classes[number] for number in KINDS[name]] for name in KINDS if found}
    members[kinds.MENAGERIE] = list(kinds.ANIMALS)
    return [{"name": name, "examples": _spaced(members[name])} for name in found]


def _spaced(names: Sequence[str]) -> list[str]:
    """Up to `EXAMPLES` of the names, evenly spaced, with the first."""
    count = min(EXAMPLES, len(names))
    return [names[len(names) * place // count] for place in range(count)]
