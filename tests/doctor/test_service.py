"""`dreamlayer doctor` as a user runs it."""

from __future__ import annotations

import contextlib
import getpass
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dreamlayer.cli.main import main
from dreamlayer.doctor import service
from dreamlink.client import discovery
from dreamlink.client.client import LinkError
from dreamlink.client.launch import connect_to_running
from tests.server.daemons import Daemon, ask, start_dream, wait_until


def test_all_checks_run_the_report_is_written_and_the_daemon_stopped(
    home: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.txt"
    command = [sys.executable, "-m", "dreamlayer", "doctor", "--report", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert all(re.match(r"(ok|warning|wrong) |     →  |        \S|The report|Dreamlayer", line)
               for line in lines), done.stdout  # fmt: skip
    for check in ("Python", "Libraries", "Memory", "Device", "Network", "Folder", "Plug-ins"):
        assert re.search(rf"^(ok|warning) +{check}", done.stdout, re.MULTILINE), check
    assert re.search(r"^ok +Daemon: it starts on demand", done.stdout, re.MULTILINE)
    assert re.search(r"^ok +Link: .* within [\d.]+ ms$", done.stdout, re.MULTILINE)
    assert re.search(r"^ok +Test dream: .*gain [2-9]", done.stdout, re.MULTILINE)
    assert "run install.py" in done.stdout.lower()  # nothing is installed here
    wait_until(lambda: connect_to_running() is None)

    text = report.read_text(encoding="utf-8")
    assert "Test dream" in text
    assert '"event": "dream"' in text
    assert str(home) not in text
    assert str(Path.home()) + "/" not in text
    for name in {getpass.getuser(), socket.gethostname()} - {"root", "localhost"}:
        assert not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)


def test_a_result_that_is_no_dream_is_wrong(
    own_daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    """The fake daemon returns other pixels, with another alpha."""
    assert main(["doctor"]) == 1
    said = capsys.readouterr()
    assert "wrong   Test dream: the alpha has changed (on cpu)." in said.out
    assert "     →  Dream on the CPU" in said.out
    assert re.search(r"[1-9] of \d+ things (is|are) wrong", said.err)
    assert own_daemon.published  # it was running before


def test_a_daemon_that_was_running_before_is_not_stopped(
    own_daemon: Daemon,
) -> None:
    with contextlib.closing(own_daemon.connect()) as client:
        dream = start_dream(client, 20)
        found = [finding.text for finding in service.check()]
        assert any(text.startswith("Daemon: it is running and answers") for text in found)
        dream.cancel()
        assert ask(client, "status")["op"] == "status"


def test_a_daemon_that_cannot_start_is_reported_with_its_output(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no torch today')"]
    monkeypatch.setattr(service, "_command", lambda: command)
    (finding,) = list(service.check())
    assert finding.level == "wrong"
    assert "no torch today" in finding.text
    assert discovery.find() is None


def test_a_link_that_breaks_is_a_finding(
    own_daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise LinkError("The connection to the Dreamlayer daemon was lost.")

    monkeypatch.setattr(service, "ask", broken)
    assert main(["doctor"]) == 1
