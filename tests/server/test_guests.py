"""Security: what the holder of an allowed key can do to the local user and to other guests."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dreamlayer.server.config.address import Address
from dreamlayer.server.jobs.results import LOST
from dreamlayer.server.remote.link import RemoteLink, RemoteUnreachable
from dreamlayer.server.transport.auth import SPEAK_WITHIN
from dreamlayer.server.transport.backlog import BACKLOG_MAX
from dreamlayer.server.transport.keys import KeyPair
from dreamlink.client.client import Client, LinkError
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State
from dreamlink.wire.messages import DreamRequest, Header, new_id, pack
from tests.server.daemons import SLOW, SOON, ask, finish, receive, start_dream, wait_until
from tests.server.guests import MIB, Guest, ListeningDaemon, listening

LINUX = pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="only Linux tells how much a connection has received"
)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ListeningDaemon]:
    """A daemon for all of these tests, which must leave it alive."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("host") / "home"
        patch.setenv("DREAMLAYER_HOME", str(home))
        patch.setenv("DREAMLAYER_CONNECTIONS_MAX", "8")
        patch.setenv("DREAMLAYER_WAITING_MEMORY", "4")
        patch.setenv("DREAMLAYER_RESULTS_DISK", "8")
        patch.setenv("DREAMLAYER_GRACE", "0.2")
        with listening(home) as daemon:
            yield daemon
            assert daemon.process.poll() is None, daemon.log.read_text()


@pytest.fixture
def user(host: ListeningDaemon) -> Iterator[Client]:
    """A program of the local user. Nothing that others do makes it wait for long."""
    with contextlib.closing(host.connect()) as client:
        wait_until(lambda: ask(client, "status")["connections"] == 1)
        yield client


@pytest.fixture
def guest(host: ListeningDaemon, user: Client) -> Iterator[Guest]:
    with Guest(host, host.guest) as program:
        yield program


@pytest.fixture
def other_guest(host: ListeningDaemon, user: Client) -> Iterator[Guest]:
    with Guest(host, host.other_guest) as program:
        yield program


def cancel(client: Any, dream: Dream) -> None:
    dream.cancel()
    finish(client, dream)
    assert dream.state is State.CANCELLED


def finish_all(client: Any, *dreams: Dream) -> None:
    """Wait until all of a client's dreams are done."""
    while not all(dream.over for dream in dreams):
        message = receive(client)
        for dream in dreams:
            dream.receive(*message)
    assert [dream.text for dream in dreams if dream.state is not State.DONE] == []


# Ids are capabilities.


def test_nobody_sees_the_ids_of_others(user: Client, guest: Guest, other_guest: Guest) -> None:
    dreams = [(who, start_dream(who, 800)) for who in (user, guest, other_guest)]
    try:
        wait_until(lambda: len(ask(user, "status")["jobs"]) == 3)
        for who, dream in dreams:
            jobs = ask(who, "status")["jobs"]
            assert sorted(job["id"] for job in jobs) == ["", "", dream.request.id]
            names = {job["client"] for job in jobs}
            assert len(names) == 3
    finally:
        for who, dream in dreams:
            cancel(who, dream)


def test_a_guest_gets_no_proof_that_it_could_show_to_a_local_program(guest: Guest) -> None:
    assert guest.greeting["op"] == "hello"
    assert "proof" not in guest.greeting


def test_a_guest_learns_nothing_of_what_others_dream(user: Client, guest: Guest) -> None:
    finish(user, start_dream(user, 1, keep=True, side=200))
    mine = ask(user, "status")
    theirs = ask(guest, "status")
    assert mine["kept"] >= 1
    secret = {"networks", "done", "failed", "cancelled", "refused", "memory", "dreams_per_hour"}
    assert secret <= set(mine)
    assert not secret & set(theirs)
    counted = ("kept", "kept_memory", "unfetched", "results_memory", "results_disk")
    assert [theirs[name] for name in counted] == [0] * 5
    assert theirs["connections"] == 1


@pytest.mark.parametrize("over", [False, True], ids=["running", "finished"])
def test_who_knows_an_id_of_another_can_do_nothing_with_it(
    user: Client, guest: Guest, other_guest: Guest, over: bool
) -> None:
    for owner, thief in (user, guest), (guest, other_guest), (guest, user):
        dream = start_dream(owner, 1 if over else 800, keep=True)
        until = "done" if over else "progress"
        while receive(owner)[0]["op"] != until:  # the owner does not confirm the result
            pass
        known, unknown = dream.request.id, new_id()
        recipe = dream.request.recipe.to_dict()
        for name in (known, unknown):  # the answers are the same
            assert ask_for(thief, {"op": "fetch", "id": name}) == {
                "op": "error", "id": name, "text": LOST, "lost": True,
            }  # fmt: skip
            answer = ask(thief, "blend", of=name, recipe=recipe)
            assert (answer["op"], "no longer kept" in answer["text"]) == ("error", True)
            for op in ("cancel", "received"):
                thief.send({"op": op, "id": name})
            if over:
                following = start_dream(thief, 1, after=name, carry=0.5)
                finish(thief, following)
                assert "no longer kept" in following.notes[0]
        assert ask(thief, "status")["op"] == "status"  # all of it was read
        if over:
            assert ask_for(owner, {"op": "fetch", "id": known})["op"] == "done"
            owner.send({"op": "received", "id": known})
        else:
            cancel(owner, dream)


