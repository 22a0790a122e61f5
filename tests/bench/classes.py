"""Ten classes imagined from noise: the probability of each under unseen rescales and shifts.

python -m tests.bench.classes [SHEET.png [SIDE [SEEDS [NAME …]]]]

Prints one row a class, one column a seed (mean and least over 16 views), and the seconds; writes
all pictures on one sheet.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from PIL import Image

from dreamlayer.networks.network import extract
from dreamlayer.networks.registry import registry
from dreamlink.recipe.recipe import Recipe
from tests.engine.unseen import imagined, probabilities

MODEL = "squeezenet1_1"
CLASSES = (
    "castle", "volcano", "goldfish", "strawberry", "tiger",
    "daisy", "jellyfish", "monarch", "pirate", "beacon",
)  # fmt: skip
GATE = 0.95


def sheet(rows: list[list[torch.Tensor]]) -> Image.Image:
    """Pictures (1, 3, h, w) of one size, in rows."""
    joined = torch.cat([torch.cat(row, dim=3) for row in rows], dim=2)[0]
    pixels = (joined * 255).round().byte().permute(1, 2, 0).contiguous()
    return Image.fromarray(pixels.numpy())


def main() -> None:
    arguments = sys.argv[1:]
    path = Path(arguments[0] if arguments else "classes.png")
    side, seeds = (int(n) for n in (arguments[1:3] + ["256", "3"][len(arguments[1:3]) :]))
    names = arguments[3:] or list(CLASSES)
    network = extract(MODEL, ["class"])
    passed, rows = 0, []
    print("| class |" + "".join(f" seed {seed + 1} |" for seed in range(seeds)) + " seconds |")
    print("|---" * (seeds + 2) + "|")
    for name in names:
        number = registry.class_number(MODEL, name)
        recipe = Recipe.of({"layer": f"class:{name}"})
        began = time.perf_counter()
        row = [imagined(recipe, (side, side), seed + 1, network) for seed in range(seeds)]
        seconds = (time.perf_counter() - began) / seeds
        chances = [probabilities(picture, network)[:, number] for picture in row]
        passed += sum(float(p.mean()) >= GATE for p in chances)
        cells = "".join(f" {p.mean():.3f} ({p.min():.3f}) |" for p in chances)
        print(f"| {name} |{cells} {seconds:.1f} |", flush=True)
        rows.append(row)
    print(f"\n{passed} of {len(names) * seeds} have {GATE} or more; {side} px, {MODEL}.")
    columns = [list(column) for column in zip(*rows, strict=True)]
    sheet(columns).save(path)


if __name__ == "__main__":
    main()
