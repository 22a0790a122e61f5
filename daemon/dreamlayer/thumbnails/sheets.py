"""Thumbnails of the embedded networks' channels, layers and kinds, by their address.

Each shows what its channel answers to most, imagined from noise. They lie in one sheet a layer,
`FOLDER/MODEL/LAYER.webp`: squares of `SIDE` px in the order of the channels, `ACROSS` in a row. The
sheets `layers` and `kinds` hold those of whole layers and of kinds, in the order of `INDEX`, which
also names the channels that have no picture of their own: silent ones, and those whose picture
woke the layer's other channels nearly as much. `python -m tests.bench.channel_pictures` makes them.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FOLDER = Path(__file__).parent / "pictures"
INDEX = FOLDER / "index.json"
SIDE = 64  # px of a thumbnail
ACROSS = 16  # thumbnails in a row of a sheet
LAYERS, KINDS = "layers", "kinds"  # the sheets that are of no layer's channels
KIND = "kind:"
OPEN = 8  # decoded sheets that are kept, of at most 6 MB each


@dataclass(frozen=True)
class Thumbnail:
    """What something answers to.

    Attributes:
        pixels: (SIDE, SIDE, 3) uint8, R, G, B.
        specific: whether it wakes its own channel at least three times as much as the median of
            the layer's others; True for layers and kinds.
    """

    pixels: NDArray[np.uint8]
    specific: bool


class ChannelIndex(TypedDict):
    """The channels of a layer, and those of which the sheet shows nothing of their own."""

    count: int
    silent: list[int]  # off in ordinary pictures; grey in the sheet
    vague: list[int]  # their pictures are as much of other channels


class NetworkIndex(TypedDict):
    """What the sheets of a network hold."""

    layers: list[str]
    kinds: list[str]
    channels: dict[str, ChannelIndex]  # by layer


def find(address: str) -> Thumbnail | None:
    """The thumbnail of "network/layer/channel", "network/layer" or "network/kind:NAME".

    None if there is none: of other networks and layers, and of silent channels.
    """
    model, _, inside = address.partition("/")
    network = index().get(model)
    if network is None:
        return None
    layer, _, channel = inside.partition("/")
    if channel:
        return _channel(model, network, layer, channel)
    if inside.startswith(KIND):
        return _whole(model, KINDS, network["kinds"], inside.removeprefix(KIND))
    return _whole(model, LAYERS, network["layers"], inside)


def _channel(model: str, network: NetworkIndex, layer: str, channel: str) -> Thumbnail | None:
    known = network["channels"].get(layer)
    if known is None or not channel.isascii() or not channel.isdigit():
        return None
    number = int(channel)
    missing = number >= known["count"] or number in known["silent"]
    pixels = None if missing else _square(model, layer, number)
    return None if pixels is None else Thumbnail(pixels, number not in known["vague"])


def _whole(model: str, sheet: str, names: list[str], name: str) -> Thumbnail | None:
    pixels = _square(model, sheet, names.index(name)) if name in names else None
    return None if pixels is None else Thumbnail(pixels, specific=True)


def _square(model: str, name: str, number: int) -> NDArray[np.uint8] | None:
    sheet = _sheet(model, name)
    top, left = (place * SIDE for place in divmod(number, ACROSS))
    square = sheet[top : top + SIDE, left : left + SIDE]
    return square.copy() if square.shape == (SIDE, SIDE, 3) else None


@functools.lru_cache(OPEN)
def _sheet(model: str, name: str) -> NDArray[np.uint8]:
    with Image.open(FOLDER / model / f"{name}.webp") as image:
        return np.asarray(image.convert("RGB"))


@functools.cache
def index() -> dict[str, NetworkIndex]:
    """What the sheets hold, by network."""
    content: dict[str, NetworkIndex] = json.loads(INDEX.read_text("utf-8"))
    return content
