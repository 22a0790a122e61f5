"""Results wait for their clients: through a lost connection, a vanished client, a full disk."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dreamlayer.server.config.settings import MIB, Settings
from dreamlayer.server.jobs import results as module
from dreamlayer.server.jobs.results import LOST, ResultStore
from dreamlayer.server.transport.mailbox import Outgoing
from dreamlayer.server.transport.principal import LOCAL_USER, Peer
from dreamlink.client.client import Client, LinkError
from dreamlink.client.reconnecting import ReconnectingClient
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State
from dreamlink.wire.messages import DreamRequest, MessageError, new_id
from tests.server.daemons import SOON, Daemon, ask, finish, receive, start_dream, wait_until
from tests.server.peers import GUEST, OTHER_GUEST
from tests.server.peers import peer as connection

DONE = {"op": "done", "seconds": 1.0}


def request(keep: bool = True, side: int = 8) -> DreamRequest:
    picture = Picture(side, side, "U8", "RGB")
    return DreamRequest(Recipe(), picture, picture.region, keep=keep)


class Shelf:
    """Results in a folder, and what was sent of them."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.home = home
        self.sent: list[Outgoing] = []
        self.results = ResultStore(self.sent.append, home, Settings(**settings))

    def put(self, peer: Peer, asked: DreamRequest, pixels: bytes | None = None) -> None:
        if asked.keep:
            self.results.reserve(peer.principal, asked)
        if pixels is None:
            pixels = os.urandom(asked.result.nbytes)
        self.results.put(peer, asked, DONE, pixels)

    def fetched(self, peer: Peer, name: str) -> Outgoing:
        """What is sent to `peer` for a fetch, as soon as it is."""
        before = len(self.sent)
        assert self.results.fetch(peer, name)
        wait_until(lambda: len(self.sent) > before)
        return self.sent[-1]

    @property
    def files(self) -> list[Path]:
        return sorted((self.home / "results").glob("*"))

    @property
    def on_disk(self) -> int:
        used: int = self.results.status(LOCAL_USER)["results_disk"]
        return used


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path)
    yield shelf
    shelf.results.close()


def test_a_result_is_held_until_its_client_confirms_it(shelf: Shelf) -> None:
    asked = request(keep=False)
    shelf.put(connection("a"), asked, b"pixels")
    assert shelf.sent[0] == (connection("a"), {**DONE, "id": asked.id}, (b"pixels",))
    assert shelf.fetched(connection("new"), asked.id) == (
        connection("new"),
        {**DONE, "id": asked.id},
        (b"pixels",),
    )
    shelf.results.received(connection("a"), asked.id)  # it is not its own any more
    assert shelf.results.waiting
    shelf.results.received(connection("new"), asked.id)
    assert not shelf.results.waiting
    assert not shelf.results.fetch(connection("new"), asked.id)


def test_what_is_not_kept_goes_with_its_client(shelf: Shelf) -> None:
    asked, kept = request(keep=False), request()
    shelf.put(connection("a"), asked)
    shelf.put(connection("a"), kept)
    shelf.results.drop_client(connection("a"))
    assert not shelf.results.fetch(connection("new"), asked.id)
    assert shelf.results.fetch(connection("new"), kept.id)


def test_quick_looks_and_what_was_cancelled_are_not_held(shelf: Shelf) -> None:
    picture = Picture(8, 8)
    quick = DreamRequest(Recipe(), picture, picture.region, quick=True)
    shelf.put(connection("a"), quick)
    asked = request()
    shelf.results.reserve(LOCAL_USER, asked)
    shelf.results.put(connection("a"), asked, {"op": "cancelled"})
    assert [m.header["op"] for m in shelf.sent] == ["done", "cancelled"]
    assert not shelf.results.waiting
    shelf.results.reserve(LOCAL_USER, asked)  # its room is free again


def test_a_failure_is_kept_for_who_is_away(shelf: Shelf) -> None:
    asked = request()
    shelf.results.reserve(LOCAL_USER, asked)
    shelf.results.put(connection("a"), asked, {"op": "error", "text": "No."})
    shelf.results.client_disconnected(connection("a"))
    assert shelf.fetched(connection("new"), asked.id).header["text"] == "No."


