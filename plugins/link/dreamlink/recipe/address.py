"""Addresses of channels, layers and kinds: "network/layer/channel".

They are what `see` and the atlas name things by. As a recipe's `layer` an address says the network
too, so that it can be copied from one front end to another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import RecipeError

NETWORK = re.compile(r"\s*([a-z0-9][\w.-]{0,99})/", re.ASCII | re.IGNORECASE)
INSIDE = re.compile(r"(?:kind:[^/]+|[\w.]+(?:/\d+)?)\s*", re.ASCII)


@dataclass(frozen=True)
class LayerAddress:
    """What an address stands for: a network, and what is dreamed there as a recipe's `layer`."""

    model: str
    layer: str


def parse_address(text: str) -> LayerAddress | None:
    """What "network/layer/channel", "network/layer" or "network/kind:NAME" stands for.

    Returns:
        None if the text does not begin like an address.

    Raises:
        RecipeError: it begins like one and goes on otherwise; with one sentence.
    """
    network = NETWORK.match(text)
    if network is None:
        return None
    inside = text[network.end() :]
    if not INSIDE.fullmatch(inside):
        raise RecipeError(
            f"{text.strip()!r:.80} is no address: after the network's name and / it goes on with a"
            " layer and perhaps a channel (features.12/104), or with a kind of things (kind:dogs)."
        )
    return LayerAddress(network[1], inside.strip().replace("/", ":"))
