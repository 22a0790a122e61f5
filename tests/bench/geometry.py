"""Makes `networks/graph/geometry.json`: the geometries of the embedded networks' layers.

python -m tests.bench.geometry
"""

from __future__ import annotations

from dreamlayer.networks.graph import known_geometry, layers
from dreamlayer.networks.graph import receptive_field as geometry
from dreamlayer.networks.graph.extract import CLASS
from dreamlayer.networks.graph.receptive_field import Geometry
from dreamlayer.networks.kinds import usual
from dreamlayer.networks.registry import registry


def measured(model: str) -> dict[str, Geometry]:
    """The geometries of a network's numbered layers, and of CLASS if it has classes."""
    spec = registry.find(model)
    names = [*layers._numbers(model), *([CLASS] if spec.classes else [])]
    return {
        name: geometry.measure(layers._skeleton_up_to(spec.arch, spec.classes, name))
        for name in names
    }


def main() -> None:
    specs = {model: registry.find(model) for model in usual.models()}
    text = known_geometry.text_of(
        {(spec.arch, spec.classes): measured(model) for model, spec in specs.items()}
    )
    known_geometry.GEOMETRY_FILE.write_text(text, "utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
