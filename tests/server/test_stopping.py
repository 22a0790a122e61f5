"""Stopping: at once, when its dreams are done, for an upgrade, or for a newer client."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dreamlayer.cli import main
from dreamlayer.server.lifecycle.upgrade import UpgradeWatch
from dreamlink.client import discovery, launch
from dreamlink.client.client import Client, LinkError, WrongVersion
from dreamlink.client.discovery import DaemonInfo
from dreamlink.session.dream import State
from dreamlink.wire.messages import PROTOCOL, Header
from tests.server.daemons import (
    FAKE,
    SOON,
    Daemon,
    ask,
    finish,
    receive,
    start_dream,
    wait_until,
)


@pytest.fixture
def following(home: Path) -> Iterator[None]:
    """Ends the daemon that the test's call of `launch` has started."""
    yield
    info = discovery.find()
    if info is not None:
        with contextlib.suppress(LinkError), contextlib.closing(Client.connect(info)) as client:
            ask(client, "stop")
            while True:
                client.receive(SOON)


# When its dreams are done.


def test_it_finishes_its_dreams_and_refuses_new_ones(own_daemon: Daemon) -> None:
    with contextlib.closing(own_daemon.connect()) as client:
        dreams = [start_dream(client, 15) for _ in range(2)]
        finish(client, dreams[0], lambda d: d.state is State.RUNNING)
        assert ask(client, "stop", finish=True)["op"] == "stopping"
        refused = start_dream(client, 1)
        finish(client, refused)
        assert "stopping" in refused.text
        for dream in dreams:
            finish(client, dream)
            assert dream.state is State.DONE
    assert own_daemon.wait() == 0
    assert discovery.find() is None


def known(status: Header) -> int:
    """How many dreams the daemon was asked for."""
    return len(status["jobs"]) + int(status["done"])


def test_all_results_leave_before_it_goes(own_daemon: Daemon) -> None:
    with contextlib.closing(own_daemon.connect()) as client:
        # More messages than libzmq queues, and more bytes than sockets hold.
        dreams = [start_dream(client, 2, side=1500) for _ in range(14)]
        with contextlib.closing(own_daemon.connect()) as other:
            while client.wants_to_write:
                client.flush()
            wait_until(lambda: known(ask(other, "status")) == len(dreams))
            ask(other, "stop", finish=True)
        wait_until(lambda: not own_daemon.published)
        while not all(dream.over for dream in dreams):
            answer = receive(client)
            for dream in dreams:
                dream.receive(*answer)
        assert {dream.state for dream in dreams} == {State.DONE}
    assert own_daemon.wait() == 0


def test_without_dreams_it_stops_at_once(own_daemon: Daemon) -> None:
    with contextlib.closing(own_daemon.connect()) as client:
        ask(client, "stop", finish=True)
    assert own_daemon.wait() == 0


def test_a_second_stop_cancels_what_it_would_have_finished(own_daemon: Daemon) -> None:
    with contextlib.closing(own_daemon.connect()) as client:
        dream = start_dream(client, 800)
        finish(client, dream, lambda d: d.state is State.RUNNING)
        ask(client, "stop", finish=True)
        assert ask(client, "status")["op"] == "status"
        ask(client, "stop")
        finish(client, dream)
        assert dream.state is State.CANCELLED
    assert own_daemon.wait() == 0


def test_it_finishes_only_within_its_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DREAMLAYER_FINISH_WITHIN", "0.5")
    daemon = Daemon(home)
    with contextlib.closing(daemon.connect()) as client:
        dream = start_dream(client, 800)
        finish(client, dream, lambda d: d.state is State.RUNNING)
        ask(client, "stop", finish=True)
        finish(client, dream)
        assert dream.state is State.CANCELLED
    assert daemon.wait() == 0


