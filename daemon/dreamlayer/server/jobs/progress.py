"""How far a dream is: told often enough to be lively, seldom enough to be cheap."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from dreamlayer.studio.progress import Progress
from dreamlink.wire.messages import DreamRequest, Frame, Header

INTERVAL = 0.1  # seconds between two messages
PREVIEW_INTERVAL = 1 / 3  # seconds between two previews …
PREVIEW_SHARE = 0.1  # … and no more of the time is spent on making them
GUESS_AFTER = 1.0  # seconds of work after which the remaining time can be told

Send = Callable[[Header, Sequence[Frame]], None]


class Reporter:
    """Turns the studio's progress at every tile into the client's progress messages."""

    def __init__(
        self,
        request: DreamRequest,
        send: Send,
        clock: Callable[[], float] = time.monotonic,
        preview_share: float = PREVIEW_SHARE,
    ) -> None:
        self._request = request
        self._preview_share = preview_share
        self._send = send
        self._clock = clock
        self._text: str | None = None
        self._next_message = self._next_preview = clock()
        self._began: tuple[float, float] | None = None  # time and fraction of the first tile
        self._started = clock()
        self._shown: Progress | None = None  # whose pixels so far were told
        self._live_cost = self._live_spent = 0.0  # seconds: for the last ones, and for all

    def tell(self, progress: Progress) -> None:
        now = self._clock()
        if progress.text is None and self._began is None:
            self._began = now, progress.fraction
        news = progress.text is not None and progress.text != self._text
        self._text = progress.text
        news |= progress.look
        if self._live_due(progress, now):
            self._tell_live(progress, now)
        if now < self._next_message and not news:
            return
        self._next_message = now + INTERVAL
        header = self._header(progress, now)
        self._send(header, self._preview(progress, now, header))

    def _live_due(self, progress: Progress, now: float) -> bool:
        """Whether to make the pixels so far: once, and within the share of the time.

        The first are made in any case: they tell what the next ones cost.
        """
        if progress.live is None or progress is self._shown or not self._preview_share:
            return False
        spent = self._live_spent + self._live_cost
        return spent <= self._preview_share * (now - self._started)

    def _tell_live(self, progress: Progress, now: float) -> None:
        assert progress.live is not None
        self._shown = progress
        header = self._header(progress, now) | {"live": True}
        pixels = progress.live()
        self._live_cost = self._clock() - now
        self._live_spent += self._live_cost
        self._next_message = now + INTERVAL
        self._send(header, [pixels])

    def _header(self, progress: Progress, now: float) -> Header:
        header: Header = {
            "op": "progress",
            "id": self._request.id,
            "fraction": min(1.0, max(0.0, float(progress.fraction))),
        }
        if progress.text is not None:
            header["text"] = progress.text
        else:
            header |= {
                "octave": progress.octave,
                "octaves": progress.octaves,
                "step": progress.step,
                "steps": progress.steps,
            }
            remaining = self._remaining(now, progress.fraction)
            if remaining is not None:
                header["remaining"] = remaining
        return header

    def _remaining(self, now: float, fraction: float) -> float | None:
        """Seconds left if the work goes on as it went since the first tile."""
        if self._began is None:
            return None
        spent, worked = now - self._began[0], fraction - self._began[1]
        if spent < GUESS_AFTER or worked <= 0:
            return None
        return round(spent * (1 - fraction) / worked, 1)

    def _preview(self, progress: Progress, now: float, header: Header) -> list[Frame]:
        wanted = self._request.preview and self._preview_share and progress.preview
        if not wanted or (now < self._next_preview and not progress.look):
            return []
        assert progress.preview is not None
        layout, pixels = progress.preview(self._request.preview)
        cost = self._clock() - now
        self._next_preview = now + max(PREVIEW_INTERVAL, cost / self._preview_share)
        header["preview"] = layout.to_dict()
        return [pixels]
