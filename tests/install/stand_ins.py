"""What tests of sandboxes and logins need of the machine; where it can't be had, they say why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from install import roots
from tests.install.user_session import NoSystemd, UserSession


def need(program: str, package: str) -> None:
    """Have a program of a Debian package, or skip the test; with CI=true it fails."""
    reason = roots.why_not()
    if reason:
        _impossible(reason)
    try:
        roots.have_program(program, package, print)
    except roots.RootError as error:
        _impossible(str(error))


@contextmanager
def login(home: Path) -> Iterator[UserSession]:
    """A session with the real systemd of a user whose home is `home`."""
    need("systemctl", "systemd")
    need("dbus-daemon", "dbus")
    try:
        session = UserSession(home)
    except NoSystemd as error:
        _impossible(str(error))
    with session:
        yield session


def _impossible(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI has to test this. {reason}")
    pytest.skip(reason)
