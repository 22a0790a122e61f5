"""Too many processes, stopped ones, two daemons at once, no file descriptors left."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dreamlayer import daemon_client
from dreamlink.client import discovery, launch
from dreamlink.client.client import Client, LinkError
from dreamlink.client.discovery import DaemonInfo
from dreamlink.session.dream import State
from tests.faults.catalogue import fault
from tests.faults.painter import Painter, dreamed
from tests.server.daemons import FAKE, SOON, ask, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="uses Linux' signals and limits")
CROWD = 200


@pytest.fixture
def info(painter: Painter) -> DaemonInfo:
    """A daemon that runs and has dreamed."""
    assert painter.dream().state is State.DONE
    painter.layers.clear()
    found = discovery.find()
    assert found is not None
    return found


@contextlib.contextmanager
def asleep(pid: int) -> Iterator[None]:
    """A process that does not go on meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@fault(
    "daemon stopped in a dream",
    "SIGSTOP for half a second, SIGCONT",
    "the dream continues and is done",
)
def test_the_daemon_sleeps_in_a_dream(painter: Painter, info: DaemonInfo) -> None:
    dream = painter.begin(6)
    painter.follow(dream, lambda d: d.state is State.RUNNING)
    with asleep(info.pid):
        time.sleep(0.5)
    painter.follow(dream)
    dreamed(painter, dream)


@fault(
    "daemon that does not answer",
    "SIGSTOP when a client connects",
    "reported; works when the daemon continues",
)
def test_a_daemon_that_hangs(painter: Painter, info: DaemonInfo) -> None:
    with asleep(info.pid), pytest.raises(LinkError, match=r"\.$"):
        Client.connect(info, 0.5)
    painter.next_call_works()


@fault(
    "client stopped in its dream",
    "a host that sleeps longer than the grace time",
    "its dream is done when it wakes",
)
def test_a_client_sleeps_in_its_dream(painter: Painter, info: DaemonInfo) -> None:
    dream = painter.begin(4)
    time.sleep(1.0)  # three times the grace time, without reading or writing
    painter.follow(dream)
    dreamed(painter, dream)


