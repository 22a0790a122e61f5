"""Answers with whatever text: they can be packed, and the daemon outlives them."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlayer.server.jobs.error_text import sentence
from dreamlayer.server.transport.mailbox import Outgoing
from dreamlayer.server.transport.packing import TEXT_MAX, packed
from dreamlink.client.client import Client
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import State
from dreamlink.wire.messages import HEADER_MAX, pack, unpack
from tests.server.daemons import Daemon, ask, finish, receive, start_dream
from tests.server.peers import peer

LOOP: list[Any] = []
LOOP.append(LOOP)


class Number:
    """A number as numpy's and torch's are."""

    def item(self) -> float:
        return 2.5


class Mute:
    """What can't even be shown."""

    def __str__(self) -> str:
        raise KeyError("text")


def sent(header: dict[str, Any], *frames: bytes) -> dict[str, Any]:
    """The header as the client gets it."""
    answer = packed(Outgoing(peer("a"), header, frames))
    assert len(answer.frames[0]) <= HEADER_MAX
    return unpack(answer.frames[0])


def test_file_names_that_are_no_text_are_escaped() -> None:
    header = {"op": "error", "id": "1", "text": "There is no caf\udce9.png."}
    assert sent(header) == {**header, "text": r"There is no caf\udce9.png."}
    assert unpack(pack({"op": "layers", "model": "caf\udce9"}))["model"] == r"caf\udce9"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"caf\xe9", r"caf\xe9"), (Number(), 2.5), ({"b"}, ["b"]), (1 << 70, str(1 << 70)),
        ({b"a": 2.0}, {"a": 2.0}), ("x" * 10_000_000, "x" * TEXT_MAX),
        ("\udce9" * 10_000_000, r"\udce9" * TEXT_MAX), (ValueError("caf\udce9"), r"caf\udce9"),
    ],
    ids=lambda value: f"{value!r:.20}",
)  # fmt: skip
def test_odd_values_are_sent_as_something_like_them(value: Any, expected: Any) -> None:
    assert sent({"op": "error", "id": "1", "text": value})["text"] == expected


@pytest.mark.parametrize(
    "value",
    [Mute(), [Mute()], {Mute(): 1}, ["x" * 3000] * 1000],
    ids=["mute", "list of mute", "name that is mute", "long list"],
)
def test_what_can_not_be_sent_is_an_error_with_the_id(value: Any) -> None:
    answer = sent({"op": "done", "id": "7", "notes": value}, b"pixels")
    assert (answer["op"], answer["id"]) == ("error", "7")
    assert "log" in answer["text"]


def test_a_list_in_itself_is_sent_as_far_as_it_goes() -> None:
    assert sent({"op": "done", "id": "7", "notes": LOOP})["op"] == "done"


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary()
    | st.text(st.characters(codec=None, categories=("L", "Cs", "Cc"))),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
))  # fmt: skip
def test_any_value_can_be_packed(value: object) -> None:
    answer = sent({"op": "error", "id": "1", "text": value})
    assert (answer["op"], answer["id"]) == ("error", "1")


def test_any_error_has_a_sentence() -> None:
    class Silent(ValueError):
        def __str__(self) -> str:
            raise SystemExit

    class Unexpected(RuntimeError):
        def __str__(self) -> str:
            raise SystemExit

    assert "Silent" in sentence(Silent(), "the log")
    assert "Unexpected" in sentence(Unexpected(), "the log")
    assert len(sentence(ValueError("x" * 10_000_000), "the log")) <= TEXT_MAX


# The daemon.


@pytest.mark.parametrize("trouble", [906, 907, 908, 909, 910])
def test_the_daemon_outlives_any_error(client: Client, trouble: int) -> None:
    failed = start_dream(client, trouble)
    finish(client, failed)
    assert failed.state is State.FAILED
    assert 0 < len(failed.text) <= TEXT_MAX
    dream = start_dream(client, 1)
    finish(client, dream)
    assert dream.state is State.DONE


def test_blends_and_questions_outlive_any_error(client: Client) -> None:
    dream = start_dream(client, 1)
    finish(client, dream)
    recipe = Recipe.of(dream.report["recipe"])
    for strength, state in ((0.75, State.FAILED), (0.5, State.DONE)):
        blend = dream.blend(replace(recipe, strength=strength))
        while not blend.over:
            blend.receive(*receive(client))
        assert blend.state is state
    assert ask(client, "layers", model="silent")["op"] == "error"
    assert ask(client, "layers", model="fake")["op"] == "layers"
    assert "udce9" in ask(client, "layers", model="caf\udce9")["text"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are texts")
def test_a_folder_whose_name_is_no_text_ends_no_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / os.fsdecode(b"caf\xe9")
    monkeypatch.setenv("DREAMLAYER_HOME", str(home))
    daemon = Daemon(home)
    try:
        with contextlib.closing(daemon.connect()) as client:
            failed = start_dream(client, 903)  # the answer says where the log is
            finish(client, failed)
            assert r"caf\udce9" in failed.text
            assert ask(client, "status")["failed"] == 1
    finally:
        daemon.kill()
