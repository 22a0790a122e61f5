"""Lists in the daemon's answers: the networks known on this computer, and a network's kinds.

Imports no torch: the daemon answers `models` before torch is loaded.
"""

from __future__ import annotations

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

    The examples are names of classes, evenly spaced over the kind's. Empty if the network has no
    kinds. Importing torchvision for the names takes a second. Raises registry.UnknownModel.
    """
    found = kinds.names(registry.find(model).name)
    classes = registry.categories(model) if found else []
    return [
        {"name": name, "examples": [classes[number] for number in _spaced(KINDS[name])]}
        for name in found
    ]


def _spaced(numbers: tuple[int, ...]) -> list[int]:
    """Up to `EXAMPLES` of the numbers, evenly spaced, with the first."""
    count = min(EXAMPLES, len(numbers))
    return [numbers[len(numbers) * place // count] for place in range(count)]
