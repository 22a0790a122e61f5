"""The status request: dreams, memory, speed and refused connections."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from dreamlayer.cli.main import main
from dreamlayer.server.jobs.stats import Rates
from dreamlayer.server.lifecycle import process
from dreamlink.client import discovery
from dreamlink.client.client import Client, LinkError
from dreamlink.session.dream import State
from tests.server.daemons import SLOW, SOON, Daemon, ask, finish, start_dream, wait_until


def status(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["status", *options]) == 0
    return capsys.readouterr().out


def test_status_tells_jobs_with_their_ages_clients_and_lanes(
    daemon: Daemon, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.closing(daemon.connect()) as other:
        slow = start_dream(client, SLOW)
        finish(client, slow, lambda d: d.state is State.RUNNING)
        kept = start_dream(other, 800, keep=True)
        told = json.loads(status(capsys, "--json"))
        first, second = told["jobs"]
        assert (first["id"], second["id"]) == (slow.request.id, kept.request.id)
        assert (first["state"], second["state"]) == ("running", "queued")
        assert first["client"] != second["client"]
        assert first["age"] >= second["age"] >= 0
        assert (first["keep"], second["keep"]) == (False, True)
        assert told["waiting_memory"] >= 2 * 8 * 8 * 3
        said = status(capsys)
        assert "dreams:    running 0% (client 1, since " in said
        assert "\n           queued 0% (client 2, since 1 s, kept for its client)\n" in said
        kept.cancel()
        finish(client, slow)
        finish(other, kept)
    assert "dreams:    none" in status(capsys)


def test_status_tells_memory_device_networks_and_rates(
    daemon: Daemon, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads(status(capsys, "--json"))
    finish(client, start_dream(client, 2, side=64))
    told = json.loads(status(capsys, "--json"))
    assert told["running"] is True
    assert (told["pid"], told["device"], told["networks"]) == (daemon.process.pid, "cpu", ["fake"])
    assert told["memory"] > 10e6
    assert told["kept_memory"] == before["kept_memory"] + 64 * 64 * 3
    assert told["dreams_per_hour"] == before["dreams_per_hour"] + 1
    assert 0 < told["megapixel_steps_per_second"] < 0.5 / 0.1
    said = status(capsys)
    assert "device:    cpu\nnetworks:  fake\nmemory:    " in said
    assert f"lately:    {told['dreams_per_hour']} done in the last hour, " in said


def test_status_counts_whom_it_refused(
    daemon: Daemon, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LinkError):
        Client.connect(replace(daemon.info, token="wrong"), SOON)
    wait_until(lambda: ask(client, "status")["refused"].get("wrong token") == 1)
    assert "refused: 1 wrong token" in status(capsys)


def test_status_says_when_nothing_runs_and_tells_programs_so(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(capsys) == "The Dreamlayer daemon is not running.\n"
    assert json.loads(status(capsys, "--json")) == {"running": False}
    assert not home.exists()


def test_status_tells_no_secret(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    info = discovery.find()
    assert info is not None
    assert info.token not in status(capsys, "--json") + status(capsys)


def test_rates_are_those_of_the_last_hour() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    assert rates.describe() == {"dreams_per_hour": 0, "megapixel_steps_per_second": 0.0}
    rates.add(3.0, 1.0)
    now[0] = 3000.0
    rates.add(1.0, 1.0)
    assert rates.describe() == {"dreams_per_hour": 2, "megapixel_steps_per_second": 2.0}
    now[0] = 3601.0
    assert rates.describe() == {"dreams_per_hour": 1, "megapixel_steps_per_second": 1.0}
    for _ in range(1000):
        rates.add(2.0, 1.0)
    assert rates.describe() == {"dreams_per_hour": 1001, "megapixel_steps_per_second": 1.999}
    now[0] = 7202.0
    assert rates.describe()["dreams_per_hour"] == 0


def test_networks_that_nobody_uses_leave_the_daemon_and_come_back(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMLAYER_IDLE_UNLOAD", "0.2")
    daemon = Daemon(home, program=[sys.executable, "-m", "dreamlayer", "serve"])
    try:
        with contextlib.closing(daemon.connect()) as client:
            wait_until(lambda: ask(client, "status")["device"] is not None)
            wait_until(lambda: ask(client, "status")["networks"] == [])
            dream = start_dream(client, 3, side=48)
            finish(client, dream)
            assert dream.state is State.DONE, dream.text
            wait_until(lambda: ask(client, "status")["networks"] == [])
    finally:
        daemon.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is the whole process")
def test_a_thread_that_steps_back_leaves_the_others_as_they_were() -> None:
    found = []

    def compute() -> None:
        process.lower_priority()
        inner = threading.Thread(target=lambda: found.append(os.getpriority(os.PRIO_PROCESS, 0)))
        inner.start()
        inner.join()

    before = os.getpriority(os.PRIO_PROCESS, 0)
    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    assert found == [min(19, before + process.LOW_PRIORITY)]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
