"""What an atlas shows of a network: layers, their channels, and kinds of things."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from dreamlayer.networks.graph import layers as layer_table
from dreamlayer.networks.kinds import classes, kinds
from dreamlayer.networks.registry import registry
from dreamlayer.thumbnails import sheets


class NoAtlas(ValueError):
    """There are no pictures of a network; the text is for the user."""


@dataclass(frozen=True)
class ChannelEntry:
    """One channel.

    Attributes:
        number: from 0; also its place in the sheet.
        vague: its picture is as much one of other channels.
        kinds: those that it counts for.
    """

    number: int
    vague: bool
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class LayerEntry:
    """One layer.

    Attributes:
        name: in full, "features.12".
        channels: those with a picture.
        count: of all its channels.
        field: px along one axis that a cell sees.
        stride: px from one cell to the next.
    """

    name: str
    channels: tuple[ChannelEntry, ...]
    count: int
    field: int
    stride: int


@dataclass(frozen=True)
class KindEntry:
    """A kind of things: its name, and the classes that it is made of."""

    name: str
    classes: tuple[str, ...]


@dataclass(frozen=True)
class NetworkEntry:
    """One network; layers from the picture inwards. Sheets are in `thumbnails`."""

    name: str
    title: str
    summary: str
    layers: tuple[LayerEntry, ...]
    kinds: tuple[KindEntry, ...]


def of(model: str) -> NetworkEntry:
    """The contents of a network's atlas.

    Raises:
        NoAtlas: there are no pictures of it.
        UnknownModel: there is no such network.
    """
    spec = registry.find(model)
    index = sheets.index().get(spec.name)
    if index is None:
        raise NoAtlas(
            f"There are no pictures of {spec.name}'s channels. An atlas can be had of"
            f" {' and '.join(sheets.index())}."
        )
    counting = _kinds_of_channels(spec.name)
    layers = []
    for name in index["layers"]:
        known = index["channels"][name]
        geometry = layer_table.geometry_of(spec.name, name)
        entries = tuple(
            ChannelEntry(number, number in known["vague"], tuple(counting[name, number]))
            for number in range(geometry.channels)
            if number not in known["silent"]
        )
        field = geometry.receptive_field
        layers.append(LayerEntry(name, entries, geometry.channels, field, geometry.stride))
    return NetworkEntry(spec.name, spec.title, spec.summary, tuple(layers), _kinds(spec.name))


def _kinds_of_channels(model: str) -> defaultdict[tuple[str, int], list[str]]:
    """{(layer, channel): the kinds that it counts for}."""
    found: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for name, kind in kinds.seen(model).items():
        for channel in kind.channels[0]:
            found[kind.layer, channel].append(name)
    return found


def _kinds(model: str) -> tuple[KindEntry, ...]:
    numbers = {**classes.KINDS, **classes.SEEN}
    words = registry.categories("squeezenet1_1")  # the classes that kinds are made of: ImageNet's
    return tuple(
        KindEntry(name, tuple(words[number] for number in numbers[name]))
        for name in kinds.seen(model)
    )
