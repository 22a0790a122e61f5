"""The table of gates for every preset, beside the plain loop of 2015, and a contact sheet.

python -m tests.bench.quality [--preset NAME …] [--photo FILE …] [--size PX] [--all]
                              [--sheet FILE] [--json FILE]

Every preset is dreamed on every photo. The first table has its figures; behind each, in brackets,
that of the plain loop (tests/engine/plain.py) with the same network, objective, octaves and steps.
A figure that misses its gate is in bold. The second table has each preset's worst photo, and the
mean of its edges. tests/engine/gates.py defines what is measured. The exit status is 0 if every
gate holds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import geometric_mean
from typing import NamedTuple

import torch
from torch import Tensor

from dreamlayer.engine.objectives.binding import network_for
from dreamlayer.networks.registry import registry
from dreamlink.recipe.presets import PRESETS
from dreamlink.recipe.recipe import Recipe
from tests.bench.sheet import Sheet
from tests.engine import gates, looks
from tests.engine.gates import Figures, Gate, Scene

PHOTOS = ("chelsea.png", "coffee.png", "rocket.jpg", "raccoon.jpg", "china.jpg")
SEED = 7


class Row(NamedTuple):
    """The figures of a preset on a photo."""

    preset: str
    photo: str
    ours: Figures
    plain: Figures
    seconds: float

    def misses(self) -> list[str]:
        return list(gates.misses(self.ours, gates.gates_of(recipe_of(self.preset))))


def recipe_of(preset: str) -> Recipe:
    return Recipe.of({**PRESETS[preset].values, "seed": SEED})


def measure(preset: str, photo: str, source: Tensor, exact: bool, sheet: Sheet) -> Row:
    """Dream a preset on a photo, with and without Dreamlayer; `exact` checks the exactness, too."""
    began = time.perf_counter()
    recipe = recipe_of(preset)
    scene = Scene(source, network_for(recipe), recipe)
    ours, picture = gates.judge(scene)
    sheet.put(preset, photo, picture)
    if exact:
        ours |= gates.judge_exactness(scene)
    plain: Figures = {}
    if recipe.start == "picture":
        plain, picture = gates.judge_plain(scene)
        sheet.put(preset, f"{photo}, plain loop", picture)
    return Row(preset, photo, ours, plain, time.perf_counter() - began)


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


def _cell(gate: Gate, ours: float | None, plain: float | None) -> str:
    if ours is None:
        return "–"
    own = f"{ours:.2f}" if gate.holds(ours) else f"**{ours:.2f}**"
    return own if plain is None else f"{own} ({plain:.2f})"


def _worst(gate: Gate, all_figures: list[Figures], name: str) -> float | None:
    """The figure that is deepest outside its gate, or nearest to its end; or the mean of all."""
    values = [figures[name] for figures in all_figures if name in figures]
    if values and gate.mean:
        return geometric_mean(values)
    return min(values, key=lambda v: min(gate.high - v, v - gate.low), default=None)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.quality")
    parser.add_argument("--preset", action="append", choices=PRESETS, help="only this (repeat)")
    parser.add_argument("--photo", action="append", help="of tests/pictures (repeat)")
    parser.add_argument("--size", type=int, default=480, help="the photos' longer side, in pixels")
    parser.add_argument("--all", action="store_true", help="also over networks that were fetched")
    parser.add_argument("--sheet", type=Path, help="write all pictures into this file")
    parser.add_argument("--json", type=Path, help="write all figures into this file")
    return parser.parse_args()


def _presets(options: argparse.Namespace) -> list[str]:
    def chosen(name: str) -> bool:
        spec = registry.find(recipe_of(name).model)
        return registry.ready(spec) and (options.all or spec.weights == registry.EMBEDDED)

    return options.preset or [name for name in PRESETS if chosen(name)]


def main() -> None:
    options = _options()
    presets, photos = _presets(options), options.photo or list(PHOTOS)
    sources = {photo: looks.photo(photo, options.size) for photo in photos}
    sheet, rows = Sheet(), []
    for photo, source in sources.items():
        sheet.put("source", photo, source)
    for number, preset in enumerate(presets):
        for photo, source in sources.items():
            # One photo tells whether tiles are exact; another for every preset.
            exact = photo == photos[number % len(photos)]
            row = measure(preset, photo, source, exact, sheet)
            missed = ", ".join(row.misses()) or "–"
            print(f"{preset}, {photo}: {row.seconds:.0f} s, misses {missed}", file=sys.stderr)
            rows.append(row)
    table = summary(rows)
    print(f"{details(rows)}\n\n{table}")
    if options.sheet:
        sheet.save(options.sheet)
    if options.json:
        records = [row._asdict() | {"misses": row.misses()} for row in rows]
        options.json.write_text(json.dumps({"torch": torch.__version__, "rows": records}, indent=1))
    sys.exit(1 if "**" in table else 0)


if __name__ == "__main__":
    main()
