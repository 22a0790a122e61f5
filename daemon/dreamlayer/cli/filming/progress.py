"""How far a film is, as one bar over the frames of all shots that are dreamed."""

from __future__ import annotations

import time
from collections.abc import Sequence

from dreamlayer.cli.dreaming.bar import ProgressBar
from dreamlayer.filming.shooting import FilmOrder
from dreamlayer.studio.progress import Progress
from dreamlink.session.dream import duration


class FilmProgress:
    """Shows on a bar how far the frames of some shots are; a unit of the bar is one frame."""

    def __init__(self, plan: FilmOrder, frames: Sequence[int], bar: ProgressBar) -> None:
        self._plan, self._frames, self._bar = plan, frames, bar
        self._dreamed: dict[int, float] = {}  # of each frame that is dreamed now, its fraction
        self._began = 0.0

    def watch(self, number: int, progress: Progress) -> None:
        """Show how far a frame is."""
        if not self._dreamed:
            self._began = time.monotonic()
        self._dreamed = {**dict.fromkeys(self._dreamed, 1.0), number: progress.fraction}
        place, fresh = self._frames.index(number), sum(self._dreamed.values())
        text = progress.text or "dreaming…"
        if fresh > 1.0:
            left = len(self._frames) - place - progress.fraction
            spent = time.monotonic() - self._began
            text = f"about {duration(spent / fresh * left)} left"
        self._bar.show(place + progress.fraction, f"Frame {number} of {self._plan.count}: {text}")
