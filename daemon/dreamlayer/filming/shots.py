"""The shots of a film: each is dreamed from its own first frame, so by itself if need be.

A cut is found where a frame differs from the one before far more than its neighbours do: then all
of the picture changes at once, and not before or after. A pan changes every frame, and a flash two
differences in a row, so neither is a cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamlayer.files.opening import FileError
from dreamlayer.files.reading import ImageFile, eight_bits, on_white

SIDE = 48  # px of the copies that are compared, across and down
CHANGED = 15  # levels of 255; at a cut frames differ by more, in the mean over the copy
TIMES = 2.5  # as much as the larger of the differences before and after


@dataclass(frozen=True)
class FilmShot:
    """Frames that go on from each other; numbers count from 1."""

    number: int
    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1


def look_through(frames: Iterable[ImageFile], seen: Callable[[int], None]) -> tuple[int, list[int]]:
    """How many frames there are, and the first frames of new shots; `seen` gets each number."""
    differences: list[float] = []
    before: NDArray[np.float32] | None = None
    count = 0
    for count, frame in enumerate(frames, start=1):
        small = _small(frame)
        if before is not None:
            differences.append(float(np.abs(small - before).mean()))
        before = small
        seen(count)
    return count, cuts(differences)


def cuts(differences: Sequence[float]) -> list[int]:
    """The first frames of new shots.

    `differences`: of frames 2, 3, … from the ones before, in levels of 255.
    """
    found = []
    for place, difference in enumerate(differences):
        beside = [*differences[max(0, place - 1) : place], *differences[place + 1 : place + 2]]
        if difference > CHANGED and difference > TIMES * max(beside, default=0.0):
            found.append(place + 2)
    return found


def shots_of(count: int, starts: Iterable[int]) -> list[FilmShot]:
    """The shots of a film of `count` frames, of which these others begin shots, too.

    Raises FileError: a shot would begin where there is no frame.
    """
    begins = sorted({1, *starts})
    if begins[0] < 1 or begins[-1] > count:
        raise FileError(
            f"The film has frames 1 to {count}, so no shot can begin at {begins[-1]}: correct"
            " --cuts."
        )
    ends = [begin - 1 for begin in begins[1:]] + [count]
    return [
        FilmShot(number, first, last)
        for number, (first, last) in enumerate(zip(begins, ends, strict=True), start=1)
    ]


def _small(frame: ImageFile) -> NDArray[np.float32]:
    whole = frame.crop((0, 0, *frame.size))
    image = on_white(eight_bits(whole)).convert("RGB")
    image = image.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2)
    return np.asarray(image, np.float32)
