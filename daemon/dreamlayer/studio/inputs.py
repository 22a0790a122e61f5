"""A request decoded: its frames as pictures and masks, checked, with the options of its dream.

`decode` is the only place below the server that reads a `DreamRequest`; the rest of the studio gets
`DecodedRequest`, and `DreamPixels` made of them when the network is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dreamlayer.compositing import pixels
from dreamlayer.compositing.blend import LUMINANCE
from dreamlayer.compositing.zoom import zoom_pixels
from dreamlayer.engine.image.planes import read_all
from dreamlayer.geometry import Span, Window
from dreamlayer.runtime import interruption
from dreamlayer.studio.dream_map import DreamMap, read_dream_map
from dreamlayer.studio.source import SourceImage
from dreamlink.picture import Edges, Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest, Frame

RUN = 1 << 19  # pixels that are worked on at a time
LIVE_MAX = 4_200_000  # pixels of the largest region shown live, which takes time and memory


@dataclass(frozen=True)
class DecodedRequest:
    """A request's options and frames, not copied and not converted yet.

    Attributes:
        recipe: with a seed.
        device: "auto", "cpu", "cuda", "mps" or e.g. "cuda:1".
        picture: (H, W, samples), the pixels as sent.
        window: the part of the picture to dream in, h × w pixels.
        result: layout of the pixels that are returned, those of the window.
        edges: the sides of the window that are the picture's own, where a mask isn't feathered.
        mask: (h, w), 255 = selected, or None: all is.
        clip: whether the mask goes into the alpha rather than into the colours.
        strength: (h, w, samples), how strongly each pixel dreams, or None: all fully.
        guide: (gh, gw, samples), or None.
        dream_map: (mh, mw, samples), stretched over the window, or None.
        zoom: how many times the picture is enlarged about its middle before it is dreamed on.
        carry: how much of the dream before this one starts from, 0 to 1.
        quick: whether to take a quick look.
        in_grid: whether the look is one of several side by side, and so a smaller one.
        reduced: how many times smaller than the whole dream's the picture of a quick look is.
        live: whether to offer the region's pixels after each octave.
        measure_gain: whether to measure how much more active the layer became.
    """

    recipe: Recipe
    device: str
    picture: SourceImage
    window: Window
    result: Picture
    edges: Edges
    mask: pixels.Mask | None
    clip: bool
    strength: SourceImage | None
    guide: SourceImage | None
    dream_map: SourceImage | None
    zoom: float
    carry: float
    quick: bool
    in_grid: bool
    reduced: float
    live: bool
    measure_gain: bool


@dataclass(frozen=True)
class DreamPixels:
    """The pixels of `DecodedRequest`, enlarged, converted and checked.

    Attributes:
        raw: (H, W, samples), the picture, enlarged if that was asked for.
        mask: (h, w) of the window, 255 = selected, or None: all is. It is 0 where a dream map has
            no bound colour, so that `feather` softens the borders there.
        strength: (h, w) of the window, 255 = dream fully, or None: everywhere. It takes the place
            of the mask for a dream map if the mask goes into the alpha.
        guide: (1, 3, gh, gw), R, G, B in 0..1, or None.
        dream_map: what the map's colours say about the window, or None.
    """

    raw: pixels.Raw
    mask: pixels.Mask | None
    strength: pixels.Mask | None
    guide: Tensor | None
    dream_map: DreamMap | None

    def weights(self, device: torch.device) -> Tensor | None:
        """The weight of each pixel (1, 1, h, w) for the engine, 0 to 255: mask times strength.

        A weight is 0 where mask or strength is. None: all pixels count fully.

        Raises:
            ValueError: every weight is 0; with a sentence for the user.
        """
        weights = self._weights()
        if weights is None:
            return None
        writable = np.require(weights, requirements=["W"])  # torch warns about read-only arrays
        return torch.from_numpy(writable)[None, None].to(device)

    def _weights(self) -> pixels.Mask | None:
        if self.mask is None or self.strength is None:
            return self.strength if self.mask is None else self.mask
        weights = _product(self.mask, self.strength)
        if not weights.any():
            raise ValueError("The selection and the strength map do not overlap.")
        return weights


def decode(request: DreamRequest, frames: Sequence[Frame], in_grid: bool = False) -> DecodedRequest:
    """A request and its frames as inputs of the studio; a seed is drawn if the recipe has none.

    `in_grid` tells that the quick look is one of several side by side.

    Raises:
        ValueError: options that exclude each other; with a sentence for the user.
    """
    recipe = request.recipe.with_seed()
    _check_wrap(request)
    region, following = request.region, iter(frames)
    picture = _image(next(following), request.picture)
    _check_dream_map(request)
    mask = strength = guide = dream_map = None
    if request.mask:
        mask = pixels.view_mask(next(following), region.height, region.width)
    if request.strength:
        strength = _image(next(following), request.strength)
    if request.guide:
        guide = _image(next(following), request.guide)
    if request.dream_map:
        dream_map = _image(next(following), request.dream_map)
    return DecodedRequest(
        recipe=recipe,
        device=request.device,
        picture=picture,
        window=_window(region),
        result=request.result,
        edges=request.own_edges,
        mask=mask,
        clip=request.clip,
        strength=strength,
        guide=guide,
        dream_map=dream_map,
        zoom=request.zoom,
        carry=request.carry,
        quick=request.quick,
        in_grid=in_grid,
        reduced=request.reduced,
        live=request.live and region.width * region.height <= LIVE_MAX,
        measure_gain=request.gain,
    )


def load_pixels(inputs: DecodedRequest) -> DreamPixels:
    """The pixels of a dream, ready for engine and blend.

    Raises:
        ValueError: mask and maps leave nothing to dream in; with a sentence for the user.
    """
    raw, mask, strength, dream_map = inputs.picture.raw, inputs.mask, None, None
    if inputs.zoom > 1.0:
        raw = zoom_pixels(raw, inputs.picture.layout, inputs.zoom, inputs.recipe.wrap)
    if inputs.mask is not None and not inputs.mask.any():
        raise ValueError("Nothing is selected: the mask is black everywhere.")
    if inputs.strength is not None:
        strength = brightness(inputs.strength)
        if not strength.any():
            raise ValueError(
                "The strength map is black or transparent everywhere, so nothing would be dreamed."
            )
    if inputs.dream_map is not None:
        recipe = inputs.recipe
        dream_map = read_dream_map(
            inputs.dream_map, recipe.bindings(), inputs.window.size, recipe.wrap
        )
        if inputs.clip:
            strength = _both(strength, dream_map.amount)
        else:
            mask = _both(mask, dream_map.amount)
    guide = None if inputs.guide is None else read_all(inputs.guide)
    return DreamPixels(raw, mask, strength, guide, dream_map)


def brightness(image: SourceImage) -> pixels.Mask:
    """The luminance of each pixel (h, w) times its opacity, in 255ths.

    8-bit grey pixels, as those of selections and masks, are returned as they are.
    """
    raw, layout = image.raw, image.layout
    if (layout.depth, layout.order, layout.curve) == ("U8", "G", "srgb"):
        return raw[..., 0]
    levels = np.empty(raw.shape[:2], np.uint8)
    for rows in _row_runs(levels):
        colours = pixels.for_network(pixels.read_colours(raw[rows], layout))
        grey = sum(plane * weight for plane, weight in zip(colours, LUMINANCE[0], strict=True))
        opacity = pixels.read_alpha(raw[rows], layout)
        levels[rows] = np.rint(grey * 255 if opacity is None else grey * opacity * 255)
    return levels


def _both(mask: pixels.Mask | None, amount: pixels.Mask | None) -> pixels.Mask | None:
    """The product of a mask or strength map and the amounts of a dream map, if there are both."""
    if mask is None or amount is None:
        return amount if mask is None else mask
    both = _product(mask, amount)
    if not both.any():
        raise ValueError("Nothing is selected where the dream map has one of its colours.")
    return both


def _product(mask: pixels.Mask, strength: pixels.Mask) -> pixels.Mask:
    """The product of two masks (h, w), in 255ths; 0 only where one of them is."""
    weights = np.empty(mask.shape, np.uint8)
    for rows in _row_runs(weights):
        product = mask[rows].astype(np.uint16) * strength[rows]
        weights[rows] = (product + 254) // 255
    return weights


def _check_dream_map(request: DreamRequest) -> None:
    """Raise ValueError for a map without bound colours or the other way round, or from noise."""
    bound = bool(request.recipe.bindings())
    if bound and not request.dream_map:
        raise ValueError(
            "The recipe says what the colours of a dream map stand for, and there is no map:"
            " choose one, or leave “bind” empty."
        )
    if request.dream_map and not bound:
        raise ValueError(
            "None of the dream map's colours stands for anything: say so in “bind”, e.g."
            " #ff0000=kind:dogs."
        )
    if bound and request.recipe.start == "noise":
        raise ValueError(
            "A dream map needs a picture to dream on: set “start” to picture, or leave “bind”"
            " empty."
        )


def _check_wrap(request: DreamRequest) -> None:
    """Raise ValueError for a seamless dream of anything but a whole picture."""
    whole = request.region == request.picture.region and all(request.own_edges)
    if request.recipe.wrap and not whole:
        raise ValueError(
            "A seamless dream (wrap) needs the whole picture: remove the selection, or turn wrap"
            " off."
        )


def _image(frame: Frame, layout: Picture) -> SourceImage:
    return SourceImage(pixels.view(frame, layout), layout)


def _window(region: Region) -> Window:
    return Window(Span(region.y, region.y + region.height), Span(region.x, region.x + region.width))


def _row_runs(mask: pixels.Mask) -> Iterator[slice]:
    """Slices of rows that hold about `RUN` pixels each."""
    height, width = mask.shape
    rows = max(1, RUN // width)
    for top in range(0, height, rows):
        interruption.check()
        yield slice(top, top + rows)
