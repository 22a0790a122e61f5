"""Tables of the quality bench: all figures, the worst of each preset, presets that look alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from statistics import fmean
from typing import NamedTuple

from torch import Tensor

from dreamlink.recipe.presets import PRESETS
from dreamlink.recipe.recipe import Recipe
from tests.engine import gates, semantics
from tests.engine.gates import Figures, Gate

SEED = 7
APART = Gate(0.14)  # semantic distance of two presets; twins have 0.04 to 0.11


class Row(NamedTuple):
    """The figures of a preset on a photo; `plain` are those of the plain loop, if it was run."""

    preset: str
    photo: str
    ours: Figures
    plain: Figures
    seconds: float

    def misses(self) -> list[str]:
        """The names of the gates that this photo misses."""
        return list(gates.misses(self.ours, gates.gates_of(recipe_of(self.preset))))


def recipe_of(preset: str) -> Recipe:
    """A preset's recipe with the bench's seed."""
    return Recipe.of({**PRESETS[preset].values, "seed": SEED})


def details(rows: Iterable[Row]) -> str:
    """All figures, a line for each preset and photo."""
    names = list(gates.GATES)
    lines = ["| preset | photo | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for row in rows:
        limits = gates.gates_of(recipe_of(row.preset))
        cells = [
            _cell(
                Gate() if limits[name].mean else limits[name],
                row.ours.get(name),
                row.plain.get(name),
            )
            for name in names
        ]
        lines.append(f"| {row.preset} | {row.photo} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def summary(rows: list[Row]) -> str:
    """Each preset's worst figure of all photos for each gate, or their mean."""
    names = list(gates.GATES)
    lines = [
        "| gate | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
        "| | " + " | ".join(str(gate) for gate in gates.GATES.values()) + " |",
    ]
    for preset in dict.fromkeys(row.preset for row in rows):
        limits = gates.gates_of(recipe_of(preset))
        ours = [row.ours for row in rows if row.preset == preset]
        plain = [row.plain for row in rows if row.preset == preset]
        cells = []
        for name in names:
            limit = limits[name]
            cells.append(_cell(limit, _worst(limit, ours, name), _worst(limit, plain, name)))
        lines.append(f"| {preset} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def distances(features: Mapping[str, Mapping[str, Tensor]]) -> dict[tuple[str, str], float]:
    """The semantic distance of each two presets, averaged over the photos that both have.

    Args:
        features: of each preset on each photo, as `semantics.late_features` gives them.
    """
    return {
        (one, other): fmean(
            semantics.distance(features[one][photo], features[other][photo])
            for photo in features[one].keys() & features[other].keys()
        )
        for one, other in combinations(features, 2)
    }


def nearest(apart: Mapping[tuple[str, str], float]) -> str:
    """For each preset the one that looks most like it, and how far away that is."""
    lines = [f"| preset | nearest | distance ({APART}) |", "|---|---|---|"]
    for preset in dict.fromkeys(name for pair in apart for name in pair):
        value, pair = min((value, pair) for pair, value in apart.items() if preset in pair)
        other = pair[1] if pair[0] == preset else pair[0]
        lines.append(f"| {preset} | {other} | {_cell(APART, value, None)} |")
    return "\n".join(lines)


def _cell(gate: Gate, ours: float | None, plain: float | None) -> str:
    if ours is None:
        return "–"
    own = f"{ours:.2f}" if gate.holds(ours) else f"**{ours:.2f}**"
    return own if plain is None else f"{own} ({plain:.2f})"


def _worst(gate: Gate, all_figures: list[Figures], name: str) -> float | None:
    """The figure that is deepest outside its gate, or nearest to its end; or the mean of all."""
    values = [figures[name] for figures in all_figures if name in figures]
    if values and gate.mean:
        return fmean(values)
    return min(values, key=lambda v: min(gate.high - v, v - gate.low), default=None)
