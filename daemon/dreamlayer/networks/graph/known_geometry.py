"""The geometries of the embedded networks' layers, as they were measured.

Measuring takes a tenth of a second a layer, and a look at what the networks see needs 22 of them.
`python -m tests.bench.geometry` writes `GEOMETRY_FILE`; a test measures them again.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from dreamlayer.networks.graph.receptive_field import UNBOUNDED, Geometry

GEOMETRY_FILE = Path(__file__).parent / "geometry.json"


def find(arch: str, classes: int, layer: str) -> Geometry | None:
    """The geometry of a layer's map by its full name; None if it is not stored."""
    row = _stored().get(_key(arch, classes), {}).get(layer)
    if row is None:
        return None
    stride, first, last, channels, minimum = row
    return Geometry(stride, (first, last), channels, minimum, (first, last) != UNBOUNDED)


def text_of(measured: dict[tuple[str, int], dict[str, Geometry]]) -> str:
    """The content of the file: geometries of layers, by (architecture, classes)."""
    rows = {
        _key(arch, classes): {
            layer: [each.stride, *each.reach, each.channels, each.minimum]
            for layer, each in layers.items()
        }
        for (arch, classes), layers in measured.items()
    }
    text = json.dumps(rows, separators=(",", ":"))
    return text.replace("],", "],\n").replace("},", "},\n") + "\n"


def _key(arch: str, classes: int) -> str:
    return f"{arch} {classes}"


@cache
def _stored() -> dict[str, dict[str, list[int]]]:
    content: dict[str, dict[str, list[int]]] = json.loads(GEOMETRY_FILE.read_text("utf-8"))
    return content
