"""The op `see`: which channels, layers, kinds and classes answer to a part of a picture.

A host describes pixels as for a dream and gets ranked rows, each with a heat map as bytes. The
answer is checked here, before a host relies on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..picture import Picture, PictureError, Region, region_of
from .frame_order import in_frame_order
from .messages import Frame, Header, MessageError, new_id

SEE_MAX = 2048  # pixels of a side of the picture; the networks see it reduced to a few hundred
COUNT_MAX = 64  # rows of a list
LAYERS_MAX = 64  # that a request may name
NAME_MAX = 100  # characters
HEAT_MAX = 256  # pixels of a side of a heat map
THUMBNAIL_MAX = 256  # pixels of a side of a thumbnail
LOUDNESS_MIN = 1e-12
INVALID = "The daemon's answer is invalid (see: {}); nothing was changed."


@dataclass(frozen=True)
class SeeRequest:
    """The fields of op "see"; the picture's pixels follow as a frame, then the mask.

    Attributes:
        picture: layout of the pixels: the region and the surroundings that the network sees, at
            most `SEE_MAX` on each side. A client reduces a larger picture first.
        region: the part of the picture that is asked about, in the picture's coordinates.
        mask: whether there is a mask: one byte a pixel of the region, 255 = fully asked about.
        model: the network; "" for all whose usual activations are known.
        layers: which of its layers, by name or number; none for all that are worth dreaming on.
        count: how many rows each list has at most.
        thumbnails: whether pictures of what the rows answer to are wanted.
    """

    picture: Picture
    region: Region
    mask: bool = False
    model: str = ""
    layers: tuple[str, ...] = ()
    count: int = 10
    thumbnails: bool = False
    id: str = field(default_factory=new_id)

    def header(self) -> Header:
        return {
            "op": "see",
            "id": self.id,
            "picture": self.picture.to_dict(),
            "region": list(self.region),
            "mask": self.mask,
            "model": self.model,
            "layers": list(self.layers),
            "count": self.count,
            "thumbnails": self.thumbnails,
        }

    @classmethod
    def of(cls, header: Header, frames: Sequence[Frame]) -> SeeRequest:
        """Check a request and the lengths of its frames.

        Raises:
            PictureError, MessageError: with one sentence for the user.
        """
        return cls.announced(header, [len(memoryview(frame).cast("B")) for frame in frames])

    @classmethod
    def announced(cls, header: Header, lengths: Sequence[int]) -> SeeRequest:
        """Like `of`, from the announced lengths, before the frames have arrived."""
        request = cls(
            picture=Picture.of(header.get("picture")),
            region=region_of(header.get("region")),
            mask=_value(header, "mask", bool, False),
            model=_name(header.get("model", ""), "model"),
            layers=_layers(header.get("layers", [])),
            count=_value(header, "count", int, 10),
            thumbnails=_value(header, "thumbnails", bool, False),
            id=_name(header.get("id", ""), "id"),
        )
        request._check(lengths)
        return request

    def _check(self, lengths: Sequence[int]) -> None:
        picture, region = self.picture, self.region
        if max(picture.width, picture.height) > SEE_MAX:
            raise PictureError(
                f"A picture to be seen has at most {SEE_MAX} pixels on each side, not"
                f" {picture.width} × {picture.height}: reduce it."
            )
        if region.empty or region.clip(picture.region) != region:
            raise PictureError("The region to see lies outside the picture that was sent.")
        if not 1 <= self.count <= COUNT_MAX:
            raise MessageError(f"count must be between 1 and {COUNT_MAX}, not {self.count}.")
        if self.layers and not self.model:
            raise MessageError("Layers belong to one network: name it in model.")
        mask = region.width * region.height if self.mask else None
        expected = in_frame_order(picture.nbytes, mask)
        if list(lengths) != expected:
            raise MessageError(
                f"The pixels don't fit their layout: {expected} bytes were expected, not"
                f" {list(lengths)}."
            )


@dataclass(frozen=True)
class SeenRow:
    """A channel, a layer or a kind that answers.

    Attributes:
        address: what front ends show: "network/layer/channel", "network/layer" or
            "network/kind:NAME". It stays the same for as long as the network does.
        model: the network.
        expression: what dreams it, as the recipe's `layer`.
        name: the kind's, the layer's, or the channel's number.
        score: how much more it is active than in ordinary pictures, in standard deviations.
        place: (x, y), where in the region it is strongest, in pixels of the picture sent.
        peak: how strong it is there, in standard deviations; 255 in the heat map.
        heat: bytes of the map over the whole picture sent, row by row: 0 = as usual, or less.
        thumbnail: what it answers to, imagined: R, G, B, a byte each, row by row, a square of
            `Seen.thumbnail_side` pixels; b"" if there is none, or none was wanted.
        specific: whether the thumbnail is of this channel rather than of its layer.
        loudness: > 0; how strong its objective usually is: in a sum each is divided by its own.
    """

    address: str
    model: str
    expression: str
    name: str
    score: float
    place: tuple[float, float]
    peak: float
    heat: bytes
    thumbnail: bytes = b""
    specific: bool = True
    loudness: float = 1.0


@dataclass(frozen=True)
class SeenClass:
    """A class that a network believes to see, with its probability, 0 to 1."""

    model: str
    number: int
    name: str
    probability: float


@dataclass(frozen=True)
class SeenTogether:
    """A network's channels of the list as one expression, each as strong as the others."""

    model: str
    expression: str


