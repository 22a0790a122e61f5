"""The daemon's life cycle: one per user, found by its discovery file, stopped on request."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dreamlink.client import discovery, launch
from dreamlink.client.client import Client, LinkError
from dreamlink.client.discovery import DaemonInfo
from dreamlink.session.dream import State
from dreamlink.wire.messages import PROTOCOL
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
def launched(home: Path) -> Iterator[list[Client]]:
    """Clients whose daemons were started by `launch`; those are stopped at the end."""
    clients: list[Client] = []
    yield clients
    info = discovery.find()
    if info is not None:
        with contextlib.suppress(LinkError), contextlib.closing(Client.connect(info)) as client:
            ask(client, "stop")
            while True:
                client.receive(SOON)


def test_only_the_user_can_read_the_discovery_file(own_daemon: Daemon) -> None:
    path = own_daemon.home / "daemon.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    info = own_daemon.info
    assert info.pid == own_daemon.process.pid
    assert info.endpoint.startswith("tcp://127.0.0.1:")
    assert len(info.token) >= 32


def test_the_folder_is_created_private(home: Path) -> None:
    discovery.publish(DaemonInfo(1, "0", "tcp://127.0.0.1:1", "t", 1))
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_the_daemon_listens_on_the_loopback_only(own_daemon: Daemon) -> None:
    port = int(own_daemon.info.endpoint.rpartition(":")[2])
    listening = [
        line.split()[1]
        for line in Path("/proc/net/tcp").read_text().splitlines()
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
    ]
    assert listening == [f"0100007F:{port:04X}"]


def test_stop_ends_a_running_dream_and_the_daemon(own_daemon: Daemon) -> None:
    with contextlib.closing(own_daemon.connect()) as client:
        dream = start_dream(client, 800)
        finish(client, dream, lambda d: d.state is State.RUNNING)
        with contextlib.closing(own_daemon.connect()) as other:
            assert ask(other, "stop")["op"] == "stopping"
        finish(client, dream)
        assert dream.state is State.CANCELLED
    assert own_daemon.wait() == 0
    assert not (own_daemon.home / "daemon.json").exists()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_signals_stop_it_in_order(own_daemon: Daemon, name: str) -> None:
    with contextlib.closing(own_daemon.connect()) as client:
        dream = start_dream(client, 800)
        finish(client, dream, lambda d: d.state is State.RUNNING)
        own_daemon.process.send_signal(getattr(signal, name))
        finish(client, dream)
        assert dream.state is State.CANCELLED
    assert own_daemon.wait() == 0
    assert not (own_daemon.home / "daemon.json").exists()


def test_it_stops_in_bounded_time_while_the_studio_is_being_loaded(home: Path) -> None:
    marker = home.parent / "loading"
    daemon = Daemon(home, str(marker))  # loads for 3 s
    with contextlib.closing(daemon.connect()) as client:
        wait_until(marker.exists)
        began = time.monotonic()
        ask(client, "stop")
    assert daemon.wait() == 0
    assert time.monotonic() - began < 2.5


def test_a_daemon_that_is_slow_to_stop_is_no_longer_discoverable(own_daemon: Daemon) -> None:
    with (
        contextlib.closing(own_daemon.connect()) as client,
        contextlib.closing(own_daemon.connect()) as other,
    ):
        dream = start_dream(client, 1)
        wait_until(lambda: ask(other, "status")["done"] == 1)
        ask(other, "stop")  # it waits until the client has read its result
        wait_until(lambda: not own_daemon.published)
        assert own_daemon.process.poll() is None
        refused = start_dream(other, 1)
        finish(other, refused)
        assert "stopping" in refused.text
        finish(client, dream)
        assert dream.state is State.DONE
    assert own_daemon.wait() == 0


def test_hello_and_status_are_answered_while_the_studio_is_being_loaded(home: Path) -> None:
    marker = home.parent / "loading"
    daemon = Daemon(home, str(marker))  # loads for 3 s
    try:
        with contextlib.closing(daemon.connect()) as client:
            wait_until(marker.exists)
            assert ask(client, "status")["device"] is None
            daemon.connect().close()
            dream = start_dream(client, 1)
            finish(client, dream, lambda d: d.state is State.RUNNING)
            assert dream.text == "Loading PyTorch…"
            finish(client, dream)
            assert dream.state is State.DONE
            assert ask(client, "status")["device"] == "cpu"
    finally:
        daemon.kill()


def test_a_second_daemon_says_that_one_is_running(own_daemon: Daemon) -> None:
    second = subprocess.run(FAKE, capture_output=True, text=True, timeout=SOON, check=False)
    assert second.returncode == 0
    assert str(own_daemon.process.pid) in second.stdout
    assert "already running" in second.stdout
    with contextlib.closing(own_daemon.connect()) as client:
        assert ask(client, "status")["pid"] == own_daemon.process.pid


def test_a_daemon_started_while_another_stops_takes_over(own_daemon: Daemon) -> None:
    with contextlib.closing(own_daemon.connect()) as client:
        ask(client, "stop")
        following = Daemon(own_daemon.home)
    try:
        with contextlib.closing(following.connect()) as client:
            assert ask(client, "status")["pid"] == following.process.pid
    finally:
        following.kill()


def test_a_client_starts_a_daemon_and_says_so(launched: list[Client]) -> None:
    said: list[str] = []
    with contextlib.closing(launch.connect(FAKE, said.append)) as client:
        assert ask(client, "status")["op"] == "status"
    assert "Starting the Dreamlayer daemon…" in said
    running = launch.connect_to_running()
    assert running is not None
    running.close()


def test_an_unexpected_error_is_reported_with_the_path_of_the_log(launched: list[Client]) -> None:
    with contextlib.closing(launch.connect(FAKE)) as client:
        dream = start_dream(client, 903)
        finish(client, dream)
    log = discovery.home() / "daemon.log"
    assert str(log) in dream.text
    assert "KeyError" in log.read_text()


def test_many_clients_at_once_start_one_daemon(launched: list[Client]) -> None:
    pids = []
    before = running()

    def go() -> None:
        with contextlib.closing(launch.connect(FAKE)) as client:
            pids.append(ask(client, "status")["pid"])

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert len(pids) == 4
    assert len(set(pids)) == 1
    wait_until(lambda: running() - before == set(pids))  # those that came too late have gone


def running() -> set[int]:
    """The processes that this one has started and that have not ended."""
    children = psutil.Process().children()
    return {child.pid for child in children if child.status() != psutil.STATUS_ZOMBIE}


def test_after_a_crash_the_next_call_starts_a_new_daemon(launched: list[Client]) -> None:
    client = launch.connect(FAKE)
    with contextlib.closing(client):
        pid = ask(client, "status")["pid"]
        dream = start_dream(client, 800)
        finish(client, dream, lambda d: d.state is State.RUNNING)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(LinkError, match="lost"):
            finish(client, dream)
    with contextlib.closing(launch.connect(FAKE)) as following:
        assert ask(following, "status")["pid"] != pid


@pytest.mark.parametrize("manner", ["nobody", "hangs up", "web server"])
def test_a_stale_discovery_file_is_ignored(home: Path, launched: list[Client], manner: str) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        discovery.publish(DaemonInfo(PROTOCOL, "0.1.0", f"tcp://127.0.0.1:{port}", "old", 1))
        if manner == "nobody":
            server.close()
        else:
            threading.Thread(target=_serve_badly, args=(server, manner), daemon=True).start()
        with contextlib.closing(launch.connect(FAKE)) as client:
            assert ask(client, "status")["op"] == "status"


def _serve_badly(server: socket.socket, manner: str) -> None:
    with contextlib.suppress(OSError):  # the test has closed the socket
        while True:
            connection, _address = server.accept()
            with connection:
                if manner == "web server":
                    connection.recv(64)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pid": 1}', "\0" * 1000])
def test_a_damaged_discovery_file_counts_as_none(home: Path, text: str) -> None:
    home.mkdir()
    (home / "daemon.json").write_text(text)
    assert discovery.find() is None


def test_a_daemon_that_cannot_start_is_reported_with_its_output(home: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no room left in here')"]
    with pytest.raises(LinkError, match="no room left in here"):
        launch.connect(command)


def test_the_io_side_does_not_load_torch() -> None:
    code = "import sys, dreamlayer.server.main; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unlocked_lock_file_is_no_obstacle(home: Path) -> None:
    home.mkdir()
    (home / "daemon.lock").write_text("4711")
    daemon = Daemon(home)
    with contextlib.closing(daemon.connect()) as client:
        assert ask(client, "status")["pid"] == daemon.process.pid
    daemon.kill()


def test_another_daemons_discovery_file_is_not_removed(home: Path) -> None:
    discovery.publish(DaemonInfo(1, "0", "tcp://127.0.0.1:1", "t", 7))
    discovery.withdraw(8)
    assert discovery.find() is not None
    discovery.withdraw(7)
    assert discovery.find() is None


def test_the_last_messages_are_answered_before_the_daemon_ends(own_daemon: Daemon) -> None:
    with contextlib.closing(own_daemon.connect()) as client:
        dreams = [start_dream(client, 5) for _ in range(3)]
        client.send({"op": "stop", "id": "s"})
        ended: list[str] = []
        while len(ended) < 3:
            header, _frames = receive(client)
            if header["op"] == "cancelled":
                ended.append(header["id"])
        assert sorted(ended) == sorted(d.request.id for d in dreams)
