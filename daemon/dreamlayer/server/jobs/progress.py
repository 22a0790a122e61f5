"""Progress messages: frequent enough for a smooth display, rare enough to cost little."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from dreamlayer.studio.progress import Progress
from dreamlink.wire.messages import DreamRequest, Frame, Header

INTERVAL = 0.1  # seconds between two messages
PREVIEW_INTERVAL = 1 / 3  # seconds between two previews …
PREVIEW_SHARE = 0.1  # … and the largest share of the time that is spent on making them
ESTIMATE_AFTER = 1.0  # seconds of work after which the remaining time is estimated

Send = Callable[[Header, Sequence[Frame]], None]


class Reporter:
    """Turns the studio's progress after every tile into progress messages for the client."""

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
        self._shown: Progress | None = None  # whose live pixels were sent last
        self._live_cost = self._live_spent = 0.0  # seconds for the last live pixels, and for all

    def report(self, progress: Progress) -> None:
        """Send a message if one is due, with a preview or live pixels if those are."""
        now = self._clock()
        if progress.text is None and self._began is None:
            self._began = now, progress.fraction
        news = progress.text is not None and progress.text != self._text
        self._text = progress.text
        news |= progress.look
        if self._live_due(progress, now):
            self._send_live(progress, now)
        if now < self._next_message and not news:
            return
        self._next_message = now + INTERVAL
        header = self._header(progress, now)
        self._send(header, self._preview(progress, now, header))

    def _live_due(self, progress: Progress, now: float) -> bool:
        """Whether to make live pixels: once for each progress, and within the share of the time.

        The first ones are always made, to measure what they cost.
        """
        if progress.live is None or progress is self._shown or not self._preview_share:
            return False
        spent = self._live_spent + self._live_cost
        return spent <= self._preview_share * (now - self._started)

    def _send_live(self, progress: Progress, now: float) -> None:
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
        """Seconds left at the average speed since the first tile; None if that is unknown."""
        if self._began is None:
            return None
        spent, worked = now - self._began[0], fraction - self._began[1]
        if spent < ESTIMATE_AFTER or worked <= 0:
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