def test_the_command_finishes_and_tells_what_is_lost(
    own_daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    client = own_daemon.connect()
    with contextlib.closing(own_daemon.connect()) as leaving:
        kept = start_dream(leaving, 1, keep=True)
        while receive(leaving)[0]["op"] != "done":  # nobody confirms it
            pass
    dream = start_dream(client, 10)
    finish(client, dream, lambda d: d.state is State.RUNNING)
    with ThreadPoolExecutor() as pool:
        stopped = pool.submit(main.main, ["stop", "--finish"])
        finish(client, dream)
        assert stopped.result() == 0
    assert dream.state is State.DONE
    said = capsys.readouterr().out
    assert "has stopped" in said
    assert "are lost: 1." in said
    assert not kept.over
    assert own_daemon.wait() == 0
    assert not (own_daemon.home / "results").exists()


def test_a_client_waits_for_one_that_finishes_and_starts_a_new_one(
    own_daemon: Daemon, following: None
) -> None:
    with contextlib.closing(own_daemon.connect()) as client:
        dream = start_dream(client, 20)
        finish(client, dream, lambda d: d.state is State.RUNNING)
        ask(client, "stop", finish=True)
        said: list[str] = []
        with contextlib.closing(launch.connect(FAKE, said.append)) as new:
            assert ask(new, "status")["pid"] != own_daemon.process.pid
        assert said[0] == launch.STOPPING
        assert launch.STARTING in said
        finish(client, dream)
        assert dream.state is State.DONE


# Versions.

OLDER = PROTOCOL - 1
OTHER = """
import sys, runpy
from dreamlink.wire import messages
messages.PROTOCOL = int(sys.argv.pop(1))
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def other_version(home: Path, protocol: int) -> Daemon:
    program = [sys.executable, "-c", OTHER, str(protocol), FAKE[-1]]
    return Daemon(home, program=program)


def test_an_older_daemon_finishes_its_dreams_and_makes_way(
    home: Path, following: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = other_version(home, OLDER)
    with monkeypatch.context() as patch:
        patch.setattr("dreamlink.client.client.PROTOCOL", OLDER)
        client = older.connect()
    dream = start_dream(client, 20)
    finish(client, dream, lambda d: d.state is State.RUNNING)
    said: list[str] = []
    with contextlib.closing(launch.connect(FAKE, said.append)) as new:
        assert ask(new, "status")["pid"] != older.process.pid
    assert launch.OLDER in said
    finish(client, dream)
    assert dream.state is State.DONE
    assert older.wait() == 0


def test_an_installation_that_stays_older_is_told_and_not_started_for_ever(home: Path) -> None:
    older = other_version(home, OLDER)
    program = [sys.executable, "-c", OTHER, str(OLDER), FAKE[-1]]
    with pytest.raises(WrongVersion, match=r"older than this program.*install\.py"):
        launch.connect(program)
    assert older.process.poll() is None
    older.kill()


def test_the_command_stop_ends_an_older_daemon(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = other_version(home, OLDER)
    assert main.main(["stop"]) == 0
    assert "finishes its dreams first" in capsys.readouterr().out
    assert older.wait() == 0
    assert discovery.find() is None


def test_nothing_is_sent_to_an_older_daemon(home: Path, following: None) -> None:
    """It would be sent the token, and another user's program may listen in its place."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        endpoint = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        info = DaemonInfo(OLDER, "0.1.0", endpoint, "t", os.getpid())
        discovery.publish(info)
        with pytest.raises(WrongVersion):
            Client.connect(info, SOON)
        launch.connect(FAKE).close()  # there is none: the new one need not wait
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_newer_daemon_stays_and_the_client_is_told_to_update(home: Path) -> None:
    newer = other_version(home, PROTOCOL + 1)
    with pytest.raises(WrongVersion, match=r"older than its daemon.*install\.py"):
        launch.connect(FAKE)
    assert newer.process.poll() is None
    newer.kill()


def installed(place: Path, version: str) -> None:
    folder = place / "dreamlayer-0.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: dreamlayer\nVersion: {version}\n"
    )


def test_an_idle_daemon_makes_way_for_another_version(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "site"
    installed(place, "1.0")
    monkeypatch.setenv("PYTHONPATH", str(place))
    monkeypatch.setenv("DREAMLAYER_UPDATE_AFTER", "0.2")
    daemon = Daemon(home)
    with contextlib.closing(daemon.connect()) as client:
        dream = start_dream(client, 30)
        finish(client, dream, lambda d: d.state is State.RUNNING)
        installed(place, "1.1")
        finish(client, dream)  # not in the middle of a dream
        assert dream.state is State.DONE
        assert daemon.wait() == 0
    assert discovery.find() is None


def test_an_unfetched_result_postpones_the_upgrade(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "site"
    installed(place, "1.0")
    monkeypatch.setenv("PYTHONPATH", str(place))
    monkeypatch.setenv("DREAMLAYER_UPDATE_AFTER", "0.2")
    daemon = Daemon(home)
    client = daemon.connect()
    dream = start_dream(client, 1, keep=True)
    while receive(client)[0]["op"] != "done":
        pass
    client.close()
    installed(place, "1.1")
    time.sleep(1.0)  # several looks; it would have gone at the first
    with contextlib.closing(daemon.connect()) as other:
        dream._client = other
        dream.resume()
        finish(other, dream)
        assert dream.state is State.DONE
    assert daemon.wait() == 0


def test_the_same_version_is_no_upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    installed(tmp_path, "1.0")
    watch = UpgradeWatch(0.0)
    watch.note_installed()
    wait_until(lambda: watch.milliseconds_left == 1)
    assert not watch.due()
    installed(tmp_path, "1.1")
    assert not watch.due()  # it was looked a moment ago
    wait_until(watch.due)
