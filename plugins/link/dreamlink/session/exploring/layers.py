"""The layers of the networks that everybody has, and how strongly each pulls at a picture."""

from __future__ import annotations

import re

from ...recipe.target import Target

NUMBERED = re.compile(r"(?:(?:.*[._])?(blocks|features)\.)?(\d+)", re.ASCII)
WORDS = {"blocks": "block", "features": "layer", None: "layer"}
# The gradient of a layer's squares (root mean square over four photos of 240 px, times the number
# of pixels): the later the layer, the stronger. By this much they are divided in a mix.
PULL = {
    "squeezenet1_1": {
        3: 1.8, 4: 3.8, 6: 11.0, 7: 21.0, 9: 94.0, 10: 430.0, 11: 600.0, 12: 1600.0,
    },
    "efficientnet-lite0": {
        2: 15.0, 3: 41.0, 4: 52.0, 5: 93.0, 6: 120.0, 7: 120.0, 8: 240.0, 9: 290.0, 10: 370.0,
        11: 800.0, 12: 1000.0, 13: 1300.0, 14: 1400.0,
    },
}  # fmt: skip
DISTANCE = 3  # layers that are further apart draw something else


def layer_number(layer: str) -> int | None:
    """The number that a network counts a layer by; None if it has none."""
    match = NUMBERED.fullmatch(layer)
    return int(match[2]) if match else None


def layer_name(layer: str) -> str:
    """A layer in plain English, e.g. "block 12"; one without a number as it is written."""
    match = NUMBERED.fullmatch(layer)
    return f"{WORDS[match[1]]} {match[2]}" if match else layer


def other_layers(model: str, layer: str) -> list[Target]:
    """The layers of a network that draw something else than this one, each as all its squares."""
    own = layer_number(layer)
    word = "_blocks" if model == "efficientnet-lite0" else "features"
    numbers = PULL.get(model, {})
    return [
        Target("squares", f"{word}.{number}")
        for number in numbers
        if own is None or abs(number - own) >= DISTANCE
    ]


def pull(model: str, target: Target) -> float:
    """How strongly the squares of a layer pull; 1 where that is not known."""
    number = layer_number(target.layer)
    return PULL.get(model, {}).get(-1 if number is None else number, 1.0)