def test_kept_results_of_an_absent_client_lie_on_the_disk_for_the_user_alone(shelf: Shelf) -> None:
    asked = request(side=300)
    pixels = os.urandom(asked.result.nbytes)
    shelf.put(connection("a"), asked, pixels)
    assert shelf.files == []
    shelf.results.client_disconnected(connection("a"))
    wait_until(lambda: shelf.on_disk > 0)
    [path] = shelf.files
    assert path.read_bytes() == pixels
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert asked.id not in path.name
    assert shelf.results.status(LOCAL_USER)["results_memory"] == 0
    assert bytes(shelf.fetched(connection("new"), asked.id).frames[0]) == pixels
    shelf.results.received(connection("new"), asked.id)
    wait_until(lambda: not shelf.files)


def test_files_are_removed_at_the_end_and_at_the_start(shelf: Shelf) -> None:
    folder = shelf.home / "results"
    asked = request()
    shelf.put(connection("a"), asked)
    shelf.results.client_disconnected(connection("a"))
    shelf.results.close()
    assert not folder.exists()
    folder.mkdir()
    ours, theirs = folder / f"{'0' * 32}.pixels", folder / "holiday.png"
    for path in (ours, theirs):
        path.write_bytes(b"x")
    Shelf(shelf.home)  # after a kill: what is not ours stays
    assert shelf.files == [theirs]


def test_room_is_set_aside_before_the_dream(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, results_disk=3)
    first, second = request(side=600), request(side=500)  # 1.03 and 0.7 MiB
    shelf.results.reserve(LOCAL_USER, first)
    shelf.results.reserve(LOCAL_USER, second)
    with pytest.raises(MessageError, match="results_disk"):
        shelf.results.reserve(LOCAL_USER, request())
    with pytest.raises(MessageError, match="already kept"):
        shelf.results.reserve(LOCAL_USER, first)
    shelf.results.release(LOCAL_USER, second.id)
    shelf.results.reserve(LOCAL_USER, request())
    assert shelf.results.count == 0
    with pytest.raises(MessageError, match="results_disk"):
        Shelf(tmp_path, results_disk=0).results.reserve(LOCAL_USER, request())


def test_a_full_disk_leaves_the_result_in_memory(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path] = []
    real = os.open

    def full(path: Any, *more: Any, **other: Any) -> int:
        if Path(path).suffix == ".pixels":
            tried.append(Path(path))
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, *more, **other)

    monkeypatch.setattr(module.os, "open", full)
    asked = request()
    shelf.put(connection("a"), asked, b"pixels")
    shelf.results.client_disconnected(connection("a"))
    wait_until(lambda: bool(tried))
    assert shelf.fetched(connection("new"), asked.id).frames == (b"pixels",)
    assert shelf.files == []


def test_a_file_that_somebody_removed_is_told(shelf: Shelf) -> None:
    asked = request()
    shelf.put(connection("a"), asked)
    shelf.results.client_disconnected(connection("a"))
    wait_until(lambda: shelf.on_disk > 0)
    shelf.files[0].unlink()
    answer = shelf.fetched(connection("new"), asked.id)
    assert (answer.header["op"], answer.header["lost"]) == ("error", True)
    wait_until(lambda: not shelf.results.waiting)


def test_the_time_of_a_result_is_over(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, results_age=100.0)
    asked = request()
    shelf.put(connection("a"), asked)
    for now in (7.0, 107.0):
        shelf.results.expire(now)
        assert shelf.results.count == 1
    shelf.results.expire(107.5)
    assert not shelf.results.fetch(connection("a"), asked.id)
    ageless = Shelf(tmp_path, results_age=0.0)
    ageless.put(connection("a"), asked)
    for now in (0.0, 1e9):
        ageless.results.expire(now)
    assert ageless.results.count == 1


