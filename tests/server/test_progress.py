"""How often progress is reported, and the estimated time left. The tests control the clock."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from dreamlayer.server.jobs.progress import Reporter
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest, Frame, Header


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Listener:
    """A reporter, its clock and the messages that it sent."""

    def __init__(self, preview: int = 0, share: float = 0.1) -> None:
        picture = Picture(8, 8)
        request = DreamRequest(Recipe.of({}), picture, picture.region, preview=preview)
        self.clock = Clock()
        self.sent: list[tuple[float, Header, Sequence[Frame]]] = []
        self.reporter = Reporter(request, self._send, self.clock, share)
        self.preview_cost = self.live_cost = 0.0

    def _send(self, header: Header, frames: Sequence[Frame]) -> None:
        self.sent.append((self.clock.now, header, frames))

    def report(
        self, fraction: float, text: str | None = None, look: bool = False, live: bool = False
    ) -> None:
        progress: Any = SimpleNamespace(
            fraction=fraction,
            text=text,
            octave=1,
            octaves=4,
            step=2,
            steps=10,
            preview=self._draw,
            look=look,
            live=self._lay if live else None,
        )
        for _ in range(1 if look else 2):  # a pausing dream reports the same progress again
            self.reporter.report(progress)

    def _draw(self, side: int) -> tuple[Picture, bytes]:
        self.clock.now += self.preview_cost
        return Picture(side, 1, "U8", "RGB"), bytes(3 * side)

    def _lay(self) -> bytes:
        self.clock.now += self.live_cost
        return b"live"

    def run(self, seconds: float, tiles: int) -> None:
        for tile in range(tiles):
            self.report(tile / tiles)
            self.clock.now += seconds / tiles

    @property
    def previews(self) -> list[float]:
        return [now for now, header, frames in self.sent if frames and "preview" in header]

    @property
    def live(self) -> list[Header]:
        return [header for _now, header, frames in self.sent if frames == [b"live"]]


def test_progress_is_reported_at_most_ten_times_a_second() -> None:
    listener = Listener()
    listener.run(seconds=10.0, tiles=5000)
    assert 90 <= len(listener.sent) <= 101


def test_every_tile_is_reported_when_they_are_slow() -> None:
    listener = Listener()
    listener.run(seconds=10.0, tiles=20)
    assert len(listener.sent) == 20


def test_previews_are_sent_at_most_three_times_a_second() -> None:
    listener = Listener(preview=16)
    listener.run(seconds=10.0, tiles=1000)
    assert 25 <= len(listener.previews) <= 31
    assert len(listener.sent) > 80
    _now, header, frames = listener.sent[0]
    assert Picture.of(header["preview"]).nbytes == len(frames[0]) == 48


def test_previews_that_are_slow_to_make_become_rare() -> None:
    listener = Listener(preview=16)
    listener.preview_cost = 0.5
    listener.run(seconds=20.0, tiles=1000)
    assert len(listener.previews) <= 6


def test_previews_stay_within_their_share_of_the_time() -> None:
    listeners = [Listener(preview=16, share=share) for share in (0.0, 0.05, 0.5)]
    for listener in listeners:
        listener.preview_cost = 0.5
        listener.run(seconds=20.0, tiles=1000)
    counts = [len(listener.previews) for listener in listeners]
    assert counts[0] == 0
    assert 1 <= counts[1] <= 3
    assert counts[2] >= 15


def test_no_preview_is_made_unless_requested() -> None:
    listener = Listener()
    listener.preview_cost = 1000.0
    listener.run(seconds=5.0, tiles=100)
    assert listener.previews == []
    assert listener.clock.now < 200


def test_a_new_text_is_sent_at_once_without_steps() -> None:
    listener = Listener()
    listener.report(0.0, "Loading the network…")
    listener.report(0.0, "Measuring…")
    listener.report(0.0, "Measuring…")
    texts = [header["text"] for _now, header, _frames in listener.sent]
    assert texts == ["Loading the network…", "Measuring…"]
    assert "octave" not in listener.sent[0][1]


def test_the_time_left_is_sent_once_it_can_be_estimated() -> None:
    listener = Listener()
    listener.report(0.0, "Loading the network…")
    listener.clock.now += 60.0  # loading must not affect the estimate
    listener.run(seconds=10.0, tiles=100)
    remaining = [header.get("remaining") for _now, header, _frames in listener.sent]
    assert remaining[:5] == [None] * 5
    for now, header, _frames in listener.sent[20:]:
        assert header["remaining"] == pytest.approx(170.0 - now, abs=0.2)


def test_the_fraction_stays_between_0_and_1() -> None:
    listener = Listener()
    for fraction in (-0.1, 1.2):
        listener.report(fraction)
        listener.clock.now += 1.0
    assert [header["fraction"] for _now, header, _frames in listener.sent] == [0.0, 1.0]


def test_a_quick_look_is_sent_at_once_with_a_preview() -> None:
    listener = Listener(preview=64)
    listener.report(0.0, "Taking a quick look…")
    for fraction in (0.1, 0.2):
        listener.clock.now += 0.01
        listener.report(fraction, "Looking closer…", look=True)
    assert [len(frames) for _now, _header, frames in listener.sent] == [1, 1, 1]


def test_live_pixels_are_sent_at_once_and_only_once() -> None:
    listener = Listener(preview=16)
    listener.report(0.1)
    listener.clock.now += 0.001
    listener.report(0.2, live=True)
    assert [header["live"] for header in listener.live] == [True]
    assert listener.live[0]["fraction"] == 0.2
    assert listener.live[0]["octave"] == 1
    assert "preview" not in listener.live[0]
    assert "live" not in listener.sent[0][1]


def test_the_first_live_pixels_are_always_sent_later_ones_if_there_is_time() -> None:
    counts = []
    for share in (0.0, 0.1, 0.9):
        listener = Listener(share=share)
        listener.live_cost = 0.5
        for _octave in range(4):
            listener.clock.now += 1.0
            listener.report(0.5, live=True)
        counts.append(len(listener.live))
    assert counts == [0, 1, 4]


def test_a_quick_look_is_sent_as_preview_and_as_live_pixels() -> None:
    listener = Listener(preview=64)
    listener.clock.now += 1.0
    listener.report(0.1, "Looking closer…", look=True, live=True)
    assert len(listener.live) == 1
    assert len(listener.previews) >= 1
