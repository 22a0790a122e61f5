"""Where a dream is, as who dreams it tells the worker: the studio here, or another computer.

Imports no torch: the daemon's start has no time for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dreamlink.picture import Picture
from dreamlink.wire.messages import Frame


@dataclass(frozen=True)
class Progress:
    """Where a dream is. With `text` it is not in an octave yet, and octave and step are 0.

    `preview(side)` gives the region so far as U8 RGB, its longer side at most `side` pixels. In a
    quick `look` it is the result that is expected, laid over the picture as the recipe says.
    `live()` gives that at full size in the request's layout, when an octave or a look is done and
    it was asked for. Both are to be called before the dream goes on.
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
