"""How far a dream is, as a studio tells the worker.

Imports no torch: the daemon answers its first client before torch is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dreamlink.picture import Picture
from dreamlink.wire.messages import Frame


@dataclass(frozen=True)
class Progress:
    """How far a dream is; octave and step count from 1.

    While there is a `text`, the dream is not in an octave, and octave and step are 0.

    `preview(side)` returns the region so far as U8 RGB, its longer side at most `side` pixels. In a
    quick `look` this is the expected result, laid over the picture as the recipe says.
    `live()` returns the same at full size in the request's layout, once an octave or a look is
    done, if the request asked for it. Both must be called before the dream goes on.
    """

    fraction: float
    text: str | None = None
    octave: int = 0
    octaves: int = 0
    step: int = 0
    steps: int = 0
    preview: Callable[[int], tuple[Picture, Frame]] | None = None
    look: bool = False
    live: Callable[[], Frame] | None = None


@dataclass(frozen=True)
class RecipeLook:
    """A look of one of several recipes, or why there is none.

    Attributes:
        index: of the recipe.
        complete: whether it is the last one of this recipe.
        picture: layout and pixels of the region with the dream laid over it, U8 RGB.
        error: what went wrong, in place of a picture.
    """

    index: int
    complete: bool
    picture: tuple[Picture, Frame] | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class LooksProgress:
    """How far several looks are: a tile further, or with one of them."""

    fraction: float
    look: RecipeLook | None = None
