"""Machines that share Dreamlayer's folder: a daemon for each, as each has its own 127.0.0.1."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dreamlayer.server.lifecycle import single_instance
from dreamlink.client import discovery, launch, machine
from dreamlink.client.client import Client
from tests.server import fake_daemon
from tests.server.daemons import FAKE, SOON, Daemon, ask, wait_until

FIRST, SECOND = "1" * 16, "2" * 16
LOOPBACK_UP = (  # a new network namespace has 127.0.0.1, but switched off
    "import fcntl, os, socket, struct, sys;"
    "request = struct.pack('16sh22x', b'lo', 0x1043);"
    "fcntl.ioctl(socket.socket(), 0x8914, request);"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


def on_machine(identity: str) -> list[str]:
    """The command of a daemon that runs on that machine."""
    code = (
        "import runpy; from dreamlink.client import machine;"
        f"machine.identity = lambda: {identity!r};"
        f"runpy.run_path({fake_daemon.__file__!r}, run_name='__main__')"
    )
    return [sys.executable, "-c", code]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets this process run on a machine."""
    return lambda identity: monkeypatch.setattr(machine, "identity", lambda: identity)


@pytest.fixture
def daemons(home: Path, use: Callable[[str], None]) -> Iterator[Callable[[str], Daemon]]:
    """Starts daemons on machines."""
    with contextlib.ExitStack() as stack:

        def start(identity: str) -> Daemon:
            use(identity)
            daemon = Daemon(home, program=on_machine(identity))
            stack.callback(daemon.kill)
            return daemon

        yield start


def answers(pid: int) -> bool:
    """Whether this machine's daemon is that process."""
    info = discovery.find()
    assert info is not None
    with contextlib.closing(Client.connect(info, SOON)) as client:
        return bool(ask(client, "status")["pid"] == pid == info.pid)


def test_each_machine_finds_its_own_daemon(
    home: Path, daemons: Callable[[str], Daemon], use: Callable[[str], None]
) -> None:
    first = daemons(FIRST)
    assert (home / "daemon.json").exists()  # where older plug-ins look for it
    second = daemons(SECOND)
    assert answers(second.process.pid)
    use(FIRST)
    assert answers(first.process.pid)
    with pytest.raises(single_instance.AlreadyRunning, match=f"process {first.process.pid}"):
        single_instance.claim()
    first.process.terminate()
    first.wait()
    assert discovery.find() is None
    use(SECOND)
    assert answers(second.process.pid)
    assert {path.name for path in home.glob("daemon.log")} == {"daemon.log"}
    assert (home / "machines" / SECOND / "daemon.log").stat().st_size > 0


def test_the_second_machine_takes_over_when_the_first_has_no_daemon(
    home: Path, daemons: Callable[[str], Daemon]
) -> None:
    daemons(FIRST).kill()  # its discovery file stays
    second = daemons(SECOND)
    assert answers(second.process.pid)
    assert not (home / "machines").exists()  # as after each start of a Linux system
    second.kill()
    assert daemons(FIRST).published
    assert not (home / "machines").exists()


def test_a_daemon_from_before_there_were_machines_is_found(
    home: Path, use: Callable[[str], None]
) -> None:
    use("")
    discovery.publish(discovery.DaemonInfo(1, "0", "tcp://127.0.0.1:5", "t", 7))
    (home / "daemon.machine").unlink(missing_ok=True)
    use(FIRST)
    assert discovery.find() is not None


def test_a_sandbox_that_hides_the_machine_finds_the_daemon(
    daemons: Callable[[str], Daemon], use: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = daemons(FIRST)
    monkeypatch.undo()
    monkeypatch.setenv("DREAMLAYER_HOME", str(daemon.home))
    monkeypatch.setattr(machine, "_name", lambda: Path("/nowhere/boot_id").read_text())
    assert machine.identity() == ""
    assert answers(daemon.process.pid)


def test_folders_of_other_machines_are_removed_when_they_are_old_or_many(
    home: Path, use: Callable[[str], None]
) -> None:
    use(FIRST)
    single_instance.claim().release()
    for number in range(single_instance.LEFT_MAX + 3):
        folder = home / "machines" / f"{number:016}"
        folder.mkdir(parents=True)
        log = folder / "daemon.log"
        log.write_text("{}")
        age = number * 3600.0 + (single_instance.LEFT_AGE if number == 5 else 0)
        os.utime(log, (time.time() - age,) * 2)
        os.utime(folder, (time.time() - age,) * 2)
    in_use = single_instance.FileLock(home / "machines" / f"{9:016}" / "daemon.lock")
    with in_use:
        os.utime(home / "machines" / f"{9:016}", (0, 0))
        os.utime(home / "machines" / f"{9:016}" / "daemon.lock", (0, 0))
        single_instance.claim().release()
    left = sorted(int(path.name) for path in (home / "machines").iterdir())
    assert left == [0, 1, 2, 3, 4, 6, 7, 8, 9]


def test_a_file_system_without_locks_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_lock: object, timeout: float) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(single_instance.FileLock, "acquire", refuse)
    with pytest.raises(OSError, match=r"has no locks .*: set .* DREAMLAYER_HOME .*\.$"):
        single_instance.claim()


# Real network namespaces.


def unshared(*command: str) -> list[str]:
    return ["unshare", "-n", sys.executable, "-c", LOOPBACK_UP, sys.executable, *command]


@pytest.fixture
def two_networks() -> None:
    possible = shutil.which("unshare") and os.geteuid() == 0
    if not possible or subprocess.run(unshared("-c", ""), check=False).returncode:
        pytest.skip("network namespaces can't be made here")


@pytest.mark.usefixtures("two_networks")
def test_two_network_namespaces_with_one_home(home: Path) -> None:
    """Each gets a daemon, which its commands find and the other's don't."""
    here = launch.connect(FAKE)
    mine = ask(here, "status")["pid"]
    code = (
        "from dreamlink.client import launch; from tests.server.daemons import FAKE, ask;"
        "client = launch.connect(FAKE); print(ask(client, 'status')['pid']);"
        "client.send({'op': 'stop', 'id': 'x'}); client.receive(20)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        unshared("-c", code), capture_output=True, text=True, cwd=root, timeout=60, check=False
    )
    assert done.stderr == ""
    assert int(done.stdout) != mine
    status = unshared("-m", "dreamlayer", "status")
    done = subprocess.run(status, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "The Dreamlayer daemon is not running.\n"
    with contextlib.closing(here):
        assert ask(here, "status")["pid"] == mine
        here.send({"op": "stop", "id": "x"})
    wait_until(lambda: discovery.find() is None)
