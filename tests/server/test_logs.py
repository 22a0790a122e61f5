"""The log: its contents, what it must not contain, and its size."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dreamlayer.server.lifecycle import logs
from dreamlink.client import discovery, launch
from dreamlink.client.client import LinkError
from dreamlink.session.dream import State
from tests.server.daemons import FAKE, Daemon, ask, finish, start_dream

log = logging.getLogger("dreamlayer.test")


class Full(io.StringIO):
    """A file on a full disk."""

    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.fixture
def terminal() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def started(home: Path, terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The log of this process, as the daemon would write it; the root logger as before at last."""
    home.mkdir()
    root = logging.getLogger()
    before = (root.handlers[:], root.level, logging.raiseExceptions, threading.excepthook)
    root.handlers = []
    monkeypatch.setattr(sys, "stderr", terminal)
    logs.start(2000, 2)
    yield home / "daemon.log"
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level, logging.raiseExceptions, threading.excepthook = before
    logging.captureWarnings(False)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_an_event_is_one_line_of_json(started: Path) -> None:
    logs.event(log, "dream", outcome="done", seconds=1.5, id="a\nb")
    log.warning("it is %s", "late")
    event, message = lines(started)
    assert (event["event"], event["outcome"], event["seconds"]) == ("dream", "done", 1.5)
    assert event["id"] == "a\nb"
    assert event["level"] == "info"
    assert event["time"].endswith("+00:00")
    assert (message["event"], message["level"]) == ("it is late", "warning")


def test_a_failure_keeps_its_traceback_in_its_line(started: Path) -> None:
    try:
        raise KeyError("weight")
    except KeyError:
        log.exception("unexpected")
    (line,) = lines(started)
    assert "KeyError: 'weight'" in line["error"]
    assert "Traceback" in line["error"]


def test_a_thread_that_dies_is_logged(started: Path) -> None:
    dying = threading.Thread(target=lambda: 1 / 0, name="tile")
    dying.start()
    dying.join()
    (line,) = lines(started)
    assert line["event"] == "the thread tile has died"
    assert "ZeroDivisionError" in line["error"]


def test_secrets_are_replaced_everywhere(started: Path, terminal: io.StringIO) -> None:
    logs.hide("s3cret")
    logs.event(log, "hello", token="s3cret")
    try:
        raise ValueError("what about s3cret?")
    except ValueError:
        log.exception("s3cret")
    assert "s3cret" not in started.read_text()
    assert lines(started)[0]["token"] == "(hidden)"
    assert "s3cret" not in terminal.getvalue()


def test_the_log_is_also_written_to_a_terminal(started: Path, terminal: io.StringIO) -> None:
    logs.event(log, "dream", outcome="done")
    assert "INFO dream outcome=done" in terminal.getvalue()


def test_a_long_log_is_rotated_and_old_ones_are_limited(started: Path) -> None:
    for number in range(200):
        logs.event(log, "dream", number=number)
    files = sorted(started.parent.glob("daemon.log*"))
    assert [file.name for file in files] == ["daemon.log", "daemon.log.1", "daemon.log.2"]
    assert all(file.stat().st_size <= 2000 for file in files)
    numbers = [line["number"] for file in reversed(files) for line in lines(file)]
    assert numbers == list(range(numbers[0], 200))
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


def test_without_old_logs_the_log_still_stays_short(started: Path) -> None:
    logs.start(2000, 0)
    for number in range(200):
        logs.event(log, "dream", number=number)
    assert started.stat().st_size <= 2000
    assert lines(started)[-1]["number"] == 199
    assert not list(started.parent.glob("daemon.log.*"))


def test_a_log_that_is_open_on_windows_grows_until_it_can_be_renamed(
    started: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError(13, "used by another process")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refused)
        for number in range(100):
            logs.event(log, "dream", number=number)
        assert [line["number"] for line in lines(started)] == list(range(100))
    logs.event(log, "dream", number=100)
    assert [line["number"] for line in lines(started)] == [100]


def test_a_full_disk_loses_log_lines_only(started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = logging.getLogger().handlers[0]
    assert isinstance(handler, logging.FileHandler)
    with monkeypatch.context() as patch:
        patch.setattr(handler, "stream", Full())
        log.info("lost")
    log.info("found")
    assert lines(started)[-1]["event"] == "found"


def test_without_a_writable_folder_the_terminal_is_used(
    started: Path, terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMLAYER_HOME", str(started / "no folder"))
    monkeypatch.setattr(sys, "stderr", terminal)
    logs.start(2000, 2)
    log.info("still here")
    assert "still here" in terminal.getvalue()


# In the daemon.


def test_the_daemon_logs_what_it_does_without_pixels_or_token(own_daemon: Daemon) -> None:
    with contextlib.closing(own_daemon.connect()) as client:
        dream = start_dream(client, 1)
        finish(client, dream)
        assert dream.state is State.DONE
        token = own_daemon.info.token
        ask(client, "stop")
    own_daemon.wait()
    path = own_daemon.home / "daemon.log"
    told = {line["event"]: line for line in lines(path)}
    assert told["start"]["process"] == own_daemon.process.pid
    assert told["dream"]["outcome"] == "done"
    assert told["dream"]["id"] == dream.request.id
    assert told["stop"]["in_time"] is True
    assert token not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_output_of_a_launched_daemon_is_kept_without_the_log(
    home: Path,
) -> None:
    client = launch.connect(FAKE)
    with contextlib.closing(client):
        dream = start_dream(client, 903)
        finish(client, dream)
        ask(client, "stop")
        with contextlib.suppress(LinkError):
            while True:
                client.receive(20.0)
    assert str(home / "daemon.log") in dream.text
    assert "KeyError" in (home / "daemon.log").read_text()
    assert (home / "daemon.err").read_text() == ""


def test_reported_output_is_of_this_daemon_not_of_an_earlier_one(home: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no room left in here')"]
    with pytest.raises(LinkError, match="no room left in here"):
        launch.connect(command)
    with pytest.raises(LinkError, match=r"Its last output: \(none\)"):
        launch.connect([sys.executable, "-c", "import sys; sys.exit(3)"])


def test_kept_output_of_daemons_is_limited(home: Path) -> None:
    home.mkdir()
    (home / discovery.SAID_FILE).write_bytes(b"x" * (launch.SAID_MAX + 1))
    with pytest.raises(LinkError, match="once more"):
        launch.connect([sys.executable, "-c", "import sys; sys.exit('once more')"])
    assert (home / discovery.SAID_FILE).read_text().strip() == "once more"
