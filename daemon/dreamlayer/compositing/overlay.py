"""A finished dream over its picture, which can be blended again with other live parameters.

Pixels are processed in runs of rows, on several cores. Besides source, dream and result only a
mask of the picture's size is held.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dreamlayer.compositing import pixels
from dreamlayer.compositing.blend import blend
from dreamlayer.compositing.feather import feather_mask
from dreamlayer.engine.image.planes import DETAIL_FORMAT, StoredPlane, as_stored_plane, copy
from dreamlayer.runtime import interruption
from dreamlink.picture import Edges, Picture
from dreamlink.recipe.recipe import PARAMETERS, Recipe, RecipeError
from dreamlink.wire.messages import Frame

# Pixels. Between two numpy passes a thread waits for Python's lock: with runs of a few thousand
# pixels, which fit a core's cache, two threads are no faster than one.
RUN = 1 << 17
THREADS = min(4, os.cpu_count() or 1)
STEP = np.float32(1 / DETAIL_FORMAT.levels)  # of the detail, which is within ±1
FloatPlane = NDArray[np.float32]


class Overlay:
    """The detail of a dream in a picture's region, and all that is needed to blend it.

    Args:
        source: (height, width, samples), the region's pixels before the dream.
        layout: of these pixels.
        dreamt: (1, 3, height, width), the detail; or, if it `covers`, the colours themselves. Held
            in 16 bits, in steps of 1/32767; not copied if already stored so.
        covers: the picture was imagined from noise: it replaces the source, and is opaque.
        recipe: with its seed; its `live` parameters can be changed later.
        mask: (height, width), or None for all.
        clip: the mask is applied to the alpha, not to the colours.
        edges: the sides of the region that are the picture's own.
        strength: (height, width), each pixel's share of the recipe's strength, or None: all.
    """

    def __init__(
        self,
        source: pixels.Raw,
        layout: Picture,
        dreamt: Tensor | StoredPlane,
        covers: bool,
        recipe: Recipe,
        mask: pixels.Mask | None,
        clip: bool,
        edges: Edges,
        strength: pixels.Mask | None = None,
    ) -> None:
        self._source = source
        self._layout = layout
        self._dreamt = _as_int16_steps(as_stored_plane(dreamt))
        self._covers = covers
        self._recipe = recipe
        self._mask = mask
        self._clip = clip
        self._edges = edges
        self._strength = strength
        self._soft: tuple[float, pixels.Mask | None] = (0.0, mask)

    @property
    def nbytes(self) -> int:
        """Bytes of memory held, including a feathered mask."""
        height, width = self._source.shape[:2]
        masks = height * width * (1 + sum(m is not None for m in (self._mask, self._strength)))
        return int(self._source.nbytes + self._dreamt.nbytes + masks)

    @property
    def detail(self) -> StoredPlane | None:
        """The detail added to the colours (1, 3, height, width); None if the dream covers."""
        if self._covers:
            return None
        return StoredPlane(torch.from_numpy(self._dreamt)[None], DETAIL_FORMAT)

    @property
    def source(self) -> tuple[pixels.Raw, Picture]:
        """The region's pixels before the dream (height, width, samples), and their layout."""
        return self._source, self._layout

    def blend(self, recipe: Recipe) -> Frame:
        """The region's pixels in the source's layout, blended with the recipe's live parameters.

        Raises:
            RecipeError: the recipe differs in a parameter that needs a new dream.
        """
        self._check(recipe)
        if self._covers:  # the dream itself is in range, whatever the source was
            recipe = replace(recipe, soft_clip=False)
        mask = self._feathered(recipe.feather)
        height, width, _ = self._source.shape
        fresh = np.empty(self._source.shape, self._source.dtype)
        rows = max(1, RUN // width)
        runs = [slice(top, top + rows) for top in range(0, height, rows)]
        with ThreadPoolExecutor(THREADS) as pool:
            mean = self._mean(runs, mask, pool) if recipe.zero_mean else None

            ended = interruption.question()

            def lay(run: slice) -> None:
                if ended():
                    raise interruption.Interrupted
                part = None if mask is None else mask[run].reshape(-1)
                fresh[run] = self._blend_run(run, part, recipe, mean).reshape(fresh[run].shape)

            for _ in pool.map(lay, runs):
                pass
        return fresh.reshape(-1).view(np.uint8).data

    def _check(self, recipe: Recipe) -> None:
        for name, parameter in PARAMETERS.items():
            ours, theirs = getattr(self._recipe, name), getattr(recipe, name)
            drawn = name == "seed" and theirs == 0
            if ours != theirs and not parameter.live and not drawn:
                live = ", ".join(p.name for p in PARAMETERS.values() if p.live)
                raise RecipeError(
                    f"{name} can't be changed from {ours!r:.60} to {theirs!r:.60} without dreaming"
                    f" again; what can be changed is {live}."
                )

    def _feathered(self, width: float) -> pixels.Mask | None:
        """The feathered mask, cached until another width is asked for."""
        if self._soft[0] != width:
            size = (self._layout.height, self._layout.width)
            self._soft = (width, feather_mask(self._mask, size, width, self._edges))
        return self._soft[1]

    def _blend_run(
        self,
        run: slice,
        mask: pixels.Mask | None,
        recipe: Recipe,
        mean: pixels.Planes | None,
    ) -> pixels.Raw:
        """A run of the source's rows with the dream blended in."""
        raw = np.array(self._source[run], order="C").reshape(-1, self._layout.samples)
        planes = pixels.read_colours(raw, self._layout)
        detail = self._detail(run, planes)
        if mean is not None:
            detail -= mean
        share: FloatPlane = np.full(1, recipe.strength, np.float32)
        if mask is not None and not self._clip:
            share = np.multiply(mask, share / 255, dtype=np.float32)
        if self._strength is not None:
            share = np.multiply(self._strength[run].reshape(-1), share / 255, dtype=np.float32)
        opacity = pixels.read_alpha(raw, self._layout) if self._covers else None
        detail *= share if opacity is None else _weight(share, opacity)
        result, changed = blend(planes, detail, recipe)
        pixels.write_colours(raw, self._layout, result, changed, self._noise(run, recipe))
        if opacity is not None:
            pixels.add_opacity(raw, self._layout, share)
        if mask is not None and self._clip:
            pixels.multiply_alpha(raw, self._layout, mask)
        return raw

    def _detail(self, run: slice, planes: pixels.Planes) -> pixels.Planes:
        """The change of the colours (1 or 3, pixels) of a run: (3, pixels)."""
        dreamt: pixels.Planes = self._dreamt[:, run].reshape(3, -1) * STEP
        if self._covers:
            dreamt -= planes
            np.nan_to_num(dreamt, copy=False, posinf=0.0, neginf=0.0)
        return dreamt

    def _mean(
        self, runs: list[slice], mask: pixels.Mask | None, pool: ThreadPoolExecutor
    ) -> pixels.Planes:
        """The mean of the detail in each channel (3, 1), weighted by selection and opacity."""

        def add_up(run: slice) -> NDArray[np.float64]:
            raw = self._source[run].reshape(-1, self._layout.samples)
            detail = self._detail(run, pixels.read_colours(raw, self._layout))
            weights = np.ones(len(raw), np.float32)
            opacity = pixels.read_alpha(raw, self._layout)
            if opacity is not None:
                weights *= opacity
            for share in (mask, self._strength):
                if share is not None:
                    weights *= share[run].reshape(-1)
            detail *= weights
            return np.array([*detail.sum(axis=1), weights.sum()], np.float64)

        *sums, weight = np.sum(list(pool.map(add_up, runs)), axis=0)
        mean: pixels.Planes = np.array(sums)[:, None] / max(weight, 1e-9)
        return mean.astype(np.float32)

    def _noise(self, run: slice, recipe: Recipe) -> FloatPlane | float:
        """The dither noise (channels, pixels), added to a run before rounding to 8 bits.

        Within ±0.5, so that the mean of the rounded values is the unrounded value.
        """
        if not recipe.dither or self._layout.depth != "U8":
            return 0.0
        channels = 1 if self._layout.order in ("G", "GA") else 3
        width = self._layout.width
        random = np.random.default_rng((self._recipe.seed, run.start * width))
        noise = random.random((channels, len(self._source[run]) * width), np.float32)
        noise -= np.float32(0.5)
        noise *= np.float32(0.999)
        return noise


def _as_int16_steps(dreamt: StoredPlane) -> NDArray[np.int16]:
    """(1, 3, height, width) as (3, height, width) in steps of 1/32767; half floats are slow."""
    if dreamt.format == DETAIL_FORMAT:
        steps: NDArray[np.int16] = dreamt.storage[0].cpu().numpy()
        return steps
    storage = torch.empty(dreamt.shape, dtype=DETAIL_FORMAT.dtype)
    return _as_int16_steps(copy(dreamt, StoredPlane(storage, DETAIL_FORMAT)))


def _weight(share: FloatPlane, opacity: FloatPlane) -> FloatPlane:
    """The visible weight of an opaque picture mixed by `share` into one of this opacity.

    Colours are mixed by coverage: share / (share + opacity · (1 − share)).
    """
    covered = np.maximum(share + opacity * (1 - share), 1e-9)
    return np.divide(share, covered, dtype=np.float32)
