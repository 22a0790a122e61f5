"""How far a film is, as one bar over the frames of all shots that are dreamed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from dreamlayer.cli.dreaming.bar import ProgressBar
from dreamlayer.filming.shooting import FilmOrder
from dreamlayer.filming.shots import FilmShot
from dreamlayer.studio.progress import Progress
from dreamlink.session.dream import duration


class FilmProgress:
    """The bar; a context manager."""

    def __init__(self, plan: FilmOrder, shots: Sequence[FilmShot]) -> None:
        self._plan = plan
        self._frames = [number for shot in shots for number in range(shot.first, shot.last + 1)]
        self._bar = ProgressBar(len(self._frames))
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

    def __enter__(self) -> FilmProgress:
        self._bar.show(0.0, "Loading PyTorch…")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.__exit__(kind, error, trace)
