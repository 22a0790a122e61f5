"""How differently two pictures of the same photo read: a distance by a network that did not dream.

The late features of a classifier tell a dog from a bird and a bird from a castle, and hardly see
how strongly or in which colours they were painted, as a person who names what is there.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from dreamlayer.engine.objectives.binding import network_for
from dreamlayer.networks.network import Network
from dreamlayer.networks.registry import registry
from dreamlink.recipe.recipe import Recipe

# Networks that may be at hand, the calibrated one first. The layers have a stride of 16: late
# enough to know things, early enough to tell eyes from fur. In lite2's block 13 presets that a
# person takes for each other are 0.04 to 0.14 apart (on china and peaks at 288 px: animals and
# eyes 0.08), others 0.18 to 0.72. In its last block the same twins are up to 0.33 apart, and
# presets that nobody confuses 0.43.
JUDGES = (("efficientnet-lite2", "13"), ("efficientnet-lite0", "10"), ("squeezenet1_1", "10"))


def judge(dreamers: Collection[str]) -> Network | None:
    """A network at hand that is none of `dreamers`; None if all that are have dreamed."""
    for name, layer in JUDGES:
        if name not in dreamers and registry.ready(registry.find(name)):
            return network_for(Recipe.of({"model": name, "layer": layer}))
    return None


def late_features(network: Network, picture: Tensor) -> Tensor:
    """The judge's features of a picture (1, 3, H, W), averaged over its places: (C,)."""
    with torch.inference_mode():
        return network(picture)[0].mean(dim=(0, 2, 3))


def distance(some: Tensor, other: Tensor) -> float:
    """Semantic distance of two pictures' late features: 0 for the same, up to 1 or so."""
    return 1.0 - float(torch.cosine_similarity(some, other, dim=0))
