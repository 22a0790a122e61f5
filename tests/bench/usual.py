"""Makes `networks/kinds/usual.safetensors`: how active the embedded networks' channels usually are.

Measured over the pictures of tests/pictures, each at three sizes.

python -m tests.bench.usual
"""

from __future__ import annotations

import torch
from safetensors.torch import save
from torch import Tensor

from dreamlayer.networks.kinds.usual import USUAL_FILE
from dreamlayer.networks.network import extract
from tests.bench.kinds import SIDES
from tests.engine.looks import PICTURES, photo

LAYERS = {
    "squeezenet1_1": [f"features.{number}" for number in (3, 4, 6, 7, 9, 10, 11, 12)],
    "efficientnet-lite0": [f"_blocks.{number}" for number in range(2, 15)],
}


def usual_activations(model: str) -> dict[str, Tensor]:
    """{layer: (2, C)}: each channel's mean and standard deviation over all cells."""
    network = extract(model, LAYERS[model])
    names = sorted(path.name for path in PICTURES.glob("*.*") if path.suffix in (".png", ".jpg"))
    pictures = [photo(name, side) for name in names for side in SIDES]
    with torch.no_grad():
        maps = [[cells[0].flatten(1) for cells in network(picture)] for picture in pictures]
    found = {}
    for layer, own in zip(network.layers, zip(*maps, strict=True), strict=True):
        cells = torch.cat(own, 1).double()
        found[layer] = torch.stack([cells.mean(1), cells.std(1)]).float()
    return found


def main() -> None:
    content = {
        f"{model}/{layer}": rows
        for model in LAYERS
        for layer, rows in usual_activations(model).items()
    }
    USUAL_FILE.write_bytes(save(content))
    print(f"{USUAL_FILE}: {USUAL_FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
