"""Live pixels: in the layout of the result, and dropped rather than queued."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from dreamlink.client.client import Client
from dreamlink.session.dream import Dream, State
from tests.server.daemons import Daemon, ask, receive, start_dream, wait_until

TILES = 40


def shown(client: Client, dream: Dream) -> list[bytes]:
    """All pixels so far of a dream that is read to its end."""
    seen = []
    while not dream.over:
        header, frames = receive(client)
        dream.receive(header, frames)
        if header.get("live") is True:
            assert dream.live == frames[0]
            seen.append(bytes(frames[0]))
    assert dream.state is State.DONE, dream.text
    return seen


def test_live_pixels_have_the_size_of_the_result(client: Client) -> None:
    dream = start_dream(client, 4, live=True)
    seen = shown(client, dream)
    assert 1 <= len(seen) <= 3
    done = [data[0] for data in seen]
    assert done == sorted(set(done))
    assert seen == [bytes([tiles]) * dream.request.result.nbytes for tiles in done]


def test_live_pixels_are_sent_on_request_only(client: Client) -> None:
    dream = start_dream(client, 4)
    assert shown(client, dream) == []
    assert dream.live is None


def test_live_pixels_are_dropped_for_a_client_that_does_not_read(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMLAYER_PREVIEW_SHARE", "100")
    daemon = Daemon(home)
    try:
        with (
            contextlib.closing(daemon.connect()) as slow,
            contextlib.closing(daemon.connect()) as other,
        ):
            dream = start_dream(slow, TILES, side=2000, live=True)  # 12 MB each
            while slow.wants_to_write:
                slow.flush()
            wait_until(lambda: ask(other, "status")["done"] == 1)
            assert 1 <= len(shown(slow, dream)) <= 8
            wait_until(lambda: len(shown(slow, start_dream(slow, 4, side=2000, live=True))) > 0)
    finally:
        daemon.kill()
