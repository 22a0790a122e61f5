"""The recipe's parameters as keywords: `dreamlayer dream --help` says what each does."""

from __future__ import annotations

from typing import TypedDict


class RecipeKeywords(TypedDict, total=False):
    """The same names, types and order as in the recipe's table, which a test compares."""

    model: str
    layer: str
    channels: str
    bind: str
    spread: str
    pooling: str
    start: str
    method: str
    contrast: float
    chroma: float
    size: float
    octaves: int
    octave_scale: float
    supersample: int
    steps: int
    step_size: float
    smooth: float
    conditioning: str
    calm_colours: float
    tv: float
    stay: float
    roll: bool
    wrap: bool
    noise: float
    noise_samples: int
    flow: bool
    tile: int
    context: int
    seed: int
    strength: float
    colour: str
    feather: float
    soft_clip: bool
    dither: bool
    zero_mean: bool
