"""Makes `networks/kinds/kinds.json` from a classifier's weights and the pictures of tests/pictures.

python -m tests.bench.kinds
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import torch
from torch import Tensor

from dreamlayer.networks.kinds.classes import KINDS, SEEN
from dreamlayer.networks.kinds.kinds import KINDS_FILE
from dreamlayer.networks.network import extract
from dreamlayer.networks.registry import registry
from tests.engine.looks import PICTURES, photo

MODEL, LAYER = "squeezenet1_1", "features.12"
CHANNELS = 16  # of each kind
SIDES = (480, 320, 224)  # px; the sizes at which each picture is measured
DIGITS = 4


def kind_channels(kinds: Mapping[str, tuple[int, ...]] = KINDS) -> dict[str, list[int]]:
    """The channels of each kind, those that count most first."""
    classifier = registry.load(MODEL).classifier[1]
    weights: Tensor = classifier.weight[:, :, 0, 0].detach()
    spread = weights.std(0)
    overall = weights.mean(0)
    scores = {name: weights[list(classes)].mean(0) - overall for name, classes in kinds.items()}
    return {name: (score / spread).topk(CHANNELS)[1].tolist() for name, score in scores.items()}


def usual_activations() -> tuple[list[float], list[float]]:
    """Each channel's mean and standard deviation over all cells of the pictures."""
    network = extract(MODEL, [LAYER])
    names = sorted(path.name for path in PICTURES.glob("*.*") if path.suffix in (".png", ".jpg"))
    with torch.no_grad():
        maps = [network(photo(name, side))[0][0].flatten(1) for name in names for side in SIDES]
    cells = torch.cat(maps, 1).double()
    return _rounded(cells.mean(1)), _rounded(cells.std(1))


def _rounded(values: Tensor) -> list[float]:
    return [round(value, DIGITS) for value in values.tolist()]


def main() -> None:
    means, spreads = usual_activations()
    own: dict[str, object] = {"layer": LAYER, "kinds": kind_channels()}
    content = {MODEL: {**own, "seen": kind_channels(SEEN), "means": means, "spreads": spreads}}
    KINDS_FILE.write_text(json.dumps(content) + "\n", "utf-8")


if __name__ == "__main__":
    main()
