"""Modules that must be loaded late: help loads little, and hello is answered before torch."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dreamlayer.runtime import allocator
from tests.server.daemons import Daemon, ask

COLD = 120.0  # seconds for torch to come from a cold disk of a busy machine
HEAVY = {"torch", "torchvision", "numpy", "PIL", "safetensors"}
LINK = {
    "zmq",
    "msgpack",
    "filelock",
    "psutil",
    "tqdm",
    "dreamlink.client.client",
    "dreamlayer.networks.registry.registry",
}

LOADED = """
import contextlib, io, sys
from dreamlayer.cli.main import main
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as said:
    main(sys.argv[1:])
assert said.getvalue().startswith("usage: dreamlayer")
print(*sys.modules)
"""

# Serves as `dreamlayer serve` does, but writes down what was loaded when hello was answered.
SERVE = """
import sys
from pathlib import Path
from dreamlayer.server import main
from dreamlayer.server.requests import session
hello = session.RequestSessions._hello
def spy(self, *arguments):
    Path(sys.argv[1]).write_text(" ".join(sys.modules))
    return hello(self, *arguments)
session.RequestSessions._hello = spy
main.serve()
"""


@pytest.mark.parametrize("arguments", [(), ("dream",), ("serve",), ("models",), ("settings",)])
def test_help_loads_nothing_that_only_work_needs(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", LOADED, *arguments, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not (HEAVY | LINK) & set(done.stdout.split())


def test_hello_is_answered_before_torch_is_loaded(home: Path, tmp_path: Path) -> None:
    """And before anything else that is slow to load, as the client waits for it."""
    told = tmp_path / "modules.txt"
    daemon = Daemon(home, str(told), program=[sys.executable, "-c", SERVE])
    try:
        with contextlib.closing(daemon.connect()) as client:
            loaded = set(told.read_text().split())
            assert not HEAVY & loaded
            assert not {"importlib.metadata", "psutil"} & loaded
            end = time.monotonic() + COLD
            while ask(client, "status")["device"] is None:  # it is loaded behind that
                assert time.monotonic() < end, daemon.log.read_text()
                time.sleep(0.1)
            ask(client, "stop")
        assert daemon.wait() == 0
    finally:
        daemon.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process has loaded")
def test_a_daemon_that_nobody_needs_stays_small(home: Path) -> None:
    """One that was started at login loads no torch, which takes 0.3 GB."""
    daemon = Daemon(home, program=[sys.executable, "-m", "dreamlayer", "serve"])
    try:
        time.sleep(5.0)
        folder = Path("/proc", str(daemon.process.pid))
        assert "libtorch" not in (folder / "maps").read_text()
        (resident,) = re.findall(r"VmRSS:\s+(\d+) kB", (folder / "status").read_text())
        assert int(resident) < 64 * 1024
        daemon.process.terminate()
        assert daemon.wait() == 0
    finally:
        daemon.kill()


@pytest.mark.skipif(allocator._glibc("mallopt") is None, reason="only glibc has such a cache")
def test_the_daemon_begins_anew_without_the_allocators_cache(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same process, and the user's own glibc tunables are kept."""
    monkeypatch.setenv(allocator.TUNABLES, "glibc.malloc.perturb=0")
    monkeypatch.delenv(allocator.RESTARTED, raising=False)
    daemon = Daemon(home, program=[sys.executable, "-m", "dreamlayer", "serve"])
    try:
        told = Path(f"/proc/{daemon.process.pid}/environ").read_text()
        told = told.replace("\0", ":")  # glibc cuts it up there
        assert "GLIBC_TUNABLES=glibc.malloc.perturb=0:glibc.malloc.tcache_count=0:" in told
        with contextlib.closing(daemon.connect()) as client:
            ask(client, "stop")
        assert daemon.wait() == 0
    finally:
        daemon.kill()
