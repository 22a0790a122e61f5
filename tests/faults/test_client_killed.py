"""A client is killed at every stage: its work is dropped, others continue."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from dreamlink.client import discovery, launch
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State
from dreamlink.wire.messages import DreamRequest, new_id
from tests.faults.catalogue import fault
from tests.faults.painter import Painter, dreamed
from tests.fuzz.growth import Holdings, settled
from tests.server.daemons import SOON, ask, wait_until
from tests.server.fake_daemon import TURNED

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")


def vanish(painter: Painter, stage: str) -> str:
    """A client dies at a stage; the daemon lets go what it held. Its dream's id."""
    dream = painter.dream()
    assert dream.state is State.DONE
    info = discovery.find()
    assert info is not None
    name = new_id()
    with contextlib.closing(launch.connect(painter.command)) as client:
        before = Holdings.of(info.pid)
        program = [sys.executable, str(Path(__file__).parent / "vanishing_client.py"), stage, name]
        died = subprocess.run(program, capture_output=True, text=True, timeout=SOON, check=False)
        assert died.returncode == -9, died.stderr
        if stage != "keep":
            wait_until(lambda: not ask(client, "status")["jobs"])
        if before is not None:
            after = settled(info.pid, before)
            assert after.files <= before.files
    dreamed(painter, dream)
    return name


@fault(
    "client killed when connected",
    "SIGKILL before its greeting",
    "connection closed; others served",
)
def test_killed_when_connected(painter: Painter) -> None:
    vanish(painter, "connected")


@fault(
    "client killed in its greeting",
    "SIGKILL after 40 of 64 bytes",
    "connection closed; others served",
)
def test_killed_in_the_greeting(painter: Painter) -> None:
    vanish(painter, "greeting")


@fault(
    "client killed in the handshake", "SIGKILL after the token", "connection closed; others served"
)
def test_killed_in_the_handshake(painter: Painter) -> None:
    vanish(painter, "hello")


@fault("client killed after hello", "SIGKILL after its hello", "connection closed; others served")
def test_killed_when_introduced(painter: Painter) -> None:
    vanish(painter, "introduced")


@fault("client killed before its pixels", "SIGKILL after the header", "memory freed; others served")
def test_killed_before_its_pixels(painter: Painter) -> None:
    vanish(painter, "announced")


@fault("client killed in its pixels", "SIGKILL halfway through them", "memory freed; others served")
def test_killed_half_way_through_its_pixels(painter: Painter) -> None:
    vanish(painter, "half")


@fault(
    "client killed when queued", "SIGKILL before the first tile", "cancelled after the grace time"
)
def test_killed_when_queued(painter: Painter) -> None:
    vanish(painter, "queued")


@fault("client killed in its dream", "SIGKILL at the first tile", "cancelled after the grace time")
def test_killed_in_its_dream(painter: Painter) -> None:
    vanish(painter, "dreaming")


@fault(
    "client killed before its result",
    "SIGKILL with 27 MB of it unread",
    "result dropped after the grace time",
)
def test_killed_with_the_result_unread(painter: Painter) -> None:
    vanish(painter, "result")


@fault(
    "client killed in a blend", "SIGKILL before the blend is done", "blend dropped; others served"
)
def test_killed_in_a_blend(painter: Painter) -> None:
    vanish(painter, "blend")


@fault(
    "client killed with a dream to keep",
    "SIGKILL while the dream is computed",
    "the result waits and is fetched by its id",
)
def test_what_is_kept_waits_for_another_client(painter: Painter) -> None:
    name = vanish(painter, "keep")
    recipe = Recipe.of({"channels": "20"})
    line = painter.connect()
    request = DreamRequest(recipe, painter.picture, painter.picture.region, id=name, keep=True)
    dream = Dream(_Silent(), request)
    line.send({"op": "fetch", "id": name})
    painter.follow(dream)
    assert dream.state is State.DONE, dream.text
    assert dream.pixels == (bytes(range(256)) * 3).translate(TURNED)


class _Silent:
    def send(self, header: object, *frames: object) -> None:
        """The dream was begun by a client that is dead."""