def ask_for(client: Any, header: Header) -> Header:
    client.send(header)
    while (answer := receive(client)[0])["id"] != header["id"]:
        pass
    return answer


def test_an_id_that_another_uses_is_free(user: Client, guest: Guest, other_guest: Guest) -> None:
    name = new_id()
    first = start_dream(guest, 800, id=name, keep=True)
    finish(guest, first, lambda d: d.state is State.RUNNING)
    mine = start_dream(user, 1, id=name, keep=True, side=9)
    finish(user, mine)
    assert (mine.state, len(mine.pixels or b"")) == (State.DONE, 243)
    theirs = start_dream(other_guest, 1, id=name, keep=True, side=9)
    cancel(other_guest, theirs)  # and nothing else
    assert not first.over
    again = start_dream(guest, 1, id=name)
    finish(guest, again)
    assert "already in progress" in again.text
    cancel(guest, first)


@pytest.mark.parametrize("key", ["guest", "other_guest"])  # one is allowed as "dreamlayer"
def test_no_name_of_a_key_is_the_local_user(host: ListeningDaemon, key: str) -> None:
    with Guest(host, getattr(host, key)) as program:
        answer = ask(program, "stop")
        assert (answer["op"], "own computer" in answer["text"]) == ("error", True)
        assert "refused" not in ask(program, "status")


# Places.


def connected(host: ListeningDaemon, key: KeyPair, stack: contextlib.ExitStack) -> int:
    """How many of ten programs with one key are let in."""
    programs = [stack.enter_context(Guest(host, key, greets=False)) for _ in range(10)]
    for program in programs:
        with contextlib.suppress(Exception):
            program.say_hello()
    return sum(program.receive(0.3) is not None for program in programs)


def test_guests_leave_places_for_others(host: ListeningDaemon, user: Client) -> None:
    with contextlib.ExitStack() as stack:
        assert connected(host, host.guest, stack) == 2
        assert connected(host, host.other_guest, stack) == 2
        mine = [stack.enter_context(contextlib.closing(host.connect())) for _ in range(7)]
        assert ask(mine[-1], "status")["connections"] == 12
        with pytest.raises(LinkError, match="connections_max"):
            host.connect()
    wait_until(lambda: ask(user, "status")["connections"] == 1)


def test_a_daemon_without_a_place_there_says_so(host: ListeningDaemon, user: Client) -> None:
    address, port = host.address.split(":")
    link = RemoteLink(Address(address, int(port)), host.key.public, host.guest, MIB)
    with Guest(host, host.guest), Guest(host, host.guest):
        conversation = link.ask({"op": "models", "id": new_id()})
        with pytest.raises(RemoteUnreachable, match="connections_max"):
            conversation.next(SOON)


@pytest.mark.slow
def test_a_guest_that_says_nothing_keeps_no_place(host: ListeningDaemon, user: Client) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(Guest(host, host.guest, greets=False))
        wait_until(lambda: ask(user, "status")["connections"] == 3)
        with Guest(host, host.other_guest) as other:
            assert ask(other, "status")["op"] == "status"
        time.sleep(SPEAK_WITHIN)
        wait_until(lambda: ask(user, "status")["connections"] == 1)
        Guest(host, host.guest).close()


def test_pictures_of_guests_take_no_room_of_others(
    user: Client, guest: Guest, other_guest: Guest
) -> None:
    running = start_dream(user, SLOW)
    finish(user, running, lambda d: d.state is State.RUNNING)
    large = start_dream(guest, 1, side=600)  # 1.03 MiB, a quarter is 1 MiB
    finish(guest, large)
    assert "waiting_memory, of which another computer may use a quarter" in large.text
    theirs = start_dream(guest, 1, side=550)
    refused = start_dream(guest, 1, side=550)
    finish(guest, refused)
    assert "waiting_memory" in refused.text
    others = start_dream(other_guest, 1, side=550)
    mine = [start_dream(user, 1, side=800) for _ in range(2)]  # 1.8 MiB each
    finish_all(user, running, *mine)
    finish_all(guest, theirs)
    finish_all(other_guest, others)


def test_pixels_that_a_guest_announces_take_no_room_of_others(user: Client, guest: Guest) -> None:
    picture = Picture(580, 580, "U8", "RGB")
    asked = DreamRequest(Recipe.of({"channels": "1"}), picture, picture.region)
    guest.try_to_send([pack({**asked.header(), "frames": [picture.nbytes]})])
    guest.try_to_send([b"", bytes(1000)])
    dream = start_dream(user, 1, side=1100)  # 3.5 MiB
    finish(user, dream)
    assert dream.state is State.DONE, dream.text