@dataclass(frozen=True)
class Seen:
    """A checked answer; each list begins with the strongest.

    Attributes:
        together: for each network of `channels`, what dreams them (up to ten) in one dream.
        heat_size: (width, height) of every heat map.
        thumbnail_side: pixels; 0 if no thumbnails were wanted.
        notes: sentences for the user.
    """

    channels: tuple[SeenRow, ...]
    layers: tuple[SeenRow, ...]
    kinds: tuple[SeenRow, ...]
    classes: tuple[SeenClass, ...]
    together: tuple[SeenTogether, ...]
    heat_size: tuple[int, int]
    notes: tuple[str, ...]
    thumbnail_side: int = 0

    @classmethod
    def of(cls, header: Header, frames: Sequence[Frame]) -> Seen:
        """Check an answer `seen`; raises MessageError."""
        try:
            return cls._of(header, frames)
        except (KeyError, TypeError, ValueError) as error:
            raise MessageError(INVALID.format(f"{error!s:.100}")) from error

    @classmethod
    def _of(cls, header: Header, frames: Sequence[Frame]) -> Seen:
        heat = header["heat"]
        width, height = (_whole(heat[name], 1, HEAT_MAX) for name in ("width", "height"))
        side = _whole(header.get("thumbnails", {"side": 0})["side"], 0, THUMBNAIL_MAX)
        lists = [_rows(header, name) for name in ("channels", "layers", "kinds")]
        count, area = sum(map(len, lists)), width * height
        drawn = sum(_drawn(row) for listed in lists for row in listed)
        expected = [count * area, *([drawn * 3 * side * side] if side else [])]
        if [len(frame) for frame in frames] != expected:
            raise ValueError("the heat maps don't fit")
        maps, pictures = _cut(frames[0], area), _cut(frames[-1], 3 * side * side)
        rows = [
            tuple(_row(row, next(maps), next(pictures) if _drawn(row) else b"") for row in listed)
            for listed in lists
        ]
        classes = tuple(
            SeenClass(
                _text(row["model"]),
                _whole(row["number"], 0, 1 << 20),
                _text(row["name"]),
                _number(row["probability"], 0.0, 1.0),
            )
            for row in _rows(header, "classes")
        )
        together = tuple(
            SeenTogether(_text(row["model"]), _text(row["expression"]))
            for row in _rows(header, "together")
        )
        notes = tuple(f"{note!s:.300}" for note in header.get("notes", []))
        return cls(rows[0], rows[1], rows[2], classes, together, (width, height), notes, side)


def _cut(frame: Frame, length: int) -> Iterator[bytes]:
    """Parts of a frame, each as long."""
    return (bytes(frame[start : start + length]) for start in range(0, len(frame), length or 1))


def _rows(header: Header, name: str) -> list[Mapping[str, Any]]:
    rows = header[name]
    if not isinstance(rows, list) or len(rows) > COUNT_MAX:
        raise TypeError(f"{name} is no list of up to {COUNT_MAX}")
    return rows


def _drawn(row: Mapping[str, Any]) -> bool:
    return "thumbnail" in row and row["thumbnail"] is True


def _row(row: Mapping[str, Any], heat: bytes, thumbnail: bytes) -> SeenRow:
    texts = [_text(row[name]) for name in ("address", "model", "expression", "name")]
    x, y = (_number(value, 0.0, float(SEE_MAX)) for value in row["place"])
    score, peak = (_number(row[name], -1e30, 1e30) for name in ("score", "peak"))
    specific = row.get("specific", True) is True
    loudness = _number(row.get("loudness", 1.0), LOUDNESS_MIN, 1e30)
    return SeenRow(
        texts[0], texts[1], texts[2], texts[3], score, (x, y), peak, heat, thumbnail, specific,
        loudness,
    )  # fmt: skip


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise TypeError("a text is missing")
    return value


def _number(value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError("a number is missing")
    if not low <= value <= high:
        raise ValueError(f"{value} is out of range")
    return float(value)


def _whole(value: object, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{value!r:.20} is no whole number of {low} to {high}")
    return value


def _value(header: Header, name: str, kind: type, default: Any) -> Any:
    value = header.get(name, default)
    if type(value) is not kind:
        raise MessageError(f"{name} has an invalid value: {value!r:.60}.")
    return value


def _name(value: object, what: str) -> str:
    if not isinstance(value, str) or len(value) > NAME_MAX:
        raise MessageError(f"{what} has an invalid value: {value!r:.60}.")
    return value


def _layers(values: object) -> tuple[str, ...]:
    if not isinstance(values, list | tuple) or len(values) > LAYERS_MAX:
        raise MessageError(f"layers must be a list of up to {LAYERS_MAX} names or numbers.")
    return tuple(_name(value, "a layer") for value in values)
