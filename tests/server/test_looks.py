"""Looks of several recipes: a rough one of each first, one request of a client at a time."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import pytest

from dreamlink.client.client import Client
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import State
from dreamlink.wire.looks import LOOKS_SIDE, LookAnswer, LooksRequest
from dreamlink.wire.messages import Header
from tests.server.daemons import Daemon, ask, finish, receive, start_dream

LAYOUT = Picture(8, 6, "U8", "BGRA")
LONG = 400  # tiles


def start(client: Client, channels: Sequence[int], first: int = 3) -> LooksRequest:
    """Ask for looks; the numbers tell the fake studio what each of them does."""
    recipes = [Recipe.of({"layer": "features.3", "channels": str(each)}) for each in channels]
    request = LooksRequest.make(recipes, LAYOUT, LAYOUT.region)
    client.send(request.header(), bytes([first]) * LAYOUT.nbytes)
    return request


def answers(client: Client, request: LooksRequest) -> list[tuple[Header, list[bytearray]]]:
    """All answers to a request, up to the final one."""
    found = []
    while True:
        header, frames = receive(client)
        if header["id"] == request.id:
            found.append((header, frames))
            if header["op"] in ("looked", "cancelled", "error"):
                return found


def final(client: Client, *requests: LooksRequest) -> dict[str, str]:
    """The op of the last answer to each request."""
    ends: dict[str, str] = {}
    while len(ends) < len(requests):
        header, _ = receive(client)
        if header["op"] in ("looked", "cancelled", "error"):
            ends[header["id"]] = header["op"]
    return ends


def test_each_recipe_has_a_rough_look_before_any_is_complete(client: Client) -> None:
    request = start(client, [1] * 9, first=7)
    told = answers(client, request)
    assert told[0][0]["op"] == "queued"
    assert told[-1][0]["op"] == "looked" and told[-1][0]["seconds"] > 0
    looks = [LookAnswer.of(header, frames, 9) for header, frames in told if header["op"] == "look"]
    assert [(look.index, look.complete) for look in looks] == [
        (index, complete) for complete in (False, True) for index in range(9)
    ]
    layout = Picture(8, 6, "U8", "RGB")
    assert all(look.picture == (layout, bytes([7]) * layout.nbytes) for look in looks)


def test_one_that_can_t_be_dreamed_does_not_stop_the_others(client: Client) -> None:
    request = start(client, [1, 901, 908, 1])
    told = answers(client, request)
    looks = [LookAnswer.of(header, frames, 4) for header, frames in told if header["op"] == "look"]
    texts = {look.index: look.text for look in looks}
    assert texts[0] == texts[3] == ""
    assert "only 512 channels" in texts[1] and "failed unexpectedly" in texts[2]
    assert told[-1][0]["op"] == "looked"


def test_newer_looks_replace_those_under_way(client: Client) -> None:
    began = time.monotonic()
    requests = [start(client, [LONG]), start(client, [LONG]), start(client, [1])]
    ends = final(client, *requests)
    assert [ends[request.id] for request in requests] == ["cancelled", "cancelled", "looked"]
    assert time.monotonic() - began < 5.0


def test_cancelled_looks_end_at_once(client: Client) -> None:
    request = start(client, [1, LONG])
    while receive(client)[0]["op"] != "look":
        pass
    began = time.monotonic()
    client.send({"op": "cancel", "id": request.id})
    assert answers(client, request)[-1][0]["op"] == "cancelled"
    assert ask(client, "layers", model="fake")["op"] == "layers"  # the thread is free again
    assert time.monotonic() - began < 5.0
    assert ask(client, "status")["jobs"] == []


def test_looks_and_a_quick_look_leave_each_other_alone(client: Client) -> None:
    """The docker's quick look and the window of looks share a connection."""
    start(client, [60])
    quick = start_dream(client, 1, quick=True)
    ended = []
    while len(ended) < 2:
        header, frames = receive(client)
        quick.receive(header, frames)
        if header["op"] in ("looked", "done", "cancelled", "error"):
            ended.append(header["op"])
    assert ended == ["done", "looked"], "a quick dream waits for no looks"


def test_looks_go_before_a_dream_that_runs(client: Client) -> None:
    dream = start_dream(client, 800)
    finish(client, dream, lambda d: d.state is State.RUNNING)
    request = start(client, [1, 1])
    told = []
    while not told or told[-1] not in ("looked", "error"):
        header, frames = receive(client)
        if header["id"] == request.id:
            told.append(header["op"])
        else:
            dream.receive(header, frames)
    assert told.count("look") == 4 and not dream.over
    dream.cancel()
    finish(client, dream)
    assert dream.state is State.CANCELLED


def test_the_looks_of_who_leaves_end(daemon: Daemon, client: Client) -> None:
    other = daemon.connect()
    request = start(other, [LONG])
    other.send({"op": "cancel", "id": request.id})
    other.close()
    assert ask(client, "layers", model="fake")["op"] == "layers"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recipes": []}, "1 to 9 recipes"),
        ({"recipes": [{"steps": 0}]}, "steps must be between"),
        ({"picture": Picture(LOOKS_SIDE + 1, 8, "U8", "G").to_dict()}, "at most 384|don't fit"),
    ],
)
def test_a_bad_request_is_refused_by_its_header(
    client: Client, changes: Header, words: str
) -> None:
    request = LooksRequest.make([Recipe()], LAYOUT, LAYOUT.region)
    client.send({**request.header(), **changes}, bytes(LAYOUT.nbytes))
    header, _ = receive(client)
    assert header["op"] == "error" and re.search(words, header["text"])
    assert ask(client, "status")["op"] == "status"


def test_looks_without_pixels_are_an_error(client: Client) -> None:
    client.send(LooksRequest.make([Recipe()], LAYOUT, LAYOUT.region).header())
    assert "pixels don't fit" in receive(client)[0]["text"]
