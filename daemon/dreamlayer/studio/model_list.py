"""The networks known on this computer, as the daemon's answer to `models` lists them.

Imports no torch: the daemon answers before torch is loaded.
"""

from __future__ import annotations

from dreamlayer.networks.registry import registry

FIELDS = ("name", "title", "summary", "default_layer", "licence", "classes")  # of a ModelSpec


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
