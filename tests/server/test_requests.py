"""The daemon's answers to valid and invalid requests, all of which it survives."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dreamlayer.server.jobs.scheduler import FINISHING
from dreamlink.client.client import Client, LinkError, StaleDaemon, WrongVersion
from dreamlink.picture import Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import State
from dreamlink.wire.messages import HEADER_MAX, PROTOCOL, DreamRequest, Frame, new_id, pack
from dreamlink.wire.zmtp import Refused
from tests.server.daemons import (
    SLOW,
    SOON,
    Daemon,
    ask,
    finish,
    receive,
    start_dream,
    wait_until,
)


def test_a_dream_comes_back_with_its_pixels_and_figures(client: Client) -> None:
    picture = Picture(300, 200, "U16", "RGBA")
    pixels = os.urandom(picture.nbytes)
    request = DreamRequest(Recipe.of({"seed": 7}), picture, Region(3, 5, 20, 10), gain=True)
    header = request.header()
    client.send(header, pixels)
    answers = [receive(client)]
    while answers[-1][0]["op"] != "done":
        answers.append(receive(client))
    assert answers[0][0] == {"op": "queued", "id": request.id, "ahead": 0}
    report, frames = answers[-1]
    assert len(frames) == 1
    assert len(frames[0]) == 20 * 10 * 4 * 2
    assert bytes(frames[0]) == bytes((b + 1) % 256 for b in pixels[: len(frames[0])])
    assert report["seed"] == 7
    assert Recipe.of(report["recipe"]) == request.recipe
    assert report["seconds"] > 0
    assert (report["device"], report["megapixel_steps"], report["gain"]) == ("cpu", 0.5, 2.0)


def test_progress_and_previews_arrive_while_it_dreams(client: Client) -> None:
    dream = start_dream(client, 30, preview=16)
    finish(client, dream, lambda d: d.preview is not None and d.fraction > 0)
    assert "Octave 1 of 1, step" in dream.text
    assert dream.preview is not None
    assert dream.preview[0] == Picture(16, 1, "U8", "RGB")
    finish(client, dream)
    assert dream.state is State.DONE


def test_status_is_answered_at_once_while_a_dream_computes(client: Client, daemon: Daemon) -> None:
    before = ask(client, "status")
    dream = start_dream(client, 40)
    finish(client, dream, lambda d: d.state is State.RUNNING)
    began = time.monotonic()
    status = ask(client, "status")
    assert time.monotonic() - began < 1.0
    assert [job["state"] for job in status["jobs"]] == ["running"]
    assert status["jobs"][0]["id"] == dream.request.id
    assert (status["pid"], status["device"]) == (daemon.process.pid, "cpu")
    dream.cancel()
    finish(client, dream)
    assert dream.state is State.CANCELLED
    after = ask(client, "status")
    assert after["jobs"] == []
    assert after["cancelled"] == before["cancelled"] + 1
    assert after["done"] == before["done"]


def test_cancel_ends_a_running_dream_within_a_tile(client: Client) -> None:
    dream = start_dream(client, 800)  # 40 s
    finish(client, dream, lambda d: d.state is State.RUNNING)
    began = time.monotonic()
    dream.cancel()
    finish(client, dream)
    assert dream.state is State.CANCELLED
    assert time.monotonic() - began < 5.0


def test_dreams_are_computed_in_order_and_know_what_is_ahead(client: Client) -> None:
    dreams = [start_dream(client, 3) for _ in range(4)]
    dreams[2].cancel()
    queued: list[tuple[int, int]] = []
    ended: list[tuple[int, str]] = []
    while len(ended) < 4:
        header, _frames = receive(client)
        name = [d.request.id for d in dreams].index(header["id"])
        if header["op"] == "queued":
            queued.append((name, header["ahead"]))
        elif header["op"] != "progress":
            ended.append((name, header["op"]))
    assert queued == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert ended[0] == (2, "cancelled")  # it had not begun
    assert ended[1:] == [(0, "done"), (1, "done"), (3, "done")]


def test_only_its_own_client_cancels_a_dream(client: Client, daemon: Daemon) -> None:
    dream = start_dream(client, 10)
    with contextlib.closing(daemon.connect()) as other:
        other.send({"op": "cancel", "id": dream.request.id})
        assert ask(other, "status")["op"] == "status"  # it has been read
        finish(client, dream)
    assert dream.state is State.DONE


def test_an_id_in_use_is_refused_and_the_dream_goes_on(client: Client) -> None:
    dream = start_dream(client, 10)
    client.send(dream.request.header(), bytes(8 * 8 * 3))
    answers = [receive(client)]
    while answers[-1][0]["op"] != "done":
        answers.append(receive(client))
    errors = [header["text"] for header, _ in answers if header["op"] == "error"]
    assert len(errors) == 1
    assert "already in progress" in errors[0]


DREAM_THEN_WAIT = """
import time
from dreamlink.client.launch import connect_to_running
from tests.server.daemons import start_dream
client = connect_to_running()
dream = start_dream(client, 800)
print(dream.request.id, flush=True)
time.sleep(60)
"""


def test_a_killed_client_cancels_its_dream(client: Client, daemon: Daemon) -> None:
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "DREAMLAYER_HOME": str(daemon.home)}
    command = [sys.executable, "-c", DREAM_THEN_WAIT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as victim:
        assert victim.stdout is not None
        dream_id = victim.stdout.readline().strip()
        wait_until(lambda: dream_id in [job["id"] for job in ask(client, "status")["jobs"]])
        victim.kill()
    wait_until(lambda: not ask(client, "status")["jobs"])


def test_a_client_that_does_not_read_blocks_nobody_and_loses_nothing(
    client: Client, daemon: Daemon
) -> None:
    lazy = daemon.connect()
    with contextlib.closing(lazy):
        dreams = [start_dream(lazy, 1, side=800) for _ in range(16)]  # 2 MB each
        while lazy.wants_to_write:
            lazy.flush()
        wait_until(lambda: not ask(client, "status")["jobs"])
        other = start_dream(client, 1)
        finish(client, other)
        assert other.state is State.DONE
        for dream in dreams:
            finish(lazy, dream)
        assert {dream.state for dream in dreams} == {State.DONE}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (901, "This layer has only 512 channels, 0 to 511."),
        (902, "not enough memory"),
        (903, "KeyError"),
        (904, "not enough memory"),
    ],
)
def test_a_dream_that_fails_says_why_and_the_next_one_works(
    client: Client, daemon: Daemon, kind: int, words: str
) -> None:
    dream = start_dream(client, kind)
    finish(client, dream)
    assert dream.state is State.FAILED
    assert words in dream.text
    assert "Traceback" not in dream.text
    if kind != 901:
        assert "Traceback" in daemon.log.read_text()
    following = start_dream(client, 1)
    finish(client, following)
    assert following.state is State.DONE


def test_models_and_layers(client: Client) -> None:
    models = ask(client, "models")["models"]
    assert "squeezenet1_1" in [model["name"] for model in models]
    told = {"name", "title", "summary", "default_layer", "licence", "classes", "ready", "get"}
    assert set(models[0]) == told
    listed = ask(client, "layers", model="fake")
    assert listed["layers"] == [{"name": "features.0", "index": 0}]
    assert listed["kinds"] == [{"name": "things", "examples": ["cup"]}]
    assert ask(client, "layers", model="nix")["text"] == "There is no network 'nix'."


def test_layers_are_told_while_a_dream_computes(client: Client) -> None:
    dream = start_dream(client, 800)
    finish(client, dream, lambda d: d.state is State.RUNNING)
    assert ask(client, "layers", model="fake")["layers"]
    assert not dream.over
    dream.cancel()
    finish(client, dream)


# Bad requests.


@pytest.mark.parametrize(
    "frame",
    [b"", b"\xc1", b"\x00", os.urandom(1000), pack({"id": "x"}), b"\x91" * 5000, b"\x80",
     pack({"op": "status", "id": "x" * 101}), pack({"op": "status", "id": 7}),
     pack({"op": 5, "id": "x"}), bytes(HEADER_MAX + 1)],
    ids=["empty", "reserved", "number", "noise", "no op", "deep", "empty map", "long id",
         "number id", "number op", "too long"],
)  # fmt: skip
def test_an_unreadable_header_is_answered_with_an_error(client: Client, frame: bytes) -> None:
    client._dealer.send([frame])
    client.flush()
    header, frames = receive(client)
    assert (header["op"], header["id"], frames) == ("error", "", [])
    assert header["text"].endswith(".")
    assert ask(client, "status")["op"] == "status"


def test_unknown_requests_are_answered_with_an_error(client: Client) -> None:
    answer = ask(client, "dance")
    assert answer["op"] == "error"
    assert "dance" in answer["text"]


PICTURE = {"width": 8, "height": 8, "depth": "U8", "order": "RGB", "curve": "srgb"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipe": None}, "recipe"),
        ({"recipe": {"octaves": 99}}, "octaves"),
        ({"recipe": {"octave": 9}}, "octaves"),
        ({"recipe": {"seed": float("nan")}}, "seed"),
        ({"picture": {**PICTURE, "width": 0}}, "pixels wide"),
        ({"picture": {**PICTURE, "width": 1 << 40}}, "pixels wide"),
        ({"picture": {**PICTURE, "depth": "U32"}}, "depth"),
        ({"picture": {**PICTURE, "surprise": 1}}, "described"),
        ({"picture": 7}, "described"),
        ({"region": [0, 0, 9, 8]}, "outside"),
        ({"region": [0, 0, 0, 0]}, "outside"),
        ({"region": [1 << 60, 0, 1, 1]}, "whole numbers"),
        ({"region": "all"}, "whole numbers"),
        ({"mask": True}, "don't fit"),
        ({"mask": "yes"}, "mask"),
        ({"clip": True}, "alpha"),
        ({"preview": -1}, "preview"),
        ({"device": "x" * 200}, "device"),
    ],
)
def test_a_dream_that_makes_no_sense_is_refused(
    client: Client, change: dict[str, Any], words: str
) -> None:
    header = {"op": "dream", "recipe": {}, "picture": PICTURE, "region": [0, 0, 8, 8]}
    client.send({**header, **change, "id": "odd"}, bytes(8 * 8 * 3))
    answer, frames = receive(client)
    assert (answer["op"], answer["id"], frames) == ("error", "odd", [])
    assert words in answer["text"]


def test_too_few_and_too_many_pixels_are_refused(client: Client) -> None:
    for frames in ([], [bytes(191)], [bytes(193)], [bytes(192), bytes(64)]):
        client.send(
            {"op": "dream", "id": "x", "recipe": {}, "picture": PICTURE, "region": [0, 0, 8, 8]},
            *frames,
        )
        assert "don't fit" in receive(client)[0]["text"]


def test_an_absurdly_large_message_costs_only_its_sender_the_connection(
    client: Client, daemon: Daemon
) -> None:
    flood = daemon.connect()
    flood._dealer.outbox.append(memoryview(struct.pack(">BQ", 2, 9 << 30)))
    with contextlib.closing(flood), pytest.raises(LinkError, match="lost"):
        flood.flush()
        flood.receive(5.0)
    assert ask(client, "status")["op"] == "status"


# Greeting.


class Stranger(Client):
    """A client that sends what it likes."""

    def send(self, header: Mapping[str, Any], *frames: Frame) -> None:
        self._queue(header, *frames)


def test_hello_comes_first(daemon: Daemon) -> None:
    with contextlib.closing(Stranger(daemon.info)) as stranger:
        answer = ask(stranger, "status")
        assert answer["op"] == "error"
        assert "hello" in answer["text"]
        assert ask(stranger, "stop")["op"] == "error"
        assert ask(stranger, "hello", protocol=PROTOCOL)["op"] == "hello"
        assert ask(stranger, "status")["op"] == "status"


def test_another_protocol_is_told_ours_and_served_nothing(daemon: Daemon) -> None:
    with contextlib.closing(Stranger(daemon.info)) as stranger:
        answer = ask(stranger, "hello", protocol=99, version="9.9")
        assert (answer["op"], answer["protocol"]) == ("hello", PROTOCOL)
        assert f"protocol {PROTOCOL}" in ask(stranger, "status")["text"]


def test_a_client_of_another_protocol_says_what_to_do(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dreamlink.client.client.PROTOCOL", 99)
    with pytest.raises(WrongVersion, match=r"older than this program.*install\.py"):
        daemon.connect()


def test_a_wrong_token_is_refused(daemon: Daemon, client: Client) -> None:
    with pytest.raises(StaleDaemon) as refusal:
        Client.connect(replace(daemon.info, token=daemon.info.token[:-1]), SOON)
    causes = [refusal.value.__cause__]
    while causes[-1] is not None:
        causes.append(causes[-1].__cause__)
    assert any(isinstance(cause, Refused) for cause in causes)
    assert ask(client, "status")["op"] == "status"


def test_the_log_keeps_the_token_to_itself(daemon: Daemon, client: Client) -> None:
    dream = start_dream(client, 1)
    finish(client, dream)
    assert new_id() not in daemon.log.read_text()
    assert dream.request.id in daemon.log.read_text()
    assert daemon.info.token not in daemon.log.read_text()


def test_cancel_is_answered_within_a_tile_and_the_next_dream_is_told_why_it_waits(
    client: Client,
) -> None:
    dream = start_dream(client, SLOW)
    finish(client, dream, lambda d: d.state is State.RUNNING)  # the second tile takes 4 s
    began = time.monotonic()
    dream.cancel()
    finish(client, dream)
    assert dream.state is State.CANCELLED
    assert time.monotonic() - began < 1.0
    following, texts = start_dream(client, 1), []
    while not following.over:
        header, frames = receive(client)
        texts.append(header.get("text"))
        following.receive(header, frames)
    assert FINISHING in texts
    assert following.state is State.DONE
