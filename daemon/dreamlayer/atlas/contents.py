"""What an atlas shows of a network: layers, their channels, and kinds of things."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from dreamlayer.networks.graph import layers as layer_table
from dreamlayer.networks.kinds import classes, kinds
from dreamlayer.networks.registry import registry
from dreamlayer.thumbnails import sheets
from dreamlayer.thumbnails.own import OwnThumbnails, Pixels, sheet_of


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
        field: px along one axis that a cell sees; None: the whole picture.
        stride: px from one cell to the next.
    """

    name: str
    channels: tuple[ChannelEntry, ...]
    count: int
    field: int | None
    stride: int


@dataclass(frozen=True)
class KindEntry:
    """A kind of things: its name, and the classes that it is made of."""

    name: str
    classes: tuple[str, ...]


@dataclass(frozen=True)
class NetworkEntry:
    """One network.

    Attributes:
        layers: from the picture inwards.
        kinds: that it recognises; empty if it has none.
        sheets: WebP files by name: a sheet of each layer's channels, of whole layers and of kinds.
    """

    name: str
    title: str
    summary: str
    layers: tuple[LayerEntry, ...]
    kinds: tuple[KindEntry, ...]
    sheets: Mapping[str, bytes]


def of_embedded(model: str) -> NetworkEntry:
    """The contents of an embedded network's atlas; KeyError for others."""
    spec = registry.find(model)
    index = sheets.index()[spec.name]
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
    files = (sheets.FOLDER / spec.name).glob("*.webp")
    pictures = {path.stem: path.read_bytes() for path in files}
    own = _kinds(spec.name)
    return NetworkEntry(spec.name, spec.title, spec.summary, tuple(layers), own, pictures)


def of_other(model: str, made: OwnThumbnails) -> NetworkEntry:
    """The contents of another network's atlas: the layers of which there are pictures.

    Raises:
        NoAtlas: there are none.
        UnknownModel: there is no such network.
    """
    spec = registry.find(model)
    known = set(made.layers(spec.name))
    names = [row.name for row in layer_table.describe(spec.name, parts=True) if row.name in known]
    if not names:
        raise NoAtlas(f"No picture of {spec.name} has been made yet.")
    pictures, layers = {}, []
    wholes: dict[int, Pixels] = {}
    for place, name in enumerate(names):
        geometry = layer_table.geometry_of(spec.name, name)
        pictures[name], shown = made.sheet(spec.name, name, geometry.channels)
        whole = made.find(spec.name, name, None)
        wholes |= {} if whole is None else {place: whole}
        entries = tuple(ChannelEntry(number, vague=False, kinds=()) for number in shown)
        field = geometry.receptive_field if geometry.local else None
        layers.append(LayerEntry(name, entries, geometry.channels, field, geometry.stride))
    pictures[sheets.LAYERS] = sheet_of(wholes, len(names))
    return NetworkEntry(spec.name, spec.title, spec.summary, tuple(layers), (), pictures)


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
