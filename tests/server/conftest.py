"""Fixtures: daemons for the tests, and connections to them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dreamlink.client.client import Client
from tests.server.daemons import Daemon, daemon_at


@pytest.fixture
def own_daemon(home: Path) -> Iterator[Daemon]:
    """A daemon for one test, which may end it."""
    daemon = Daemon(home)
    yield daemon
    daemon.kill()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon for a module's tests, all of which must leave it alive."""
    with daemon_at(tmp_path_factory.mktemp("daemon") / "home") as daemon:
        yield daemon


@pytest.fixture
def client(daemon: Daemon) -> Iterator[Client]:
    with contextlib.closing(daemon.connect()) as connection:
        yield connection
