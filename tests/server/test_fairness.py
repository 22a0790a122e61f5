"""Several clients at once: short dreams do not wait for long ones, and none starves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dreamlink.client.client import Client
from dreamlink.session.dream import Dream, State
from tests.server.daemons import Daemon, ask, finish, receive, start_dream, wait_until


@pytest.fixture
def other(daemon: Daemon) -> Iterator[Client]:
    with contextlib.closing(daemon.connect()) as connection:
        yield connection


def running(client: Client, tiles: int) -> Dream:
    dream = start_dream(client, tiles)
    finish(client, dream, lambda d: d.state is State.RUNNING and d.fraction > 0)
    return dream


def end(client: Client, dream: Dream) -> None:
    dream.cancel()
    finish(client, dream)
    assert dream.state is State.CANCELLED


def test_a_quick_dream_overtakes_a_long_one_which_then_continues(
    client: Client, other: Client
) -> None:
    long = running(client, 60)
    assert ask(other, "status")["jobs"][0]["fraction"] < 1
    quick = start_dream(other, 5, quick=True)
    finish(other, quick)
    assert quick.state is State.DONE
    jobs = ask(other, "status")["jobs"]
    assert [(job["id"], job["state"]) for job in jobs] == [(long.request.id, "running")]
    finish(client, long)
    assert long.state is State.DONE
    assert long.pixels == bytearray(b"\1" * 192)


def test_a_quick_dream_of_the_same_client_overtakes_too(client: Client) -> None:
    long = running(client, 800)
    quick = start_dream(client, 2, quick=True)
    ended: list[str] = []
    while not quick.over:
        header, frames = receive(client)
        quick.receive(header, frames)
        if header["op"] == "done":
            ended.append(header["id"])
    assert ended == [quick.request.id]
    end(client, long)


def test_a_long_dream_progresses_although_quick_ones_never_end(
    client: Client, other: Client
) -> None:
    long = running(client, 12)
    quick = start_dream(other, 2, quick=True)
    while not long.over:
        message = client.receive(0.01)
        if message is not None:
            long.receive(*message)
        message = other.receive(0.01)
        if message is not None:
            quick.receive(*message)
        if quick.over:
            quick = start_dream(other, 2, quick=True)
    assert long.state is State.DONE
    finish(other, quick)
    assert quick.state is State.DONE


def test_the_newest_quick_dream_replaces_the_running_and_the_waiting_one(client: Client) -> None:
    looks = [start_dream(client, 800, quick=True)]
    finish(client, looks[0], lambda d: d.state is State.RUNNING)
    looks += [start_dream(client, tiles, quick=True) for tiles in (800, 800, 1)]
    while not all(look.over for look in looks):
        message = receive(client)
        for look in looks:
            look.receive(*message)
    states = [look.state for look in looks]
    assert states == [State.CANCELLED] * 3 + [State.DONE]


def test_two_clients_quick_dreams_leave_each_other_alone(client: Client, other: Client) -> None:
    first, second = (start_dream(c, 10, quick=True) for c in (client, other))
    finish(client, first)
    finish(other, second)
    assert (first.state, second.state) == (State.DONE, State.DONE)


def test_no_client_waits_for_all_dreams_of_another(client: Client, other: Client) -> None:
    pile = [start_dream(client, 10) for _ in range(8)]
    finish(client, pile[0], lambda d: d.state is State.RUNNING)
    single = start_dream(other, 1)
    header, _ = receive(other)
    assert (header["op"], header["ahead"]) == ("queued", 1)
    finish(other, single)
    assert single.state is State.DONE
    left = {job["id"] for job in ask(other, "status")["jobs"]}
    assert left >= {dream.request.id for dream in pile[2:]}
    for dream in pile:
        dream.cancel()
    ended = 0
    while ended < len(pile):
        ended += receive(client)[0]["op"] in ("done", "cancelled")


def test_cancel_is_answered_while_another_dream_computes(client: Client, other: Client) -> None:
    long = running(client, 800)
    waiting = start_dream(other, 1)
    end(other, waiting)
    quick = start_dream(other, 800, quick=True)
    finish(other, quick, lambda d: d.state is State.RUNNING)
    end(client, long)  # it is paused
    assert not quick.over
    end(other, quick)
    assert ask(client, "status")["jobs"] == []


def test_a_quick_dream_that_fails_harms_no_other(client: Client, other: Client) -> None:
    long = running(client, 800)
    quick = start_dream(other, 903, quick=True)
    finish(other, quick)
    assert quick.state is State.FAILED
    end(client, long)


def test_a_client_that_does_not_read_gets_no_more_dreams_until_it_does(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMLAYER_WAITING_MAX_CLIENT", "2")
    daemon = Daemon(home)
    with (
        contextlib.closing(daemon.connect()) as lazy,
        contextlib.closing(daemon.connect()) as asker,
    ):
        dreams = []
        for number in range(40):  # until sockets and libzmq hold no more of them
            dreams.append(start_dream(lazy, 1, side=1000))  # 3 MB each
            while lazy.wants_to_write:
                lazy.flush()
            wait_until(lambda: not ask(asker, "status")["jobs"])
            if number - ask(asker, "status")["done"] > 2:
                break
        while not all(dream.over for dream in dreams):
            answer = receive(lazy)
            for dream in dreams:
                dream.receive(*answer)
        refused = [dream.text for dream in dreams if dream.state is State.FAILED]
        assert 0 < len(refused) < len(dreams)
        assert all("waiting_max_client" in text for text in refused)
        again = start_dream(lazy, 1)
        finish(lazy, again)
        assert again.state is State.DONE
    daemon.kill()