def test_results_that_a_guest_keeps_take_no_room_of_others(user: Client, guest: Guest) -> None:
    kept = [start_dream(guest, 800, keep=True) for _ in range(2)]  # 1 MiB each
    full = start_dream(guest, 1, keep=True)
    finish(guest, full)
    assert "results_disk" in full.text
    finish_all(user, *(start_dream(user, 1, keep=True) for _ in range(8)))
    for dream in kept:
        cancel(guest, dream)


# Turns.


def test_the_local_user_does_not_wait_for_a_guests_long_dream(user: Client, guest: Guest) -> None:
    for quick in (False, True):
        long = start_dream(guest, 800, quick=quick)
        finish(guest, long, lambda d: d.state is State.RUNNING)
        for mine in (False, True):
            dream = start_dream(user, 2, quick=mine)
            finish(user, dream)
            assert dream.state is State.DONE, dream.text
        assert ask(guest, "status")["jobs"][0]["state"] in ("running", "paused")
        cancel(guest, long)


def test_a_guests_dream_that_was_paused_goes_on(user: Client, guest: Guest) -> None:
    long = start_dream(guest, 10)
    finish(guest, long, lambda d: d.state is State.RUNNING)
    dream = start_dream(user, 5)
    finish(user, dream)
    assert not long.over
    finish(guest, long)
    assert (long.state, long.pixels) == (State.DONE, bytearray(b"\1" * 192))


def test_a_guest_does_not_pause_the_local_users_dream(user: Client, guest: Guest) -> None:
    mine = start_dream(user, 20)
    finish(user, mine, lambda d: d.state is State.RUNNING)
    look = start_dream(guest, 1, quick=True)
    finish(user, mine)
    finish(guest, look)
    assert (mine.state, look.state) == (State.DONE, State.DONE)


# Floods: each ends with a bounded memory of the daemon, and the local user is answered.


def flood(daemon: ListeningDaemon, user: Client, send: Callable[[], bool]) -> int:
    """Send until the daemon hangs up; the bytes by which it has grown at most."""
    wait_until(lambda: ask(user, "status")["connections"] == 2)
    before, most = daemon.memory, 0
    end = time.monotonic() + 30

    def ended() -> bool:
        nonlocal most
        most = max(most, daemon.memory - before)
        began = time.monotonic()
        connections = ask(user, "status")["connections"]
        assert time.monotonic() < began + 5
        return bool(connections == 1)

    while not ended():
        for _ in range(500):
            if not send():
                time.sleep(0.001)
        assert time.monotonic() < end, "the daemon does not hang up"
    return most


@pytest.mark.slow
@pytest.mark.parametrize(
    "request_",
    [
        {"op": "models"}, {"op": "layers", "model": "fake"}, {"op": "layers"}, {"op": "status"},
        {"op": "hello", "protocol": 1}, {"op": "fetch"}, {"op": "stop"}, {"op": "nonsense"},
        {"op": "blend", "of": "x", "recipe": {}}, {"op": "dream", "recipe": {}}, {},
    ],
    ids=lambda header: f"{' '.join(map(str, header.values())):.20}",
)  # fmt: skip
def test_answers_that_a_guest_does_not_read_are_bounded(
    host: ListeningDaemon, user: Client, request_: Header
) -> None:
    packed = pack({**request_, "id": "x" * 100})
    with Guest(host, host.guest, reads=False) as program:
        assert flood(host, user, lambda: program.try_to_send([packed])) < 32 * MIB


def test_blends_and_pixels_that_a_client_does_not_read_are_bounded(
    host: ListeningDaemon, user: Client
) -> None:
    for program in (Guest(host, host.guest), host.connect()):
        with contextlib.closing(program):
            dream = start_dream(program, 1, side=500)  # 0.7 MiB
            finish(program, dream)
            before = host.memory
            recipe = Recipe.of(dream.report["recipe"])
            for number in range(400):
                blend = {"op": "blend", "of": dream.request.id, "id": new_id()}
                program.send({**blend, "recipe": replace(recipe, strength=number / 400).to_dict()})
                if number % 20 == 0:
                    ask(user, "status")
            wait_until(lambda: ask(user, "status")["op"] == "status")
            assert host.memory - before < 180 * MIB


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize(("size", "count"), [(1_900_000, 200), (10, 2_000_000)])
def test_a_message_without_end_is_cut_off(
    host: ListeningDaemon, user: Client, size: int, count: int
) -> None:
    with Guest(host, host.guest) as program:
        before, most = host.memory, 0
        assert ask(program, "status")["op"] == "status"
        program.send_endless(bytes(size), count)
        while ask(user, "status")["connections"] > 1:
            most = max(most, host.memory - before)
        assert most < BACKLOG_MAX * 5
        assert program.receive(0.1) is None
    Guest(host, host.guest).close()  # it may come again
