"""The daemon's folder and files: stale, damaged, gone, or on a disk that is full."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from dreamlayer.server.config import settings
from dreamlink.client import discovery, launch
from dreamlink.client.client import Client, LinkError
from dreamlink.client.discovery import DaemonInfo
from dreamlink.session.dream import Dream, State
from dreamlink.wire.messages import PROTOCOL, unpack
from tests.faults.catalogue import fault
from tests.faults.painter import Painter, alive, dreamed, end_daemon
from tests.faults.test_wire import publish, server
from tests.fuzz.handshakes import STRANGERS
from tests.server.daemons import FAKE, ask, wait_until
from tests.server.test_proof import Impostor

GARBAGE = ("", "{", "[]", "null", "\0" * 5000, '{"pid": "x"}', '{"a":' * 5000)


def running(painter: Painter) -> DaemonInfo:
    assert painter.dream().state is State.DONE
    painter.layers.clear()
    info = discovery.find()
    assert info is not None
    return info


@fault(
    "stale discovery file", "it names a port where no program listens", "next call starts a daemon"
)
def test_a_stale_discovery_file(painter: Painter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    publish(port)
    painter.next_call_works()


@fault(
    "another program's port",
    "daemon.json names a web server, SSH, Redis …",
    "next call starts a daemon",
)
def test_the_port_of_another_program(painter: Painter) -> None:
    for answer in STRANGERS:
        with server(answer) as port:
            publish(port)
            assert launch.connect_to_running() is None
    with server(STRANGERS[0]) as port:
        publish(port)
        painter.next_call_works()


@fault(
    "an impostor on the daemon's port",
    "the daemon is killed; another program answers as it would, but for the proof",
    "it gets neither token nor pixels; the dream is done by a new daemon",
)
def test_an_impostor(painter: Painter) -> None:
    info = running(painter)
    end_daemon(info.pid)
    wait_until(lambda: not alive(info.pid))
    impostor = Impostor(info, "reflected")
    try:
        dreamed(painter, painter.dream())
    finally:
        heard = impostor.end()
    assert not any(info.token.encode() in words for words in heard["shown"])
    assert {unpack(words)["op"] for words in heard["sent"]} == {"hello"}


@pytest.mark.skipif(os.name != "posix", reason="plants Unix' links")
@fault(
    "links planted as Dreamlayer's files",
    "daemon.err, daemon.log, daemon.lock and daemon.json lead to another file",
    "that file stays as it is; the dream is done",
)
def test_planted_links(painter: Painter, home: Path, tmp_path: Path) -> None:
    home.mkdir(parents=True)
    (tmp_path / "precious").write_text("precious")
    for name in ("daemon.err", "daemon.log", "daemon.lock", "daemon.json"):
        (home / name).symlink_to(tmp_path / "precious")
    dreamed(painter, painter.dream())
    assert (tmp_path / "precious").read_text() == "precious"


@fault(
    "modules planted in the current folder",
    "modules with the names of the daemon's libraries, there and in Dreamlayer's folder",
    "not imported; the dream is done",
)
def test_planted_modules(painter: Painter, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir(parents=True)
    for name in ("filelock", "zmq", "msgpack", "sitecustomize"):
        (home / f"{name}.py").write_text("raise SystemExit('planted')")
    monkeypatch.chdir(home)
    code = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')"
    painter.command = [sys.executable, "-c", code, FAKE[-1]]  # imports from the current folder
    dreamed(painter, painter.dream())


@fault(
    "another computer in daemon.json",
    "an endpoint on another computer",
    "not contacted; next call starts a daemon",
)
def test_an_endpoint_elsewhere(painter: Painter, home: Path) -> None:
    discovery.publish(DaemonInfo(PROTOCOL, "0", "tcp://192.0.2.1:4711", "token", 1))
    assert discovery.find() is None
    painter.next_call_works()


@fault(
    "old token",
    "daemon.json from before the daemon was restarted",
    "refused; next call works with the new one",
)
def test_an_old_token(painter: Painter) -> None:
    info = running(painter)
    with pytest.raises(LinkError, match=r"token|refused"):
        Client.connect(DaemonInfo(PROTOCOL, "0", info.endpoint, "old" * 14, info.pid), 5.0)
    painter.next_call_works()


@fault(
    "damaged discovery file",
    "daemon.json empty, truncated, of another type",
    "next call starts a daemon",
)
def test_a_damaged_discovery_file(painter: Painter, home: Path) -> None:
    home.mkdir(parents=True)
    for text in GARBAGE:
        (home / "daemon.json").write_text(text)
        assert discovery.find() is None
    painter.next_call_works()


@fault(
    "damaged settings",
    "settings.json empty, truncated, of another type",
    "defaults apply, and a line in the log",
)
def test_damaged_settings(painter: Painter, home: Path) -> None:
    home.mkdir(parents=True)
    for text in GARBAGE:
        (home / "settings.json").write_text(text)
        assert settings.load({}).settings == settings.Settings()
    for text in ('{"grace": "soon", "no such": 1}', GARBAGE[-1]):
        (home / "settings.json").write_text(text)
        painter.next_call_works()
        info = discovery.find()
        assert info is not None
        end_daemon(info.pid)
    assert "settings.json" in (home / "daemon.log").read_text()


@fault(
    "damaged launcher",
    "launcher.json empty, truncated, of another type",
    "the user is told to run install.py; works when it is repaired",
)
def test_a_damaged_launcher(painter: Painter, home: Path) -> None:
    home.mkdir(parents=True)
    painter.command = ()
    for text in (*GARBAGE, '{"command": []}', '{"command": "rm -rf"}'):
        (home / "launcher.json").write_text(text)
        dream = painter.dream()
        assert "install.py" in dream.text
        painter.nothing_is_lost(dream)
    (home / "launcher.json").write_text(json.dumps({"command": FAKE}))
    painter.next_call_works()


@fault(
    "home removed",
    "the folder is deleted under a running daemon",
    "its dream is done; it is discoverable again, or makes way for another",
)
def test_the_home_is_removed(painter: Painter, home: Path) -> None:
    info = running(painter)
    dream = painter.begin(4)
    painter.follow(dream, lambda d: d.state is State.RUNNING)
    shutil.rmtree(home)
    painter.follow(dream)
    dreamed(painter, dream)
    now = discovery.find()
    assert now is not None
    wait_until(lambda: now.pid == info.pid or not alive(info.pid))


@fault(
    "discovery file removed",
    "daemon.json is deleted, or overwritten with noise, under a running daemon",
    "written again; clients find the daemon",
)
def test_the_discovery_file_is_removed(painter: Painter, home: Path) -> None:
    info = running(painter)
    (home / "daemon.json").unlink()
    wait_until(lambda: discovery.find() == info)
    (home / "daemon.json").write_bytes(os.urandom(300))
    wait_until(lambda: discovery.find() == info)
    painter.next_call_works()


@fault(
    "discovery file replaced",
    "another daemon wrote daemon.json and took this one's place",
    "the replaced daemon finishes its dream and ends",
)
def test_a_daemon_that_nobody_finds_ends(painter: Painter) -> None:
    info = running(painter)
    dream = painter.begin(60)
    painter.follow(dream, lambda d: d.state is State.RUNNING)
    publish(1)
    painter.follow(dream)
    wait_until(lambda: not alive(info.pid))
    dreamed(painter, dream)


@fault(
    "home is a file",
    "a file lies where the folder should be",
    "reported; works when the file is moved",
)
def test_the_home_is_a_file(painter: Painter, home: Path) -> None:
    home.write_text("not a folder")
    dream = painter.dream()
    painter.nothing_is_lost(dream)
    assert dream.state is State.FAILED
    home.unlink()
    painter.next_call_works()


@pytest.mark.skipif(sys.platform != "linux", reason="a folder that root can't write either")
@fault("read-only home", "a folder without write permission", "reported, with the folder's name")
def test_a_read_only_home(painter: Painter, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DREAMLAYER_HOME", "/proc/dreamlayer")
    dream = painter.dream()
    assert "/proc/dreamlayer" in dream.text
    painter.nothing_is_lost(dream)
    monkeypatch.setenv("DREAMLAYER_HOME", str(home))
    painter.next_call_works()


def full(pid: int, *, now: bool) -> None:
    """A disk on which process `pid` can't write a byte any more, or can again."""
    import resource

    _soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0 if now else hard, hard))


