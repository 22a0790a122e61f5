"""The daemon is killed at every stage of its life and of a dream."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from dreamlink.client import discovery, launch
from dreamlink.client.client import LinkError
from dreamlink.session.dream import State
from tests.faults.catalogue import fault
from tests.faults.painter import Painter, alive, dreamed, told
from tests.server.daemons import ask, wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
AGAIN = "call Deep Dream again"


def dying(home: Path, stage: str) -> Painter:
    command = [sys.executable, str(Path(__file__).parent / "failing_daemon.py"), stage]
    return Painter([*command, str(home.parent / "happened")])


@fault(
    "daemon killed before it listens",
    "SIGKILL after it took the lock",
    "reported; next call starts another",
)
def test_killed_when_it_has_the_lock(home: Path) -> None:
    painter = dying(home, "claimed")
    told(painter, painter.dream(), "did not start")


@fault(
    "daemon killed before it is discoverable",
    "SIGKILL before daemon.json is written",
    "reported; next call starts another",
)
def test_killed_before_it_publishes(home: Path) -> None:
    painter = dying(home, "starting")
    told(painter, painter.dream(), "did not start")


@fault(
    "daemon killed while it loads",
    "SIGKILL when PyTorch is loaded",
    "reported; next call starts another",
)
def test_killed_while_loading(home: Path) -> None:
    painter = dying(home, "loading")
    told(painter, painter.dream(), "lost", AGAIN)


@fault(
    "daemon killed during an upload",
    "SIGKILL at the first piece",
    "reported; next call starts another",
)
def test_killed_while_receiving_pixels(home: Path) -> None:
    painter = dying(home, "receiving")
    told(painter, painter.dream(), "lost", AGAIN)


@fault(
    "daemon killed when a dream is queued",
    "SIGKILL in the queue",
    "reported; next call starts another",
)
def test_killed_when_queued(home: Path) -> None:
    painter = dying(home, "queued")
    told(painter, painter.dream(), "lost", AGAIN)


@fault(
    "daemon killed at the first tile",
    "SIGKILL when a dream begins",
    "reported; next call starts another",
)
def test_killed_at_the_first_tile(home: Path) -> None:
    painter = dying(home, "first tile")
    told(painter, painter.dream(), "lost", AGAIN)


@fault(
    "daemon killed in a dream",
    "SIGKILL after three of ten tiles",
    "reported; next call starts another",
)
def test_killed_midway(home: Path) -> None:
    painter = dying(home, "midway")
    told(painter, painter.dream(10), "lost", AGAIN)


@fault(
    "daemon killed with the result ready",
    "SIGKILL before it is sent",
    "reported; next call starts another",
)
def test_killed_with_the_result(home: Path) -> None:
    painter = dying(home, "result")
    told(painter, painter.dream(), "lost", AGAIN)


@fault(
    "daemon killed while it sends the result",
    "SIGKILL in 48 MB of pixels",
    "complete or reported; next call works",
)
def test_killed_while_sending(home: Path) -> None:
    painter = dying(home, "sending")
    painter.picture = type(painter.picture)(4000, 4000, "U8", "RGB")
    painter.document = bytearray(os.urandom(1 << 20) * 46)[: painter.picture.nbytes]
    painter.document.extend(bytes(painter.picture.nbytes - len(painter.document)))
    painter.before = bytes(painter.document)
    dream = painter.dream()
    painter.nothing_is_lost(dream)
    painter.next_call_works()


@fault(
    "daemon killed in a blend",
    "SIGKILL when a finished dream is blended again",
    "the dream stays; next call works",
)
def test_killed_while_blending(home: Path) -> None:
    painter = dying(home, "blending")
    dream = painter.dream()
    line = painter.line
    assert dream.state is State.DONE
    assert line is not None
    blend = dream.blend(dream.request.recipe)
    with pytest.raises(LinkError, match="lost"):
        while not blend.over:
            line.feed(blend, 5.0)  # type: ignore[arg-type]
    dreamed(painter, dream)


@fault(
    "daemon killed while it stops",
    "SIGKILL while it shuts down",
    "its file is stale; next call starts another",
)
def test_killed_while_stopping(home: Path) -> None:
    painter = dying(home, "stopping")
    dream = painter.dream()
    client = launch.connect(painter.command)
    pid = ask(client, "status")["pid"]
    client.send({"op": "stop", "id": "s"})
    wait_until(lambda: not alive(pid))
    client.close()
    assert discovery.find() is not None
    dreamed(painter, dream)


@fault(
    "daemon killed between two dreams",
    "SIGKILL while a client is connected",
    "next call starts another",
)
def test_killed_while_idle(painter: Painter) -> None:
    dream = painter.dream()
    info = discovery.find()
    assert info is not None
    os.kill(info.pid, signal.SIGKILL)
    dreamed(painter, dream)


@fault(
    "daemon killed again and again",
    "SIGKILL in three dreams, one after the other",
    "each is reported; the fourth call works",
)
def test_killed_three_times(painter: Painter) -> None:
    for _ in range(3):
        dream = painter.begin(100)
        painter.follow(dream, lambda d: d.state is State.RUNNING)
        info = discovery.find()
        assert info is not None
        os.kill(info.pid, signal.SIGKILL)
        painter.follow(dream)
        assert "lost" in dream.text
        painter.nothing_is_lost(dream)
    painter.next_call_works()
