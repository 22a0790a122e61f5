"""Finished dreams are blended again at once, as long as they are kept."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dreamlayer.server.jobs.blender import FORGOTTEN, KEPT_MAX, WAITING_MAX, Blender
from dreamlayer.server.transport.principal import LOCAL_USER
from dreamlink.client.client import Client
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Blend, Dream, State
from dreamlink.wire.messages import BlendRequest, DreamRequest, MessageError, new_id
from tests.server.daemons import SOON, Daemon, ask, finish, receive, start_dream, wait_until
from tests.server.peers import GUEST, OTHER_GUEST, peer


def dreamed(client: Client, **more: Any) -> Dream:
    dream = start_dream(client, 1, **more)
    finish(client, dream)
    assert dream.state is State.DONE
    return dream


def await_blend(client: Client, *blends: Blend) -> None:
    while not all(blend.over for blend in blends):
        message = receive(client)
        for blend in blends:
            blend.receive(*message)


def test_a_finished_dream_can_be_blended_repeatedly(client: Client) -> None:
    dream = dreamed(client)
    recipe = Recipe.of(dream.report["recipe"])
    for strength in (0.5, 1.5, 0.5):
        blend = dream.blend(replace(recipe, strength=strength))
        await_blend(client, blend)
        assert blend.state is State.DONE
        assert blend.pixels == bytes([round(strength * 100)]) * dream.request.result.nbytes
        assert blend.report["recipe"]["strength"] == strength
        assert blend.report["seconds"] < 1.0


def test_blends_and_status_do_not_wait_for_the_dream_that_computes(client: Client) -> None:
    first = dreamed(client)
    running = start_dream(client, 800)
    finish(client, running, lambda d: d.state is State.RUNNING)
    began = time.monotonic()
    blend = first.blend(replace(first.request.recipe, feather=100.0))
    assert ask(client, "status")["jobs"][0]["state"] == "running"
    assert not blend.over
    assert time.monotonic() - began < 0.9  # before the blend, which takes a second here
    await_blend(client, blend)
    assert blend.state is State.DONE
    assert not running.over
    running.cancel()
    finish(client, running)


def test_the_newest_blend_replaces_those_that_have_not_begun(client: Client) -> None:
    dream = dreamed(client)
    slow = replace(dream.request.recipe, feather=40.0)
    blends = [dream.blend(replace(slow, strength=number / 10)) for number in range(5)]
    answered = []
    while not blends[-1].over:
        header, frames = receive(client)
        answered += [b.request.id for b in blends if b.request.id == header["id"]]
        assert any(blend.receive(header, frames) for blend in blends)
    assert len(answered) == len(set(answered)) == 5
    states = [blend.state for blend in blends]
    assert states[-1] is State.DONE
    assert states.count(State.CANCELLED) >= 3  # the first may have begun, or one of the next
    assert blends[-1].pixels is not None
    assert blends[-1].pixels[0] == 40


def test_another_clients_or_an_unknown_dream_is_not_blended(client: Client, daemon: Daemon) -> None:
    dream = dreamed(client)
    with contextlib.closing(daemon.connect()) as other:
        recipe = dream.request.recipe.to_dict()
        assert ask(other, "blend", of=dream.request.id, recipe=recipe)["text"] == FORGOTTEN
        assert ask(other, "blend", of=new_id(), recipe=recipe)["text"] == FORGOTTEN


def test_a_change_that_needs_a_new_dream_is_refused_and_the_dream_is_kept(client: Client) -> None:
    dream = dreamed(client)
    refused = dream.blend(replace(dream.request.recipe, steps=11))
    await_blend(client, refused)
    assert refused.state is State.FAILED
    assert "dreaming again" in refused.text
    again = dream.blend(dream.request.recipe)
    await_blend(client, again)
    assert again.state is State.DONE


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "recipe"),
        ({"recipe": {}}, "id of a dream"),
        ({"recipe": {}, "of": 5}, "of has an invalid value"),
        ({"recipe": {"strength": 9}, "of": "x"}, "strength"),
        ({"recipe": {"power": 9}, "of": "x"}, "power"),
        ({"recipe": "bold", "of": "x"}, "recipe"),
    ],
)
def test_an_invalid_blend_is_refused(client: Client, fields: dict[str, Any], words: str) -> None:
    answer = ask(client, "blend", **fields)
    assert answer["op"] == "error"
    assert words in answer["text"]


def test_the_least_recently_used_dreams_are_dropped(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMLAYER_KEEP_MEMORY", "4")
    daemon = Daemon(home)
    try:
        with contextlib.closing(daemon.connect()) as client:
            first, second = (dreamed(client, side=700) for _ in range(2))  # 1.4 MiB each
            await_blend(client, first.blend(first.request.recipe))
            third = dreamed(client, side=700)
            blends = [dream.blend(dream.request.recipe) for dream in (first, second, third)]
            await_blend(client, *blends)
            states = [blend.state for blend in blends]
            assert states == [State.DONE, State.FAILED, State.DONE]
            assert blends[1].text == FORGOTTEN
            large = dreamed(client, side=1200)  # 4.1 MiB
            blend = large.blend(large.request.recipe)
            await_blend(client, blend)
            assert blend.text == FORGOTTEN
            still = first.blend(first.request.recipe)
            await_blend(client, still)
            assert still.state is State.DONE
    finally:
        daemon.kill()


# Going on from a kept dream.


def test_a_frame_starts_from_the_one_before(client: Client) -> None:
    first = dreamed(client)
    assert first.notes == []
    second = dreamed(client, after=first.request.id, carry=0.5)
    assert second.notes == ["It went on from another."]
    last = start_dream(client, 3)  # both are asked for before the first of them is done
    following = start_dream(client, 1, after=last.request.id, carry=0.5)
    both = (last, following)
    while not all(dream.over for dream in both):
        message = receive(client)
        for dream in both:
            dream.receive(*message)
    assert following.notes == ["It went on from another."]


def test_a_frame_without_the_one_before_is_dreamed_with_a_note(
    client: Client, daemon: Daemon
) -> None:
    with contextlib.closing(daemon.connect()) as other:
        theirs = dreamed(other)
        for after in (theirs.request.id, new_id()):
            alone = dreamed(client, after=after, carry=0.5)
            assert [note for note in alone.notes if "no longer kept" in note] == alone.notes
            assert len(alone.notes) == 1
    assert dreamed(client, after=new_id(), carry=0.0).notes == []


def test_starting_from_a_dream_counts_as_using_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMLAYER_KEEP_MEMORY", "4")
    daemon = Daemon(home)
    try:
        with contextlib.closing(daemon.connect()) as client:
            first, second = (dreamed(client, side=700) for _ in range(2))  # 1.4 MiB each
            dreamed(client, side=700, after=first.request.id, carry=0.5)
            blends = [dream.blend(dream.request.recipe) for dream in (first, second)]
            await_blend(client, *blends)
            assert [blend.state for blend in blends] == [State.DONE, State.FAILED]
    finally:
        daemon.kill()


def test_the_number_of_kept_dreams_is_limited() -> None:
    blender = Blender(lambda message: None, "the log", 1 << 30)
    for number in range(KEPT_MAX + 44):
        blender.keep(peer("a"), str(number), SimpleNamespace(nbytes=12))  # type: ignore[arg-type]
    assert blender.status(LOCAL_USER)["kept"] == KEPT_MAX
    blender.end()
    assert blender.join(SOON)


def test_kept_dreams_of_a_guest_take_no_room_of_others() -> None:
    blender = Blender(lambda message: None, "the log", 4000)
    overlay = SimpleNamespace(nbytes=400)
    for number in range(9):
        for who in (peer("g", GUEST), peer("a"), peer("o", OTHER_GUEST)):
            blender.keep(who, str(number), overlay)  # type: ignore[arg-type]
    kept = [blender.status(who)["kept"] for who in (LOCAL_USER, GUEST, OTHER_GUEST)]
    assert kept == [9 + 2 + 2, 2, 2]
    assert blender.kept(peer("g", GUEST), "8") is overlay
    blender.attach(peer("thief", OTHER_GUEST), "8")
    assert blender.kept(peer("a"), "8") is overlay
    assert blender.kept(peer("thief", OTHER_GUEST), "8") is overlay  # its own
    assert blender.kept(peer("g", GUEST), "8") is overlay
    blender.end()
    assert blender.join(SOON)


def test_blends_that_wait_are_limited_by_principal_and_take_turns() -> None:
    blended: list[str] = []
    go = threading.Event()

    def blend(_recipe: Recipe) -> bytes:
        go.wait(SOON)
        return b""

    blender = Blender(lambda message: blended.append(message.header["id"]), "the log", 1 << 30)
    overlay: Any = SimpleNamespace(nbytes=1, blend=blend)
    guest, mine = peer("g", GUEST), peer("a")
    for who in (guest, mine):
        blender.keep(who, "x", overlay)
    blender.submit(guest, BlendRequest("x", Recipe(), "first"))
    wait_until(lambda: not len(blender._queue))
    for number in range(WAITING_MAX // 4):
        blender.submit(guest, BlendRequest(str(number), Recipe(), f"g{number}"))
    with pytest.raises(MessageError, match="Too many"):
        blender.submit(guest, BlendRequest("more", Recipe()))
    blender.submit(mine, BlendRequest("x", Recipe(), "mine"))
    go.set()
    wait_until(lambda: "mine" in blended)
    assert blended.index("mine") <= 2
    blender.end()
    assert blender.join(SOON)


def test_the_dreams_of_a_disconnected_client_are_dropped(own_daemon: Daemon) -> None:
    with contextlib.closing(own_daemon.connect()) as client:
        dream = dreamed(client)
        with contextlib.closing(own_daemon.connect()) as other:
            dreamed(other)
            dreamed(other)
            assert ask(client, "status")["kept"] == 3
        wait_until(lambda: ask(client, "status")["kept"] == 1)
        with contextlib.closing(own_daemon.connect()) as next_one:  # gets the other's number
            dreamed(next_one)
            blend = dream.blend(dream.request.recipe)
            await_blend(client, blend)
            assert blend.state is State.DONE
            assert ask(client, "status")["kept"] == 2


def test_a_real_dream_is_blended_to_the_same_bytes_even_during_another_dream(
    home: Path,
) -> None:
    daemon = Daemon(home, program=[sys.executable, "-m", "dreamlayer", "serve"])
    picture = Picture(160, 120)
    pixels = os.urandom(picture.nbytes)
    recipe = Recipe(layer="features.3", octaves=1, steps=1, colour="source", dither=True)
    try:
        with contextlib.closing(daemon.connect()) as client:
            while ask(client, "status")["device"] is None:  # PyTorch is being loaded
                time.sleep(0.2)
            dream = Dream(client, DreamRequest(recipe, picture, picture.region), pixels)
            finish(client, dream)
            assert dream.state is State.DONE, dream.text
            recipe = Recipe.of(dream.report["recipe"])
            endless = DreamRequest(replace(recipe, octaves=4, steps=500), picture, picture.region)
            running = Dream(client, endless, pixels)
            finish(client, running, lambda d: d.state is State.RUNNING)
            blends = []
            for strength in (1.0, 0.0):
                blends.append(dream.blend(replace(recipe, strength=strength)))
                await_blend(client, blends[-1])
            assert ask(client, "status")["jobs"][0]["state"] == "running"
            assert [blend.pixels for blend in blends] == [dream.pixels, pixels]
            assert dream.pixels != pixels
    finally:
        daemon.kill()