@fault(
    "crowd of connections",
    f"{CROWD} at once",
    "those beyond the limit refused; those within, and the next, served",
)
def test_a_crowd_of_connections(painter: Painter, info: DaemonInfo) -> None:
    dream = painter.begin(5)
    port = int(info.endpoint.rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        for _ in range(CROWD):
            with contextlib.suppress(OSError):
                stack.enter_context(socket.create_connection(("127.0.0.1", port), SOON))
        painter.follow(dream)
        assert dream.state is State.DONE, dream.text
    dreamed(painter, dream)


@fault(
    "crowd of clients",
    "100 at once, where 64 are allowed",
    "the rest get a sentence; all that are connected are served",
)
def test_a_crowd_of_clients(painter: Painter, info: DaemonInfo) -> None:
    def come(_number: int) -> Client | str:
        try:
            return Client.connect(info, SOON)
        except LinkError as error:
            return str(error)

    with ThreadPoolExecutor(10) as pool:
        came = list(pool.map(come, range(100)))
    inside = [one for one in came if isinstance(one, Client)]
    told = {one for one in came if isinstance(one, str)}
    assert 1 <= len(inside) < 100
    assert all(sentence.endswith(".") for sentence in told), told
    for client in inside:
        assert ask(client, "status")["op"] == "status"
        client.close()
    wait_until(lambda: painter.dream().state is State.DONE or painter.layers.clear() is not None)
    painter.next_call_works()


@fault(
    "crowd of commands",
    "twelve at once, where three may be connected",
    "each waits for its turn and is served",
)
def test_a_crowd_of_commands(
    painter: Painter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DREAMLAYER_CONNECTIONS_MAX", "3")
    monkeypatch.setattr(daemon_client, "PAUSE_IF_FULL", 0.1)
    assert painter.dream().state is State.DONE
    painter.leave()

    def command(_number: int) -> str:
        with contextlib.closing(daemon_client.daemon()) as client:
            time.sleep(0.1)
            return str(ask(client, "status")["op"])

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(command, range(12))) == ["status"] * 12
    assert daemon_client.FULL in capsys.readouterr().err


@fault(
    "fork bomb of clients",
    "eight programs that all start the daemon at once",
    "one daemon serves them all",
)
def test_a_fork_bomb_of_clients(painter: Painter, home: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from tests.faults.painter import Painter; from dreamlink.client import discovery;"
        "p = Painter(); d = p.dream(); p.nothing_is_lost(d);"
        "print(d.state.value, discovery.find().pid)"
    )
    root = str(Path(__file__).parents[2])
    programs = [
        subprocess.Popen([sys.executable, "-c", code, root], stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    said = {program.communicate(timeout=60)[0].strip() for program in programs}
    assert len(said) == 1, said
    assert said.pop().startswith("done ")
    painter.next_call_works()


@fault("two daemons at once", "three started together", "one serves, the others say so and end")
def test_two_daemons_at_once(painter: Painter, home: Path) -> None:
    home.mkdir(parents=True)
    daemons = [
        subprocess.Popen(FAKE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(3)
    ]
    wait_until(lambda: sum(daemon.poll() is None for daemon in daemons) == 1)
    for daemon in daemons:
        if daemon.poll() is not None:
            assert daemon.returncode == 0
            assert "already running" in daemon.communicate(timeout=SOON)[0]
    painter.next_call_works()
    for daemon in daemons:
        daemon.kill()
        daemon.communicate(timeout=SOON)


@fault(
    "daemon out of handles",
    "no more open files allowed, ten clients connect",
    "connected clients continue; works when handles are free",
)
def test_out_of_file_descriptors(painter: Painter, info: DaemonInfo) -> None:
    import resource

    dream = painter.begin(10)
    painter.follow(dream, lambda d: d.state is State.RUNNING)
    _soft, hard = resource.prlimit(info.pid, resource.RLIMIT_NOFILE)
    now = max(int(path.name) for path in Path(f"/proc/{info.pid}/fd").iterdir()) + 1
    resource.prlimit(info.pid, resource.RLIMIT_NOFILE, (now, hard))
    port = int(info.endpoint.rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), SOON))
        with pytest.raises(LinkError):
            Client.connect(info, 0.5)
        painter.follow(dream)
    resource.prlimit(info.pid, resource.RLIMIT_NOFILE, (1024, hard))
    dreamed(painter, dream)


@fault(
    "client out of handles",
    "no more open files allowed to the host",
    "reported; works when handles are free",
)
def test_a_client_out_of_file_descriptors(painter: Painter, info: DaemonInfo) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises((LinkError, OSError)):
            launch.connect(painter.command)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    painter.next_call_works()


@fault(
    "two hosts in one document's dream",
    "the same dream id from two clients",
    "both are answered, and neither gets the other's pixels",
)
def test_the_same_id_from_two_clients(painter: Painter, info: DaemonInfo) -> None:
    other = Painter()
    name = "0123456789abcdef"
    first, second = painter.begin(5, id=name), other.begin(5, id=name)
    other.follow(second)
    painter.follow(first)
    for one, dream in ((painter, first), (other, second)):
        one.nothing_is_lost(dream)
    assert State.DONE in (first.state, second.state)
    other.leave()
    painter.next_call_works()


@fault(
    "launcher that never listens",
    "the daemon's command starts another program",
    "reported with the program's last output",
)
def test_a_launcher_that_starts_something_else(painter: Painter) -> None:
    painter.command = [sys.executable, "-c", "raise SystemExit('I am a teapot')"]
    dream = painter.dream()
    assert "I am a teapot" in dream.text
    painter.nothing_is_lost(dream)
    painter.command = FAKE
    painter.next_call_works()
