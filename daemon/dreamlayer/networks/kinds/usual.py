"""How active the channels of a network usually are: mean and spread over free photos.

A channel's activation says little by itself, as channels differ a hundredfold in loudness. Measured
by its own mean and standard deviation over ordinary pictures, all channels of all layers can be
compared. `USUAL_FILE` holds these for the embedded networks, and for those of their layers that are
worth dreaming on: not the first ones, which draw edges and dots, and no layer that only passes on
another one's map (ReLU, pooling). `python -m tests.bench.usual` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from safetensors.torch import load
from torch import Tensor

USUAL_FILE = Path(__file__).parent / "usual.safetensors"
SILENT = 0.02  # of the layer's median spread; a channel that varies less is off in photos


@dataclass(frozen=True)
class UsualActivations:
    """The usual activations of a layer's channels, over all cells of many pictures.

    Attributes:
        means: (C,).
        spreads: (C,), standard deviations, > 0.
        silent: (C,) bool; channels that hardly vary in any photo, so that nothing can be said.
    """

    means: Tensor
    spreads: Tensor
    silent: Tensor

    @classmethod
    def of(cls, means: Tensor, spreads: Tensor) -> UsualActivations:
        """From measured means and standard deviations, both (C,)."""
        least = SILENT * float(spreads.median())
        return cls(means, spreads.clamp(min=max(least, 1e-12)), spreads <= least)

    def deviations(self, cells: Tensor) -> Tensor:
        """By how many standard deviations cells (C, h, w) differ from usual; 0 where silent."""
        deviations = (cells - self.means[:, None, None]) / self.spreads[:, None, None]
        return deviations.masked_fill(self.silent[:, None, None], 0.0)


def models() -> list[str]:
    """The networks whose usual activations are known."""
    return list(_stored())


def layers(model: str) -> list[str]:
    """The full names of a network's measured layers, from the picture inwards; empty if unknown."""
    return list(_stored().get(model, {}))


def find(model: str, layer: str) -> UsualActivations:
    """The usual activations of a layer, by its full name; KeyError if it was not measured."""
    return _stored()[model][layer]


@cache
def _stored() -> dict[str, dict[str, UsualActivations]]:
    found: dict[str, dict[str, UsualActivations]] = {}
    for name, rows in sorted(load(USUAL_FILE.read_bytes()).items(), key=_place):
        model, layer = name.split("/")
        found.setdefault(model, {})[layer] = UsualActivations.of(*rows.float())
    return dict(reversed(found.items()))  # SqueezeNet, the default network, first


def _place(item: tuple[str, Tensor]) -> tuple[str, int]:
    """Sorts by network, and layers by their number."""
    model, layer = item[0].split("/")
    return model, int(layer.rpartition(".")[2])
