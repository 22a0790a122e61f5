"""Limits: excessive requests are refused by their header, and the refusal names the setting."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlayer.server.config.settings import Settings
from dreamlayer.server.requests.limits import LimitError, Limits
from dreamlayer.server.requests.upload import STALLED_AFTER, UnexpectedPixels, Uploads
from dreamlayer.server.transport.principal import LOCAL_USER, Peer, Principal, guest, room
from dreamlink.client.client import Client, LinkError
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State
from dreamlink.wire import chunks
from dreamlink.wire.chunks import PIECE
from dreamlink.wire.messages import DreamRequest, MessageError, new_id, pack, unpack
from tests.server.daemons import SLOW, Daemon, ask, finish, receive, start_dream, wait_until
from tests.server.peers import GUEST, OTHER_GUEST, peer

MIB = 1 << 20


def request(side: int = 8, quick: bool = False) -> DreamRequest:
    picture = Picture(side, side, "U8", "RGB")
    return DreamRequest(Recipe.of({}), picture, picture.region, quick=quick)


@dataclass
class Job:
    """A dream that waits."""

    lane: Peer
    nbytes: int = 192
    quick: bool = False

    @property
    def request(self) -> DreamRequest:
        return request(quick=self.quick)


# One by one.


def test_pictures_that_wait_to_be_looked_at_count_as_those_of_dreams_do() -> None:
    """A look holds its pixels until it is answered; a dream that waits is counted with it."""
    limits = Limits(Settings(waiting_memory=1))
    waiting = [Job(peer("a"), MIB // 2)]
    limits.check_memory(peer("b"), MIB // 2, waiting, Counter())
    with pytest.raises(LimitError, match=r"setting waiting_memory"):
        limits.check_memory(peer("b"), MIB // 2, waiting, Counter({LOCAL_USER: 1}))


def test_the_pixels_of_a_picture_are_limited() -> None:
    limits = Limits(Settings(pixels_max=1))
    limits.check_size(request(1000).picture, [3_000_000])
    with pytest.raises(LimitError, match=r"1001 × 1001.*1 megapixels.*setting pixels_max"):
        limits.check_size(request(1001).picture, [3_006_003])


def test_the_bytes_of_a_request_are_limited() -> None:
    limits = Limits(Settings(message_max=1))
    limits.check_size(request().picture, [MIB // 2, MIB // 2])
    with pytest.raises(LimitError, match="setting message_max"):
        limits.check_size(request().picture, [MIB, 1])


def test_waiting_dreams_are_limited_in_total_and_per_program() -> None:
    limits = Limits(Settings(waiting_max=4, waiting_max_client=2))
    waiting = [Job(peer("a")), Job(peer("a")), Job(peer("b"))]
    limits.check_capacity(peer("b"), request(), 1, waiting)
    with pytest.raises(LimitError, match=r"2 dreams of this program.*setting waiting_max_client"):
        limits.check_capacity(peer("a"), request(), 1, waiting)
    with pytest.raises(LimitError, match=r"4 dreams are already waiting.*setting waiting_max,"):
        limits.check_capacity(peer("c"), request(), 1, [*waiting, Job(peer("d"))])


def test_a_quick_dream_replaces_its_programs_other_quick_one() -> None:
    limits = Limits(Settings(waiting_max=1, waiting_max_client=1, waiting_memory=0))
    limits.check_capacity(peer("a"), request(quick=True), 1, [Job(peer("a"), quick=True)])
    for waiting in (Job(peer("a")), Job(peer("b"), quick=True)):
        with pytest.raises(LimitError):
            limits.check_capacity(peer("a"), request(quick=True), 1, [waiting])


def test_memory_of_waiting_pictures_is_limited_but_one_is_always_allowed() -> None:
    limits = Limits(Settings(waiting_memory=1))
    limits.check_capacity(peer("a"), request(), 100 * MIB, [])
    limits.check_capacity(peer("a"), request(), MIB // 2, [Job(peer("b"), MIB // 2)])
    for waiting, incoming in ([Job(peer("b"), MIB // 2)], 1), ([], MIB // 2 + 1):
        with pytest.raises(LimitError, match="setting waiting_memory"):
            limits.check_capacity(peer("a"), request(), MIB // 2, waiting, {LOCAL_USER: incoming})


def test_a_guest_has_a_quarter_besides_the_local_users_limit() -> None:
    limits = Limits(Settings(waiting_max=8, waiting_memory=8))
    a, g, o = peer("a"), peer("g", GUEST), peer("o", OTHER_GUEST)
    limits.check_capacity(g, request(), 2 * MIB, [])
    with pytest.raises(LimitError, match="waiting_memory, of which another computer"):
        limits.check_capacity(g, request(), 2 * MIB + 1, [])
    with pytest.raises(LimitError, match="waiting_memory"):
        limits.check_capacity(g, request(), MIB, [], {GUEST: MIB + 1})
    limits.check_capacity(o, request(), MIB, [], {GUEST: MIB + 1})
    limits.check_capacity(a, request(), 9 * MIB, [], {GUEST: 2 * MIB})
    theirs = [Job(g), Job(g)]
    with pytest.raises(LimitError, match=r"waiting_max, see.*another computer"):
        limits.check_capacity(peer("h", GUEST), request(), 1, theirs)
    limits.check_capacity(o, request(), 1, theirs)
    limits.check_capacity(a, request(), 1, [*theirs, *[Job(a)] * 7])


@given(st.integers(0, 1000), st.lists(st.integers(0, 6), max_size=300))
def test_nobody_takes_the_room_of_the_local_user(limit: int, asking: list[int]) -> None:
    who = [LOCAL_USER, *(guest(bytes([number]) * 32) for number in range(6))]
    used: Counter[Principal] = Counter()
    for number in asking:
        if room(limit, who[number], used) > 0:
            used[who[number]] += 1
    guests = used.total() - used[LOCAL_USER]
    assert used[LOCAL_USER] == min(limit, asking.count(0))
    assert guests <= max(limit // 2, min(limit, 1))
    assert all(used[one] <= max(limit // 4, 1) for one in who[1:])
    assert room(limit, LOCAL_USER, used) == limit - used[LOCAL_USER]


# The daemon.


@pytest.fixture
def limited(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Daemon, Client]]:
    """A daemon with narrow limits, and a client."""
    limits = {"PIXELS_MAX": 4, "MESSAGE_MAX": 8, "WAITING_MAX": 3, "WAITING_MAX_CLIENT": 2}
    for name, value in {**limits, "WAITING_MEMORY": 4}.items():
        monkeypatch.setenv(f"DREAMLAYER_{name}", str(value))
    daemon = Daemon(home)
    try:
        with contextlib.closing(daemon.connect()) as client:
            yield daemon, client
    finally:
        daemon.kill()


def test_a_too_large_request_is_refused_before_its_pixels_are_sent(
    limited: tuple[Daemon, Client],
) -> None:
    _daemon, client = limited
    for picture, setting in (
        (Picture(2001, 2000, "U8", "RGB"), "pixels_max"),
        (Picture(1200, 1200, "F32", "RGBA"), "message_max"),
        (Picture(131072, 131072, "F32", "RGBA"), "pixels_max"),
    ):
        asked = DreamRequest(Recipe.of({}), picture, picture.region)
        client._dealer.send([pack({**asked.header(), "frames": [picture.nbytes]})])
        client.flush()
        answer, _ = receive(client)
        assert answer["op"] == "error"
        assert f"the limit is the setting {setting}" in answer["text"]
    dream = start_dream(client, 1)
    finish(client, dream)
    assert dream.state is State.DONE


def test_dreams_beyond_the_limit_are_refused_and_the_others_continue(
    limited: tuple[Daemon, Client],
) -> None:
    daemon, client = limited
    running = start_dream(client, SLOW)
    finish(client, running, lambda d: d.state is State.RUNNING)
    waiting = [start_dream(client, 1) for _ in range(2)]
    refused = start_dream(client, 1)
    finish(client, refused)
    assert refused.state is State.FAILED
    assert "waiting_max_client" in refused.text
    with contextlib.closing(daemon.connect()) as other:
        theirs = start_dream(other, 1)
        too_many = start_dream(other, 1)
        while not too_many.over:
            message = receive(other)
            assert theirs.receive(*message) or too_many.receive(*message)
        assert too_many.state is State.FAILED
        assert "the setting waiting_max," in too_many.text
        for dream in waiting:
            finish(client, dream)
        finish(other, theirs)
    assert {dream.state for dream in [*waiting, theirs]} == {State.DONE}


def test_waiting_pictures_that_take_too_much_memory_are_refused(
    limited: tuple[Daemon, Client],
) -> None:
    _daemon, client = limited
    running = start_dream(client, SLOW, side=1100)  # 3.6 MB: what is computed does not wait
    finish(client, running, lambda d: d.state is State.RUNNING)
    waiting = start_dream(client, 1, side=1100)
    refused = start_dream(client, 1, side=1100)
    finish(client, refused)
    assert "waiting_memory" in refused.text
    finish(client, waiting)
    assert waiting.state is State.DONE


def test_a_strength_map_counts_like_a_picture(limited: tuple[Daemon, Client]) -> None:
    _daemon, client = limited
    picture, strength = Picture(500, 500, "U8", "RGB"), Picture(500, 500, "F32", "RGBA")
    asked = DreamRequest(Recipe.of({"channels": "1"}), picture, picture.region, strength=strength)
    frames = (bytes(picture.nbytes), bytes(strength.nbytes))  # 0.7 and 3.8 MiB
    small = Dream(client, asked, *frames)
    finish(client, small)
    assert small.state is State.DONE, small.text
    running = start_dream(client, SLOW, side=300)
    finish(client, running, lambda d: d.state is State.RUNNING)
    waiting = Dream(client, replace(asked, id=new_id()), *frames)
    refused = Dream(client, replace(asked, id=new_id()), *frames)
    finish(client, refused)
    assert "waiting_memory" in refused.text
    finish(client, waiting)
    assert waiting.state is State.DONE


def test_incoming_pixels_count_until_their_client_disconnects(
    limited: tuple[Daemon, Client],
) -> None:
    daemon, client = limited
    picture = Picture(1100, 1100, "U8", "RGB")
    asked = DreamRequest(Recipe.of({"channels": "1"}), picture, picture.region)
    with contextlib.closing(daemon.connect()) as slow:
        slow._dealer.send([pack({**asked.header(), "frames": [picture.nbytes]})])
        slow._dealer.send([b"", bytes(1000)])
        slow.flush()

        def refused() -> bool:
            dream = start_dream(client, 1, side=600)
            finish(client, dream)
            return dream.state is State.FAILED and "waiting_memory" in dream.text

        wait_until(refused)
    wait_until(lambda: not refused())


@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_NOFILE"), reason="Linux tells it")
def test_unauthenticated_connections_cannot_exhaust_descriptors(
    limited: tuple[Daemon, Client],
) -> None:
    daemon, _client = limited
    soft, hard = psutil.Process(daemon.process.pid).rlimit(psutil.RLIMIT_NOFILE)
    assert soft >= min(hard, 8192)


# Pieces.


@given(
    lengths=st.lists(st.sampled_from([0, 1, 5, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE]), max_size=4)
)
def test_pieces_are_reassembled(lengths: list[int]) -> None:
    frames = [os.urandom(1) * length for length in lengths]
    sent = list(chunks.messages({"op": "dream", "id": "1"}, frames))
    header = unpack(sent[0][0])
    assert chunks.announced(header) == lengths
    assert all(len(part) <= PIECE for message in sent[1:] for part in message)
    assert [chunks.is_piece(message) for message in sent] == [False] + [True] * (len(sent) - 1)
    uploads = Uploads()
    uploads.expect(peer("peer"), header, lengths)
    assert uploads.used.total() == sum(lengths)
    for _, piece in sent[1:]:
        assert uploads.take_complete(peer("peer")) is None
        assert uploads.add(peer("peer"), piece)
    whole = uploads.take_complete(peer("peer"))
    assert whole is not None
    assert whole[0] == header
    assert [bytes(frame) for frame in whole[1]] == frames
    assert uploads.used.total() == 0
    assert uploads.take_complete(peer("peer")) is None


@pytest.mark.parametrize("sizes", [[11], [4, 7], [4, 6, 3], [10, 2, 1]])
def test_excess_pieces_are_refused_once(sizes: Sequence[int]) -> None:
    uploads = Uploads()
    uploads.expect(peer("peer"), {"id": "7"}, [10, 2])
    with pytest.raises(UnexpectedPixels) as failure:
        for size in sizes:
            uploads.add(peer("peer"), bytes(size))
    assert failure.value.request_id == "7"
    assert not uploads.add(peer("peer"), b"and the rest falls")
    assert uploads.used.total() == 0


def test_unannounced_pieces_are_refused_once() -> None:
    uploads = Uploads()
    with pytest.raises(UnexpectedPixels):
        uploads.add(peer("peer"), b"x")
    assert not uploads.add(peer("peer"), b"x")


def test_uploads_of_several_connections_do_not_mix() -> None:
    uploads = Uploads()
    for name in ("a", "b"):
        uploads.expect(peer(name), {"id": name}, [2])
    uploads.add(peer("a"), b"1")
    uploads.add(peer("b"), b"2")
    uploads.add(peer("a"), b"1")
    whole = uploads.take_complete(peer("a"))
    assert whole is not None
    assert bytes(whole[1][0]) == b"11"
    assert uploads.interrupt(peer("b")) == "b"
    assert uploads.interrupt(peer("b")) is None
    assert uploads.used.total() == 0


def test_a_stalled_upload_is_detected() -> None:
    now = [0.0]
    uploads = Uploads(lambda: now[0])
    uploads.expect(peer("peer"), {"id": "7"}, [2])
    now[0] = STALLED_AFTER
    assert not uploads.stalled()
    uploads.add(peer("peer"), b"1")
    now[0] *= 2
    assert not uploads.stalled()
    now[0] += 1
    assert uploads.stalled() == [(peer("peer"), "7")]
    uploads.refuse(peer("peer"))
    assert not uploads.stalled()


def test_too_little_memory_fails_one_request_only(client: Client) -> None:
    with pytest.raises(MemoryError):
        Uploads().expect(peer("peer"), {"id": "7"}, [1 << 47])
    with pytest.raises(MessageError):
        chunks.announced({"frames": [1 << 60]})


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_header_amid_pixels_ends_the_previous_request(client: Client, cut: int) -> None:
    picture = Picture(700, 700, "U8", "RGB")
    asked = DreamRequest(Recipe.of({"channels": "1"}), picture, picture.region)
    sent = list(chunks.messages(asked.header(), [bytes(picture.nbytes)]))
    assert len(sent) == 3
    for message in sent[: 1 + cut]:
        client._dealer.send(message)
    following = start_dream(client, 1)
    answers = {}
    while following.request.id not in answers or asked.id not in answers:
        header, frames = receive(client)
        following.receive(header, frames)
        if header["op"] in ("error", "done"):
            answers[header["id"]] = header["op"]
    assert answers == {asked.id: "done" if cut == 2 else "error", following.request.id: "done"}


def test_pixels_without_a_header_are_answered_once(client: Client) -> None:
    for _ in range(3):
        client._dealer.send([b"", b"pixels"])
    client.flush()
    header, _ = receive(client)
    assert header["op"] == "error"
    assert "no request had announced" in header["text"]
    assert ask(client, "status")["op"] == "status"  # nothing between


def test_a_too_long_message_ends_only_its_connection(daemon: Daemon, client: Client) -> None:
    with contextlib.closing(daemon.connect()) as other:
        other._dealer.send([b"", bytes(3 * PIECE)])
        with pytest.raises(LinkError):
            while True:
                other.flush()
                other.receive(0.05)
    assert ask(client, "status")["op"] == "status"
