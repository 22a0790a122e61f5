"""The soak: clients that are killed and follow one another, and what the daemon holds meanwhile."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from dreamlink.session.dream import State
from tests.fuzz.growth import Holdings, leak, settled
from tests.server.daemons import Daemon, ask, finish, start_dream, wait_until

KILLS = 0.12  # the part of clients' lives that end in SIGKILL
LIFE = 40  # jobs that a client does at most, until another follows it
PATIENCE = 150.0  # seconds without a line from a client: it hangs
WARM = 500  # jobs after which the daemon's holdings are counted the first time
MEMORY_SHARE = 0.05
MEMORY_SLACK = 1024  # KiB; the allocator's grain
LOST = "The dream is lost"
Show = Callable[[str], None]


@dataclass
class Tally:
    """What has come of the jobs so far; threads share it."""

    wanted: int
    begun: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    orphans: int = 0  # jobs whose client was killed
    fetched: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)  # sentences
    problems: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def answered(self) -> int:
        return sum(self.ends.values())

    @property
    def over(self) -> bool:
        return self.answered >= self.wanted or bool(self.problems)


class Place:
    """One of the eight places at the daemon, which one client after the other takes."""

    def __init__(self, tally: Tally, seed: int, *, real: bool) -> None:
        self._tally = tally
        self._dice = Random(seed)
        self._real = real
        self._orphan = ""  # a kept dream whose client was killed
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._tally.over:
            try:
                self._client()
            except Exception as error:
                self._tally.problems.append(repr(error))

    def _client(self) -> None:
        """One client's life, up to its end or its murder."""
        dice, tally = self._dice, self._tally
        kill_after = dice.randrange(2 * LIFE) if dice.random() < KILLS * 4 else None
        words = [sys.executable, "-m", "tests.soak.client", "--jobs", str(LIFE)]
        words += ["--seed", str(dice.getrandbits(30)), "--fetch", self._orphan]
        words += ["--real"] if self._real else []
        self._orphan, open_job = "", ("", "")
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as client:
            watch = threading.Timer(PATIENCE * 4, client.kill)
            watch.start()
            assert client.stdout is not None
            assert client.stderr is not None
            for number, line in enumerate(client.stdout):
                open_job = self._take(line.split(maxsplit=2), open_job)
                if number == kill_after or tally.over:
                    client.kill()
                    break
            watch.cancel()
            rest = client.stdout.read()
            for line in rest.splitlines():
                open_job = self._take(line.split(maxsplit=2), open_job)
            said = client.stderr.read()
        with tally.lock:
            if client.returncode == -9:
                tally.kills += 1
                if open_job[1]:
                    tally.orphans += 1
                    self._orphan = open_job[1] if open_job[0] == "kept" else ""
            elif client.returncode:
                tally.problems.append(f"a client ended with {client.returncode}: {said[-500:]}")

    def _take(self, words: list[str], open_job: tuple[str, str]) -> tuple[str, str]:
        """Enter what a client says; the job that it is about now."""
        tally = self._tally
        event, how, name = words
        with tally.lock:
            if event == "begin":
                tally.begun += 1
                return how, name.strip()
            if event == "end":
                tally.ends[how] += 1
                return "", ""
            if event == "fetched":
                tally.fetched[how] += 1
            elif event == "failed":
                tally.failures.append(name.strip())
        return open_job


@dataclass(frozen=True)
class Outcome:
    """What a soak came to; `problems` is empty if all is well."""

    tally: Tally
    seconds: float
    before: Holdings | None
    after: Holdings | None
    problems: list[str]

    def __str__(self) -> str:
        tally = self.tally
        return (
            f"{tally.answered} jobs answered in {self.seconds:.0f} s: {dict(tally.ends)};"
            f" {tally.kills} clients killed, {tally.orphans} of them in a job;"
            f" kept dreams asked for by their followers: {dict(tally.fetched)}\n"
            f"  after {WARM} jobs: {self.before}; at the end: {self.after}\n"
            f"  problems: {self.problems or 'none'}"
        )


def soak(
    daemon: Daemon, jobs: int, clients: int, seed: int, *, real: bool = False, warm: int = WARM,
    show: Show = lambda line: None,
) -> Outcome:  # fmt: skip
    """Have `jobs` done by `clients` at once; all are answered, and nothing is left behind."""
    began = time.monotonic()
    idle = _idle(daemon)
    tally = Tally(jobs)
    places = [Place(tally, seed * 1000 + number, real=real) for number in range(clients)]
    for place in places:
        place.thread.start()
    before = None
    shown = 0
    while any(place.thread.is_alive() for place in places):
        time.sleep(0.05)
        if before is None and tally.answered >= warm:
            before = Holdings.of(daemon.process.pid)
        if tally.answered >= shown + 1000:
            shown = tally.answered
            show(f"{shown} jobs, {Holdings.of(daemon.process.pid)}")
        if daemon.process.poll() is not None:
            tally.problems.append("the daemon has ended")
    after, problems = _balance(daemon, idle, before, tally)
    return Outcome(tally, time.monotonic() - began, before, after, problems)


def _idle(daemon: Daemon) -> Holdings | None:
    """What the daemon holds when all its parts have been at work, and nobody is there."""
    with contextlib.closing(daemon.connect()) as client:
        dream = start_dream(client, 1, keep=True)
        finish(client, dream, lambda dream: dream.state is not State.WAITING)
    with contextlib.closing(daemon.connect()) as client:
        wait_until(lambda: not ask(client, "status")["jobs"])
        client.send({"op": "fetch", "id": dream.request.id})
        finish(client, dream)
        client.send({"op": "received", "id": dream.request.id})
        ask(client, "status")
        with_client = Holdings.of(daemon.process.pid)
    if with_client is None:
        return None
    fewer = Holdings(with_client.memory, with_client.files - 1, with_client.threads)
    return settled(daemon.process.pid, fewer)


def _balance(
    daemon: Daemon, idle: Holdings | None, before: Holdings | None, tally: Tally
) -> tuple[Holdings | None, list[str]]:
    """What the daemon holds when all clients have gone, and what is wrong."""
    problems = list(tally.problems)
    # A client that is killed just before its request has left, or just after its result has come,
    # leaves nothing to fetch: that is told. Everything else that fails is a problem.
    strange = [text for text in tally.failures if not text.startswith(LOST)]
    if strange or tally.ends["failed"]:
        problems.append(f"{tally.ends['failed']} jobs failed: {strange[:3]}")
    if daemon.process.poll() is not None:
        return None, problems
    with contextlib.closing(daemon.connect()) as client:
        end = time.monotonic() + 60
        while (status := ask(client, "status"))["jobs"] and time.monotonic() < end:
            time.sleep(0.1)
        if status["jobs"]:
            problems.append(f"jobs of nobody: {status['jobs']}")
    if before is None or idle is None:
        return None, problems
    allowed = Holdings(before.memory, idle.files, before.threads)
    after = settled(daemon.process.pid, allowed)
    grown = leak(allowed, after, MEMORY_SHARE, MEMORY_SLACK)
    if grown:
        problems.append(f"the daemon has grown: {grown}")
    return after, problems
