"""Helpers: a real daemon process with a fake studio, and requests to it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dreamlink.client import discovery
from dreamlink.client.client import Client, Message
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, Sender
from dreamlink.wire.messages import DreamRequest, Header, new_id

FAKE = [sys.executable, str(Path(__file__).parent / "fake_daemon.py")]
SLOW = 905  # the kind of trouble that is a second tile of 4 s
SOON = 20.0  # seconds; generous, as the machine may be busy


class Daemon:
    """A daemon that the test started."""

    def __init__(self, home: Path, *arguments: str, program: Sequence[str] = FAKE) -> None:
        self.home = home
        self.log = home / "test.log"
        home.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*program, *arguments], stdout=log, stderr=log)
        wait_until(lambda: self.published or self.process.poll() is not None)
        assert self.published, self.log.read_text()

    @property
    def published(self) -> bool:
        info = discovery.find()
        return info is not None and info.pid == self.process.pid

    @property
    def info(self) -> discovery.DaemonInfo:
        info = discovery.find()
        assert info is not None
        return info

    def connect(self) -> Client:
        return Client.connect(self.info, SOON)

    def wait(self) -> int:
        return self.process.wait(SOON)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(SOON)


@contextlib.contextmanager
def daemon_at(home: Path, **variables: str) -> Iterator[Daemon]:
    """A daemon in a folder and with environment variables that hold until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DREAMLAYER_HOME", str(home))
        for name, value in variables.items():
            patch.setenv(name, value)
        daemon = Daemon(home)
        yield daemon
        assert daemon.process.poll() is None, daemon.log.read_text()
        daemon.kill()


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def ask(client: Client, op: str, **fields: Any) -> Header:
    """The header that answers a request."""
    request_id = new_id()
    client.send({"op": op, "id": request_id, **fields})
    while True:
        header, _frames = receive(client)
        if header["id"] == request_id:
            return header


def receive(client: Client) -> Message:
    message = client.receive(SOON)
    assert message is not None, "no message came"
    return message


def start_dream(client: Sender, trouble: int, *, side: int = 8, **more: Any) -> Dream:
    """A small dream; `trouble` tells the fake studio how many tiles it has, or what goes wrong."""
    picture = Picture(side, side, "U8", "RGB")
    recipe = Recipe.of({"channels": str(trouble)})
    request = DreamRequest(recipe, picture, picture.region, **more)
    return Dream(client, request, bytes(picture.nbytes))


def finish(client: Client, dream: Dream, until: Callable[[Dream], bool] = lambda d: d.over) -> None:
    """Pass received messages to a dream until it is over, or until the condition holds."""
    while not until(dream):
        dream.receive(*receive(client))
