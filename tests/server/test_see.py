"""Looks at pictures: answered between two tiles, one of a client at a time, and cancelled."""

from __future__ import annotations

import time

import pytest

from dreamlink.client.client import Client
from dreamlink.picture import Picture
from dreamlink.session.dream import State
from dreamlink.wire.seeing import SEE_MAX, Seen, SeeRequest
from tests.server.daemons import Daemon, ask, finish, receive, start_dream
from tests.server.fake_daemon import SEES_LONG, SEES_NOTHING

LAYOUT = Picture(8, 6, "U8", "RGB")


def start(client: Client, first: int = 3, count: int = 10) -> SeeRequest:
    request = SeeRequest(LAYOUT, LAYOUT.region, count=count)
    client.send(request.header(), bytes([first]) * LAYOUT.nbytes)
    return request


def test_what_is_seen_comes_with_its_heat_maps(client: Client) -> None:
    request = start(client, 9)
    header, frames = receive(client)
    assert (header["op"], header["id"]) == ("seen", request.id)
    assert header["seconds"] > 0
    seen = Seen.of(header, frames)
    assert seen.channels[0].address == "fake/features.9/7"
    assert seen.channels[0].heat == bytes([0, 255])


def test_it_is_answered_while_a_dream_computes(client: Client) -> None:
    dream = start_dream(client, 800)
    finish(client, dream, lambda d: d.state is State.RUNNING)
    request = start(client)
    header, frames = receive(client)
    while header["id"] != request.id:
        dream.receive(header, frames)
        header, frames = receive(client)
    assert header["op"] == "seen"
    dream.cancel()
    finish(client, dream)
    assert dream.state is State.CANCELLED


def test_a_newer_look_replaces_the_one_under_way(client: Client) -> None:
    began = time.monotonic()
    requests = [start(client, count=SEES_LONG), start(client, count=SEES_LONG), start(client)]
    answers = {header["id"]: header["op"] for header, _ in (receive(client) for _ in range(3))}
    assert [answers[request.id] for request in requests] == ["cancelled", "cancelled", "seen"]
    assert time.monotonic() - began < 5.0


def test_a_look_is_cancelled(client: Client) -> None:
    request = start(client, count=SEES_LONG)
    began = time.monotonic()
    client.send({"op": "cancel", "id": request.id})
    header, _ = receive(client)
    assert (header["op"], header["id"]) == ("cancelled", request.id)
    assert ask(client, "layers", model="fake")["op"] == "layers"  # the thread is free again
    assert time.monotonic() - began < 5.0


def test_who_leaves_blocks_nobody(daemon: Daemon, client: Client) -> None:
    """The look of a client that is gone ends with its time of grace at the latest."""
    other = daemon.connect()
    request = start(other, count=SEES_LONG)
    other.send({"op": "cancel", "id": request.id})
    other.close()
    assert ask(client, "layers", model="fake")["op"] == "layers"


def test_a_refusal_is_a_sentence(client: Client) -> None:
    start(client, count=SEES_NOTHING)
    header, _ = receive(client)
    assert (header["op"], header["text"]) == ("error", "Nothing is selected.")


@pytest.mark.parametrize(
    ("layout", "count", "words"),
    [
        (Picture(SEE_MAX + 1, 8, "U8", "G"), 10, "at most 2048 pixels"),
        (LAYOUT, 65, "count must be between"),
    ],
)
def test_a_bad_request_is_refused_by_its_header(
    client: Client, layout: Picture, count: int, words: str
) -> None:
    request = SeeRequest(layout, layout.region, count=count)
    client.send(request.header(), bytes(layout.nbytes))
    header, _ = receive(client)
    assert header["op"] == "error"
    assert words in header["text"]
    assert ask(client, "status")["op"] == "status"


def test_a_look_without_pixels_is_an_error(client: Client) -> None:
    header = SeeRequest(LAYOUT, LAYOUT.region).header()
    client.send(header)
    assert "pixels don't fit" in receive(client)[0]["text"]
