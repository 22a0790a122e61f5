"""Messages between client and daemon (documented in `PROTOCOL.md`).

A message is one ZeroMQ multipart message: a msgpack map, the header, followed by raw frames. Every
header has `op`; every answer has the `id` of its request.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..picture import MAX_SIDE, Edges, Picture, PictureError, Region, region_of
from ..recipe.recipe import Recipe
from .frame_order import in_frame_order

try:  # the installer adds msgpack's pure-Python files to the plug-ins' copy of this package
    from .._vendor import msgpack  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    try:
        import msgpack  # type: ignore[no-redef,unused-ignore]
    except ImportError as error:
        raise ImportError(
            "Dreamlayer's plug-in is incomplete: its copy of msgpack is missing."
            " Run Dreamlayer's install.py again."
        ) from error

PROTOCOL = 2
HEADER_MAX = 1 << 20  # bytes; the largest header is a list of layers
GUIDE_MAX = 1024  # pixels of a guide's side
QUICK_MAX = 768  # pixels of a side of the picture of a quick dream
DREAM_MAP_FREE = 1 << 22  # pixels that a dream map may have, however small the region is
ZOOM_MAX = 2.0  # times, from one frame of a film to the next
KEPT_ID_MIN = 16  # characters; whoever knows the id of a kept dream may fetch it
Frame = bytes | bytearray | memoryview

Header = dict[str, Any]


class MessageError(ValueError):
    """An invalid message; the text is one sentence."""


def pack(header: Mapping[str, Any]) -> bytes:
    """The header as msgpack; lone surrogates, as in names of files, are written as escapes."""
    return msgpack.packb(  # type: ignore[no-any-return]
        dict(header), use_bin_type=True, unicode_errors="backslashreplace"
    )


def unpack(frame: Frame) -> Header:
    """The header in `frame`; raises MessageError unless it is a map with a text `op`."""
    if len(frame) > HEADER_MAX:
        raise MessageError("The header is too long.")
    try:
        header = msgpack.unpackb(bytes(frame), raw=False, strict_map_key=True)
    except Exception as error:  # msgpack raises many kinds for bad bytes
        raise MessageError("The header is not msgpack.") from error
    if not isinstance(header, dict) or not isinstance(header.get("op"), str):
        raise MessageError("The header is not a map with an op.")
    return header


def new_id() -> str:
    """A random id for a request, which no other client uses."""
    return os.urandom(8).hex()


@dataclass(frozen=True)
class DreamRequest:
    """The fields of op "dream"; the pixels follow as frames (see `in_frame_order`).

    Attributes:
        recipe: what to dream.
        picture: layout of the pixels: the region and the surroundings that the network sees.
        region: the part of the picture to dream in and to return, in the picture's coordinates.
        mask: whether there is a mask: one byte a pixel of the region, 255 = dream fully.
        guide: layout of the guide picture, reduced to about 512 pixels, for recipes that need one.
        edges: which sides of the region are edges of the picture itself, where a selection is not
            feathered. None: the sides at the edge of the pixels sent, which is correct if
            surroundings are sent.
        clip: how the mask is applied: True multiplies it with the result's alpha (a layer that
            shows only the selection); False blends the colours (a picture that changes only there).
        preview: longest side of the previews that are sent with progress; 0 for none.
        gain: whether to measure how much the layer's activity grew (takes extra time).
        device: "auto", "cpu", "cuda", "mps" or e.g. "cuda:1".
        quick: a quick look at a reduced picture: it takes precedence over dreams that are not
            quick, its previews are refined until it is done, and a newer one of the same client
            replaces it.
        reduced: how many times smaller the picture of a quick dream is than that of the full
            dream, so that dreamed shapes keep their size relative to the picture's content.
        keep: the dream survives its client, which may reconnect and fetch it by its id.
        strength: layout of a map as large as the region, whose lightness is each pixel's dream
            strength: full where it is white, none where it is black or transparent.
        live: whether the region's pixels so far are sent with progress, in the layout `result`,
            after each octave except the last.
        after: the id of a finished dream of the same client and size, e.g. of the previous frame
            of a film, from which this dream starts; "" for none.
        carry: how much of that dream it starts from, 0 to 1.
        zoom: how many times the picture is enlarged about its centre before the dream; the region
            must then be the whole picture.
        dream_map: layout of a picture of any size, stretched over the region, whose colours the
            recipe's `bind` names.
    """

    recipe: Recipe
    picture: Picture
    region: Region
    mask: bool = False
    guide: Picture | None = None
    edges: Edges | None = None
    clip: bool = False
    preview: int = 0
    gain: bool = False
    device: str = "auto"
    quick: bool = False
    reduced: float = 1.0
    keep: bool = False
    strength: Picture | None = None
    live: bool = False
    after: str = ""
    carry: float = 0.0
    zoom: float = 1.0
    dream_map: Picture | None = None
    id: str = field(default_factory=new_id)

    def header(self) -> Header:
        return {
            "op": "dream",
            "id": self.id,
            "recipe": self.recipe.to_dict(),
            "picture": self.picture.to_dict(),
            "region": list(self.region),
            "mask": self.mask,
            "guide": self.guide.to_dict() if self.guide else None,
            "edges": list(self.edges) if self.edges else None,
            "clip": self.clip,
            "preview": self.preview,
            "gain": self.gain,
            "device": self.device,
            "quick": self.quick,
            "reduced": float(self.reduced),
            "keep": self.keep,
            "strength": self.strength.to_dict() if self.strength else None,
            "live": self.live,
            "after": self.after,
            "carry": float(self.carry),
            "zoom": float(self.zoom),
            "map": self.dream_map.to_dict() if self.dream_map else None,
        }

    @property
    def own_edges(self) -> Edges:
        """The sides of the region that are the picture's own edges."""
        return self.edges or self.region.edges(self.picture.region)

    @property
    def result(self) -> Picture:
        """Layout of the result: as large as the region, otherwise like the picture."""
        width, height = self.region.width, self.region.height
        return Picture(width, height, self.picture.depth, self.picture.order, self.picture.curve)

    @classmethod
    def of(cls, header: Header, frames: Sequence[Frame]) -> DreamRequest:
        """Check a request against the recipe table and its frames' lengths.

        Raises:
            RecipeError, PictureError, MessageError: with one sentence for the user.
        """
        return cls.announced(header, [len(memoryview(frame).cast("B")) for frame in frames])

    @classmethod
    def announced(cls, header: Header, lengths: Sequence[int]) -> DreamRequest:
        """Like `of`, from the announced lengths, before the frames have arrived."""
        recipe = header.get("recipe")
        if not isinstance(recipe, dict):
            raise MessageError("A dream needs a recipe.")
        request = cls(
            recipe=Recipe.of(recipe),
            picture=Picture.of(header.get("picture")),
            region=region_of(header.get("region")),
            mask=_typed(header, "mask", bool, False),
            guide=_guide_of(header.get("guide")),
            edges=_edges_of(header.get("edges")),
            clip=_typed(header, "clip", bool, False),
            preview=_typed(header, "preview", int, 0),
            gain=_typed(header, "gain", bool, False),
            device=_typed(header, "device", str, "auto"),
            quick=_typed(header, "quick", bool, False),
            reduced=_typed(header, "reduced", float, 1.0),
            keep=_typed(header, "keep", bool, False),
            strength=_layout_of(header.get("strength")),
            live=_typed(header, "live", bool, False),
            after=_typed(header, "after", str, ""),
            carry=_typed(header, "carry", float, 0.0),
            zoom=_typed(header, "zoom", float, 1.0),
            dream_map=_layout_of(header.get("map")),
            id=_typed(header, "id", str, ""),
        )
        request._check_options()
        request._check_lengths(lengths)
        return request

    def _check_options(self) -> None:
        """Raise MessageError for options that are out of range or contradict each other."""
        if self.quick and self.keep:
            raise MessageError("A quick dream can't be kept: ask for quick or keep, not both.")
        if self.quick and max(self.picture.width, self.picture.height) > QUICK_MAX:
            raise MessageError(
                f"The picture of a quick dream has at most {QUICK_MAX} pixels on each side, not"
                f" {self.picture.width} × {self.picture.height}: reduce it."
            )
        if not 1.0 <= self.reduced <= MAX_SIDE or (self.reduced > 1.0 and not self.quick):
            raise MessageError(
                f"Only the picture of a quick dream can be reduced, 1 to {MAX_SIDE} times, not"
                f" {self.reduced!r:.40}."
            )
        if not 0.0 <= self.carry <= 1.0 or (self.carry > 0.0 and not self.after):
            raise MessageError(
                "carry must be between 0 and 1, and needs the id of a dream in after, not"
                f" {self.carry!r:.40}."
            )
        if not 1.0 <= self.zoom <= ZOOM_MAX:
            raise MessageError(f"zoom must be between 1 and {ZOOM_MAX:g}, not {self.zoom!r:.40}.")
        if self.zoom > 1.0 and self.region != self.picture.region:
            raise MessageError("zoom works only if the region is the whole picture.")
        if self.keep and len(self.id) < KEPT_ID_MIN:
            raise MessageError(
                f"The id of a dream to keep must have at least {KEPT_ID_MIN} random characters."
            )

    def _check_lengths(self, lengths: Sequence[int]) -> None:
        if self.region.empty or self.region.clip(self.picture.region) != self.region:
            raise PictureError("The region to dream in lies outside the picture that was sent.")
        if not 0 <= self.preview <= 4096:
            raise MessageError(f"preview must be between 0 and 4096 pixels, not {self.preview}.")
        if self.clip and self.picture.order not in ("RGBA", "BGRA", "GA"):
            raise MessageError("The mask can only be applied to a picture that has alpha.")
        if self.strength and self.strength.region[2:] != self.region[2:]:
            raise PictureError(
                f"A strength map must be as large as the region, {self.region.width} ×"
                f" {self.region.height}, not {self.strength.width} × {self.strength.height}."
            )
        most = max(self.region.width * self.region.height, DREAM_MAP_FREE)
        if self.dream_map and self.dream_map.width * self.dream_map.height > most:
            raise PictureError(
                f"A dream map of {self.dream_map.width} × {self.dream_map.height} pixels is larger"
                f" than the region that it covers, {self.region.width} × {self.region.height}:"
                " reduce it."
            )
        expected = in_frame_order(
            self.picture.nbytes,
            self.region.width * self.region.height if self.mask else None,
            self.strength.nbytes if self.strength else None,
            self.guide.nbytes if self.guide else None,
            self.dream_map.nbytes if self.dream_map else None,
        )
        if list(lengths) != expected:
            raise MessageError(
                f"The pixels don't fit their layout: {expected} bytes were expected, not"
                f" {list(lengths)}."
            )