def test_unconfirmed_results_do_not_pile_up(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_MAX", 2 * MIB)
    asked = [request(keep=False) for _ in range(4)]
    for one in asked:
        shelf.put(connection("a"), one, bytes(MIB))
    assert [shelf.results.fetch(connection("a"), one.id) for one in asked] == [
        False,
        False,
        True,
        True,
    ]


def test_unconfirmed_results_of_a_guest_do_not_displace_those_of_others(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HELD_MAX", 4 * MIB)
    mine, guest, other = (
        connection("a"), connection("g", GUEST), connection("o", OTHER_GUEST)
    )  # fmt: skip
    asked = [request(keep=False) for _ in range(4)]
    for who in (mine, guest, other, guest):
        for one in asked:  # with the same ids
            shelf.put(who, one, bytes(MIB))
    for who, expected in (mine, 4), (guest, 1), (other, 1):
        assert sum(shelf.results.fetch(who, one.id) for one in asked) == expected
        assert shelf.results.status(who.principal)["results_memory"] >= expected * MIB


def test_many_small_results_count_as_more_than_their_pixels(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HELD_MAX", 10 * module.HELD_MIN)
    asked = [request(keep=False) for _ in range(30)]
    for one in asked:
        shelf.put(connection("a"), one, b"pixels")
    assert sum(shelf.results.fetch(connection("a"), one.id) for one in asked) == 10


def test_a_result_on_the_disk_is_read_once_however_often_it_is_asked_for(shelf: Shelf) -> None:
    asked = request()
    shelf.put(connection("a"), asked)
    shelf.results.client_disconnected(connection("a"))
    wait_until(lambda: shelf.on_disk > 0)
    busy = threading.Event()
    shelf.results._do(lambda: busy.wait(SOON) and None)
    for _ in range(100):
        assert shelf.results.fetch(connection("b"), asked.id)
    busy.set()
    wait_until(lambda: len(shelf.sent) > 1)
    time.sleep(0.1)
    assert [message.peer for message in shelf.sent] == [connection("a"), connection("b")]


def test_kept_results_of_principals_have_their_own_room(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, results_disk=8)
    for _ in range(2):
        shelf.results.reserve(GUEST, request())
        shelf.results.reserve(OTHER_GUEST, request())
    with pytest.raises(MessageError, match="results_disk"):
        shelf.results.reserve(GUEST, request())
    same = request()
    for _ in range(7):
        shelf.results.reserve(LOCAL_USER, request())
    shelf.results.reserve(LOCAL_USER, same)
    shelf.results.release(GUEST, same.id)
    with pytest.raises(MessageError, match="already kept"):
        shelf.results.reserve(LOCAL_USER, same)


# Through the daemon.


def vanish(client: Client) -> None:
    """End a connection as a crash does."""
    client._socket.shutdown(socket.SHUT_RDWR)
    client.close()


def fetch(client: Client, dream: Dream) -> Dream:
    """The dream, asked for again over another connection."""
    dream._client = client
    dream.resume()
    finish(client, dream)
    return dream


@pytest.fixture
def forgetful(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """A daemon that gives up who has vanished at once."""
    monkeypatch.setenv("DREAMLAYER_GRACE", "0")
    daemon = Daemon(home)
    yield daemon
    daemon.kill()


def test_a_kept_dream_goes_on_without_its_client_and_is_fetched(
    forgetful: Daemon,
) -> None:
    first = forgetful.connect()
    dream = start_dream(first, 20, keep=True)
    finish(first, dream, lambda d: d.state is State.RUNNING)
    vanish(first)
    with contextlib.closing(forgetful.connect()) as other:
        wait_until(lambda: ask(other, "status")["results_disk"] > 0)
        status = ask(other, "status")
        assert (status["done"], status["cancelled"], status["unfetched"]) == (1, 0, 1)
        assert fetch(other, dream).state is State.DONE
        assert dream.pixels == bytearray(b"\1" * 192)
        wait_until(lambda: ask(other, "status")["unfetched"] == 0)
        folder = forgetful.home / "results"
        wait_until(lambda: not list(folder.glob("*")))


def test_a_result_of_the_time_of_grace_goes_to_the_disk_too(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMLAYER_GRACE", "600")
    daemon = Daemon(home)
    first = daemon.connect()
    dream = start_dream(first, 10, keep=True)
    finish(first, dream, lambda d: d.state is State.RUNNING)
    vanish(first)
    with contextlib.closing(daemon.connect()) as other:
        wait_until(lambda: ask(other, "status")["results_disk"] > 0)
        assert ask(other, "status")["results_memory"] == 0
        assert fetch(other, dream).state is State.DONE
    daemon.kill()


def test_the_last_word_of_a_client_is_heard(forgetful: Daemon) -> None:
    with contextlib.closing(forgetful.connect()) as asker:
        for _ in range(20):  # what has come is read before it is noticed that the client has gone
            with contextlib.closing(forgetful.connect()) as client:
                dream = start_dream(client, 1, keep=True)
                finish(client, dream)  # it says that it has received it
            assert dream.state is State.DONE
        wait_until(lambda: ask(asker, "status")["unfetched"] == 0)


def test_a_kept_dream_that_still_runs_is_taken_up(forgetful: Daemon) -> None:
    first = forgetful.connect()
    dream = start_dream(first, 40, keep=True)
    waiting = start_dream(first, 1, keep=True)
    finish(first, dream, lambda d: d.state is State.RUNNING)
    vanish(first)
    with contextlib.closing(forgetful.connect()) as other:
        for one in (waiting, dream):
            one._client = other
            one.resume()
        assert receive(other)[0]["op"] == "queued"
        finish(other, dream, lambda d: d.state is State.RUNNING and d.fraction > 0)
        finish(other, dream)
        finish(other, waiting)
        assert (dream.state, waiting.state) == (State.DONE, State.DONE)


def test_a_dream_that_is_not_kept_ends_with_its_client(forgetful: Daemon) -> None:
    first = forgetful.connect()
    dreams = [start_dream(first, 800) for _ in range(3)]
    finish(first, dreams[0], lambda d: d.state is State.RUNNING)
    vanish(first)
    with contextlib.closing(forgetful.connect()) as other:
        wait_until(lambda: ask(other, "status")["cancelled"] == 3)
        assert fetch(other, dreams[0]).state is State.FAILED
        assert dreams[0].text == f"{LOST} Your picture is unchanged; call Deep Dream again."


def test_what_a_client_asked_for_last_is_its_own_though_answers_find_it_gone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMLAYER_GRACE", "0")
    monkeypatch.setenv("DREAMLAYER_TEST_TILE", "0.0002")  # so that progress is always being sent
    daemon = Daemon(home)
    with contextlib.closing(daemon.connect()) as other:
        before = ask(other, "status")["cancelled"]
        for round_ in range(1, 41):
            client = daemon.connect()
            finish(client, start_dream(client, 899), lambda d: d.state is State.RUNNING)
            for _ in range(5):
                start_dream(client, 899)
            vanish(client)
            wait_until(
                lambda expected=before + 6 * round_: (
                    sum(ask(other, "status")[how] for how in ("cancelled", "done")) == expected
                )
            )
    daemon.kill()


def test_a_line_that_breaks_is_taken_up_and_the_dream_goes_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMLAYER_GRACE", "60")
    daemon = Daemon(home)
    with contextlib.closing(ReconnectingClient(daemon.connect())) as line:
        dream = start_dream(line, 30)
        for fraction in (0.0, 0.3, 0.6):
            attend(line, dream, lambda d, so_far=fraction: d.fraction > so_far)
            line._client._socket.shutdown(socket.SHUT_RDWR)
        attend(line, dream)
        assert dream.state is State.DONE
        with contextlib.closing(daemon.connect()) as other:
            status = ask(other, "status")
        assert (status["done"], status["cancelled"]) == (1, 0)
    daemon.kill()


def test_a_line_that_breaks_again_and_again_stays_broken(
    own_daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dreamlink.session.reconnection.RECONNECTIONS_MAX", 1)
    line = ReconnectingClient(own_daemon.connect())
    dream = start_dream(line, 800)
    attend(line, dream, lambda d: d.fraction > 0)
    line._client._socket.shutdown(socket.SHUT_RDWR)
    before = dream.fraction
    attend(line, dream, lambda d: d.fraction > before)
    line._client._socket.shutdown(socket.SHUT_RDWR)
    with pytest.raises(LinkError, match="lost"):
        attend(line, dream)


def attend(line: ReconnectingClient, dream: Dream, until: Any = lambda d: d.over) -> None:
    end = time.monotonic() + SOON
    while not until(dream):
        assert time.monotonic() < end
        line.feed(dream, 0.5)


def test_a_result_that_was_on_its_way_is_not_lost(home: Path) -> None:
    """The connection breaks after the daemon has sent the pixels and before they are read."""
    daemon = Daemon(home)
    first = daemon.connect()
    dream = start_dream(first, 1)
    with contextlib.closing(daemon.connect()) as other:
        wait_until(lambda: ask(other, "status")["done"] == 1)
        vanish(first)
        assert fetch(other, dream).state is State.DONE
        wait_until(lambda: ask(other, "status")["results_memory"] == 0)
        blend = dream.blend(dream.request.recipe)  # it belongs to the new connection
        while not blend.over:
            blend.receive(*receive(other))
        assert blend.state is State.DONE
    daemon.kill()


def test_a_restarted_daemon_says_that_the_dream_is_lost(home: Path) -> None:
    daemon = Daemon(home)
    client = daemon.connect()
    dream = start_dream(client, 800, keep=True)
    finish(client, dream, lambda d: d.state is State.RUNNING)
    daemon.kill()
    with pytest.raises(LinkError, match="lost"):
        finish(client, dream)
    following = Daemon(home)
    with contextlib.closing(following.connect()) as other:
        assert "restarted" in fetch(other, dream).text
        assert dream.state is State.FAILED
    following.kill()


def test_a_line_to_a_daemon_that_was_killed_ends_with_the_loss(own_daemon: Daemon) -> None:
    line = ReconnectingClient(own_daemon.connect())
    dream = start_dream(line, 800)
    attend(line, dream, lambda d: d.state is State.RUNNING)
    own_daemon.kill()
    with pytest.raises(LinkError, match="lost"):
        attend(line, dream)


def test_the_command_line_says_that_the_dream_is_lost(own_daemon: Daemon, tmp_path: Path) -> None:
    chelsea = Path(__file__).parent.parent / "pictures" / "chelsea.png"
    output = tmp_path / "out.png"
    command = [sys.executable, "-m", "dreamlayer", "dream", str(chelsea), "-o", str(output)]
    with (
        contextlib.closing(own_daemon.connect()) as asker,
        subprocess.Popen([*command, "--channels", "800"], stderr=subprocess.PIPE) as dreaming,
    ):
        wait_until(lambda: [job["state"] for job in ask(asker, "status")["jobs"]] == ["running"])
        own_daemon.kill()
        said = dreaming.communicate(timeout=SOON)[1].decode()
    assert dreaming.returncode == 1
    assert said.endswith("was lost. Nothing was written: dream again.\n")
    assert not output.exists()


def test_an_id_that_can_be_guessed_is_not_fetched(client: Client, daemon: Daemon) -> None:
    dream = start_dream(client, 20, id="short")
    with contextlib.closing(daemon.connect()) as other:
        for name in ("short", new_id()):
            other.send({"op": "fetch", "id": name})
            answer = {"op": "error", "id": name, "text": LOST, "lost": True}
            assert receive(other) == (answer, [])
    finish(client, dream)
    assert dream.state is State.DONE


def test_no_room_to_keep_is_said_before_the_dream(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMLAYER_RESULTS_DISK", "1")
    daemon = Daemon(home)
    with contextlib.closing(daemon.connect()) as client:
        first, second = (start_dream(client, 30, keep=True) for _ in range(2))
        finish(client, second)
        assert "results_disk" in second.text
        first.cancel()
        finish(client, first)
        kept, plain = new_id(), new_id()
        for name, keep in ((kept, True), (plain, False)):
            running = start_dream(client, 800, keep=keep, id=name)
            refused = DreamRequest(  # of the same name: it takes and frees no room
                running.request.recipe, running.request.picture, running.request.region,
                keep=not keep, id=name,
            )  # fmt: skip
            client.send(refused.header(), bytes(192))
            while (answer := receive(client)[0])["op"] != "error":
                pass
            assert "already" in answer["text"]
            if keep:
                full = start_dream(client, 1, keep=True)
                finish(client, full)
                assert "results_disk" in full.text
            running.cancel()
            finish(client, running)
        third = start_dream(client, 1, keep=True)
        finish(client, third)
        assert third.state is State.DONE
    daemon.kill()