linux = pytest.mark.skipif(sys.platform != "linux", reason="limits another process' files")


@linux
@fault(
    "full disk in a dream",
    "no further byte of the log can be written",
    "the dream is done; next call works",
)
def test_a_full_disk_in_a_dream(painter: Painter) -> None:
    info = running(painter)
    full(info.pid, now=True)
    dreamed(painter, painter.dream())


@linux
@fault(
    "full disk with a result to keep",
    "its client has gone and the result can't be written",
    "it waits in memory and is fetched",
)
def test_a_full_disk_for_a_result_to_keep(painter: Painter) -> None:
    info = running(painter)
    full(info.pid, now=True)
    dream = painter.begin(5, keep=True)
    painter.follow(dream, lambda d: d.state is State.RUNNING)
    painter.leave()
    with launch_connection(painter) as client:
        wait_until(lambda: not ask(client, "status")["jobs"])
    _fetch(painter, dream)
    dreamed(painter, dream)


@linux
@fault(
    "full disk at the start",
    "the daemon can't write daemon.json",
    "reported; works when there is room",
)
def test_a_full_disk_at_the_start(painter: Painter, home: Path) -> None:
    code = (
        "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    painter.command = [sys.executable, "-c", code, *FAKE]
    dream = painter.dream()
    assert dream.state is State.FAILED
    assert "did not start" in dream.text
    painter.nothing_is_lost(dream)
    painter.command = FAKE
    painter.next_call_works()


def launch_connection(painter: Painter) -> contextlib.closing[Client]:
    return contextlib.closing(launch.connect(painter.command))


def _fetch(painter: Painter, dream: Dream) -> None:
    line = painter.connect()
    line.send({"op": "fetch", "id": dream.request.id})
    painter.follow(dream)
    with launch_connection(painter) as client:
        client.send({"op": "received", "id": dream.request.id})