@dataclass(frozen=True)
class BlendRequest:
    """The fields of op "blend".

    Attributes:
        of: the id of the finished dream to blend with its picture anew.
        recipe: that dream's, except for the `live` parameters.
    """

    of: str
    recipe: Recipe
    id: str = field(default_factory=new_id)

    def header(self) -> Header:
        return {"op": "blend", "id": self.id, "of": self.of, "recipe": self.recipe.to_dict()}

    @classmethod
    def read(cls, header: Header) -> BlendRequest:
        """Check a request against the recipe table; raises RecipeError, MessageError."""
        recipe = header.get("recipe")
        if not isinstance(recipe, dict) or "of" not in header:
            raise MessageError("A blend needs a recipe and, in of, the id of a dream.")
        of, request_id = _typed(header, "of", str, ""), _typed(header, "id", str, "")
        return cls(of, Recipe.of(recipe), request_id)


def _guide_of(values: object) -> Picture | None:
    if values is None:
        return None
    guide = Picture.of(values)
    if max(guide.width, guide.height) > GUIDE_MAX:
        raise PictureError(
            f"A guide picture can be at most {GUIDE_MAX} pixels wide and high, not"
            f" {guide.width} × {guide.height}."
        )
    return guide


def _layout_of(values: object) -> Picture | None:
    return None if values is None else Picture.of(values)


def _edges_of(values: object) -> Edges | None:
    if values is None:
        return None
    if not isinstance(values, list | tuple) or [type(v) for v in values] != [bool] * 4:
        raise PictureError("edges must be four booleans: left, top, right, bottom.")
    return Edges(*values)


def _typed(header: Header, name: str, kind: type, default: Any) -> Any:
    value = header.get(name, default)
    if type(value) is not kind or (kind is str and len(str(value)) > 100):
        raise MessageError(f"{name} has an invalid value: {value!r:.60}.")
    return value
