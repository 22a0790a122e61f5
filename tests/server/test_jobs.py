"""The order in which dreams are computed; each is answered exactly once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlayer.server.config.settings import Settings
from dreamlayer.server.jobs.question import Question
from dreamlayer.server.jobs.queue import JobQueue, QueuedDream, UrgentShare
from dreamlayer.server.jobs.results import ResultStore
from dreamlayer.server.jobs.scheduler import GUEST_TURN, QUESTIONS_MAX, Scheduler
from dreamlayer.server.lifecycle.awake_clock import STEP, AwakeClock
from dreamlayer.server.transport.disconnected import DisconnectedClients
from dreamlayer.server.transport.mailbox import Outgoing
from dreamlayer.server.transport.principal import LOCAL_USER, Principal
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest, MessageError
from tests.server.peers import GUEST, OTHER_GUEST
from tests.server.peers import peer as connection

PICTURE = Picture(4, 4, "U8", "RGB")


def job(peer: str, name: str = "", principal: Principal = LOCAL_USER, **more: Any) -> QueuedDream:
    if name:
        more["id"] = name
    request = DreamRequest(Recipe(), PICTURE, PICTURE.region, **more)
    return QueuedDream(connection(peer, principal), request, [bytes(PICTURE.nbytes)])


class Fixture:
    """A scheduler and the messages that it posts."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.posted: list[Outgoing] = []
        chosen = Settings(**settings)
        self.results = ResultStore(self.posted.append, home, chosen)
        self.scheduler = Scheduler(self.posted.append, self.results, chosen)

    @property
    def answers(self) -> list[tuple[str, str, str]]:
        return [(m.peer.routing_id.decode(), m.header["op"], m.header["id"]) for m in self.posted]

    def take(self) -> QueuedDream:
        taken = self.scheduler.take(0.0)
        assert taken is not None
        return taken

    def compute(self) -> QueuedDream:
        taken = self.take()
        self.scheduler.finish(taken, "done", {"op": "done"}, b"pixels")
        return taken


@pytest.fixture
def jobs(tmp_path: Path) -> Fixture:
    return Fixture(tmp_path)


# The order.


def test_clients_take_turns(jobs: Fixture) -> None:
    for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
        jobs.scheduler.submit(job(name[0], name))
    order = [waiting.id for waiting in jobs.scheduler.waiting()]
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert [jobs.compute().id for _ in order] == order


def test_a_client_that_just_had_a_turn_waits_for_the_others(jobs: Fixture) -> None:
    for name in ("a1", "a2", "a3", "b1"):
        jobs.scheduler.submit(job(name[0], name))
    assert [jobs.compute().id for _ in range(2)] == ["a1", "b1"]
    for name in ("b2", "c1"):
        jobs.scheduler.submit(job(name[0], name))
    assert [jobs.compute().id for _ in range(4)] == ["a2", "c1", "b2", "a3"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=20))
def test_iterating_gives_the_order_in_which_jobs_are_taken(
    asked: list[tuple[str, bool]],
) -> None:
    queue = JobQueue()
    for peer, quick in asked:
        queue.add(job(peer, quick=quick))
    order = list(queue)
    assert len(queue) == len(order) == len(asked)
    quick = [j for j in order if j.request.quick]
    assert order[: len(quick)] == quick
    taken = [queue.next_quick() if queue.has_quick() else queue.next_other() for _ in order]
    assert taken == order
    assert not queue
    for lane in map(connection, "abc"):  # no client is overtaken twice by the same other client
        places = [i for i, j in enumerate(order[len(quick) :]) if j.lane == lane]
        waited = order[len(quick) :]
        for before, after in pairwise(places):
            between = [j.lane for j in waited[before + 1 : after]]
            assert len(between) == len(set(between))


def test_submit_returns_how_many_dreams_go_before(jobs: Fixture) -> None:
    assert jobs.scheduler.submit(job("a", "a1")) == 0
    jobs.take()
    assert jobs.scheduler.submit(job("a", "a2")) == 1
    assert jobs.scheduler.submit(job("a", "a3")) == 2
    assert jobs.scheduler.submit(job("b", "b1")) == 1  # before a2, as a has just had a turn
    assert jobs.scheduler.submit(job("b", "q", quick=True)) == 0


# Quick dreams.


def test_a_quick_dream_goes_before_all_others(jobs: Fixture) -> None:
    for name in ("a1", "b1"):
        jobs.scheduler.submit(job(name[0], name))
    jobs.scheduler.submit(job("c", "quick", quick=True))
    assert jobs.compute().id == "quick"


def test_a_running_dream_is_paused_for_a_quick_one(jobs: Fixture) -> None:
    jobs.scheduler.submit(job("a", "long"))
    long = jobs.take()
    assert jobs.scheduler.take_urgent(long) is None
    jobs.scheduler.submit(job("b", "quick", quick=True))
    quick = jobs.scheduler.take_urgent(long)
    assert quick is not None
    assert [(j["id"], j["state"]) for j in jobs.scheduler.status(LOCAL_USER)["jobs"]] == [
        ("long", "paused"), ("quick", "running"),
    ]  # fmt: skip
    jobs.scheduler.submit(job("c", "another", quick=True))
    assert jobs.scheduler.take_urgent(quick) is None  # a quick one is not paused
    jobs.scheduler.finish(quick, "done", {"op": "done"}, b"")
    another = jobs.scheduler.take_urgent(long)
    assert another is not None
    jobs.scheduler.finish(another, "done", {"op": "done"}, b"")
    assert jobs.scheduler.take_urgent(long) is None
    assert long.state == "running"


def test_a_newer_quick_dream_replaces_its_clients_older_ones(jobs: Fixture) -> None:
    for name in ("a1", "b1"):
        jobs.scheduler.submit(job(name[0], name, quick=True))
    running = jobs.take()
    for name in ("a2", "a3"):
        jobs.scheduler.submit(job("a", name, quick=True))
    assert running.cancelled.is_set()
    assert jobs.answers == [("a", "cancelled", "a1"), ("a", "cancelled", "a2")]
    assert [waiting.id for waiting in jobs.scheduler.waiting()] == ["b1", "a3"]


def test_quick_dreams_do_not_starve_the_others(tmp_path: Path) -> None:
    jobs = Fixture(tmp_path, quick_share=75.0)
    jobs.scheduler.submit(job("a", "long"))
    long = jobs.take()
    spent = {"quick": 0.0, "long": 0.0}
    for number in range(200):  # there is always a quick one waiting
        jobs.scheduler.submit(job("b", f"q{number}", quick=True))
        quick = jobs.scheduler.take_urgent(long)
        if quick is not None:
            jobs.scheduler.add_time(quick, 0.6)
            spent["quick"] += 0.6
            jobs.scheduler.finish(quick, "done", {"op": "done"}, None)
        jobs.scheduler.add_time(long, 0.1)
        spent["long"] += 0.1
    assert spent["quick"] / sum(spent.values()) == pytest.approx(0.75, abs=0.02)


def test_a_waiting_dream_begins_although_quick_ones_keep_coming(jobs: Fixture) -> None:
    jobs.scheduler.submit(job("b", "q1", quick=True))
    quick = jobs.take()
    jobs.scheduler.submit(job("a", "long"))
    jobs.scheduler.add_time(quick, 1.0)
    jobs.scheduler.submit(job("c", "q2", quick=True))
    jobs.scheduler.finish(quick, "done", {"op": "done"}, b"")
    assert jobs.take().id == "long"


def test_the_debt_is_reset_when_no_normal_job_waits() -> None:
    share = UrgentShare(0.5)
    share.add_urgent(5.0)
    assert not share.allowed
    share.reset()
    assert share.allowed
    share.add_urgent(1.0)
    share.add_other(100.0)
    share.add_urgent(1.0)
    assert not share.allowed  # extra time of normal dreams is not saved up


# Ends.


def test_cancelling_a_waiting_or_paused_dream_is_answered_at_once(jobs: Fixture) -> None:
    for name in ("long", "next"):
        jobs.scheduler.submit(job("a", name))
    long = jobs.take()
    jobs.scheduler.submit(job("b", "quick", quick=True))
    quick = jobs.scheduler.take_urgent(long)
    assert quick is not None
    jobs.scheduler.cancel(connection("a"), "next")
    jobs.scheduler.cancel(connection("a"), "long")
    jobs.scheduler.cancel(connection("a"), "quick")  # not its own
    assert jobs.answers == [("a", "cancelled", "next"), ("a", "cancelled", "long")]
    assert not quick.cancelled.is_set()
    jobs.scheduler.finish(quick, "done", {"op": "done"}, b"")
    jobs.scheduler.finish(long, "cancelled", {"op": "cancelled"}, None)
    assert jobs.answers[2:] == [("b", "done", "quick")]
    counts = jobs.scheduler.status(LOCAL_USER)
    assert (counts["cancelled"], counts["done"], counts["jobs"]) == (2, 1, [])


def test_an_id_can_be_used_by_one_dream_at_a_time(jobs: Fixture) -> None:
    jobs.scheduler.submit(job("a", "same"))
    with pytest.raises(MessageError, match="already in progress"):
        jobs.scheduler.submit(job("b", "same"))
    jobs.compute()
    jobs.scheduler.submit(job("b", "same"))


def test_giving_up_a_client_cancels_its_dreams_except_those_to_keep(jobs: Fixture) -> None:
    name = "k" * 16
    jobs.scheduler.submit(job("a", "a1"))
    jobs.scheduler.submit(job("a", name, keep=True))
    jobs.scheduler.submit(job("b", "b1"))
    jobs.scheduler.give_up(connection("a"))
    assert [waiting.id for waiting in jobs.scheduler.waiting()] == [name, "b1"]


def test_a_client_that_came_back_gets_the_answers(jobs: Fixture) -> None:
    jobs.scheduler.submit(job("a", "a1"))
    jobs.scheduler.submit(job("a", "a2"))
    running = jobs.take()
    running.fraction = 0.25
    assert jobs.scheduler.attach(connection("new"), "a1")
    assert jobs.scheduler.attach(connection("new"), "a2")
    assert not jobs.scheduler.attach(connection("new"), "a3")
    jobs.scheduler.give_up(connection("a"))
    jobs.scheduler.finish(running, "done", {"op": "done"}, b"")
    assert [m.peer for m in jobs.posted] == [connection("new")] * 3
    assert [m.header["op"] for m in jobs.posted] == ["progress", "queued", "done"]
    assert jobs.posted[0].header["fraction"] == 0.25
    assert [waiting.id for waiting in jobs.scheduler.waiting()] == ["a2"]


def test_a_dream_that_is_too_old_is_given_up(tmp_path: Path) -> None:
    jobs = Fixture(tmp_path, job_age=100.0)
    for name in ("a1", "a2"):
        jobs.scheduler.submit(job("a", name))
    running = jobs.take()
    for now in (1000.0, 1100.0):
        jobs.scheduler.expire(now)
        assert jobs.answers == []
    jobs.scheduler.expire(1100.5)
    assert running.cancelled.is_set()
    assert [answer[1] for answer in jobs.answers] == ["error", "error"]
    assert "job_age" in jobs.posted[0].header["text"]
    jobs.scheduler.finish(running, "done", {"op": "done"}, b"")
    assert len(jobs.answers) == 2


def test_end_cancels_all_dreams_and_wakes_the_compute_thread(jobs: Fixture) -> None:
    for name in ("a1", "b1"):
        jobs.scheduler.submit(job(name[0], name))
    running = jobs.take()
    jobs.scheduler.end()
    assert running.cancelled.is_set()
    assert jobs.scheduler.take() is None
    assert jobs.answers == [("b", "cancelled", "b1"), ("a", "cancelled", "a1")]


def test_a_question_wakes_the_compute_thread(jobs: Fixture) -> None:
    question = Question(connection("a"), "1", "vgg16")
    jobs.scheduler.ask(question)
    assert jobs.scheduler.take() is None
    assert jobs.scheduler.take_question() == question
    assert jobs.scheduler.take_question() is None


# Principals.


def test_principals_take_turns_and_then_their_clients(jobs: Fixture) -> None:
    for name in ("g1", "g2", "g3"):
        jobs.scheduler.submit(job(name, name, principal=GUEST))
    jobs.scheduler.submit(job("o", "o1", principal=OTHER_GUEST))
    for name in ("a1", "a2", "b1"):
        jobs.scheduler.submit(job(name[0], name))
    order = [waiting.id for waiting in jobs.scheduler.waiting()]
    assert order == ["g1", "o1", "a1", "g2", "b1", "g3", "a2"]
    assert [jobs.compute().id for _ in order] == order


@pytest.mark.parametrize("quick", [False, True])
def test_the_local_users_dreams_pause_those_of_guests(jobs: Fixture, quick: bool) -> None:
    jobs.scheduler.submit(job("g", "theirs", principal=GUEST, quick=quick))
    theirs = jobs.take()
    assert jobs.scheduler.submit(job("a", "mine")) == 0
    mine = jobs.scheduler.take_urgent(theirs)
    assert mine is not None
    assert (mine.id, theirs.state) == ("mine", "paused")
    jobs.scheduler.submit(job("g", "look", principal=GUEST, quick=True))
    assert jobs.scheduler.take_urgent(mine) is None
    jobs.scheduler.submit(job("a", "my look", quick=True))
    look = jobs.scheduler.take_urgent(mine)
    assert look is not None
    assert look.id == "my look"


def test_a_guests_dream_gets_some_time_between_the_local_users(jobs: Fixture) -> None:
    jobs.scheduler.submit(job("g", "theirs", principal=GUEST))
    theirs = jobs.take()
    for name in ("a1", "a2"):
        jobs.scheduler.submit(job("a", name))
    mine = jobs.scheduler.take_urgent(theirs)
    assert mine is not None
    jobs.scheduler.add_time(mine, 3600.0)
    jobs.scheduler.finish(mine, "done", {"op": "done"}, b"")
    jobs.scheduler.add_time(theirs, GUEST_TURN - 0.1)
    assert jobs.scheduler.take_urgent(theirs) is None
    jobs.scheduler.add_time(theirs, 0.1)  # but never more than this
    assert jobs.scheduler.take_urgent(theirs) is not None


def test_quick_looks_of_guests_do_not_use_up_the_local_users_share(jobs: Fixture) -> None:
    jobs.scheduler.submit(job("g", "q", principal=GUEST, quick=True))
    look = jobs.take()
    jobs.scheduler.add_time(look, 3600.0)
    jobs.scheduler.finish(look, "done", {"op": "done"}, b"")
    jobs.scheduler.submit(job("g", "g1", principal=GUEST))
    jobs.scheduler.submit(job("g", "q", principal=GUEST, quick=True))
    jobs.scheduler.submit(job("a", "mine", quick=True))
    assert [jobs.compute().id for _ in range(3)] == ["mine", "g1", "q"]


def test_ids_of_principals_do_not_clash_and_are_not_shown(jobs: Fixture) -> None:
    jobs.scheduler.submit(job("a", "same"))
    jobs.scheduler.submit(job("g", "same", principal=GUEST))
    for viewer in (LOCAL_USER, GUEST):
        described = jobs.scheduler.status(viewer)["jobs"]
        assert sorted(one["id"] for one in described) == ["", "same"]
    assert not jobs.scheduler.attach(connection("o", OTHER_GUEST), "same")
    jobs.scheduler.cancel(connection("a", GUEST), "same")  # not even over a reused name
    assert jobs.answers == []
    jobs.scheduler.cancel(connection("g", GUEST), "same")
    assert jobs.answers == [("g", "cancelled", "same")]


def test_questions_are_limited_by_principal_and_take_turns(jobs: Fixture) -> None:
    guest, mine = connection("g", GUEST), connection("a")
    for number in range(QUESTIONS_MAX // 4):
        jobs.scheduler.ask(Question(guest, str(number), "vgg16"))
    with pytest.raises(MessageError, match="Too many questions"):
        jobs.scheduler.ask(Question(connection("h", GUEST), "x", "vgg16"))
    for number in range(2):
        jobs.scheduler.ask(Question(mine, str(number), "vgg16"))
    asked = [jobs.scheduler.take_question() for _ in range(4)]
    assert [one.peer for one in asked if one] == [guest, mine, guest, mine]
    assert jobs.scheduler.take_question(guests=False) is None


# Time.


def clocked() -> tuple[AwakeClock, Callable[[float], float]]:
    now = [50.0]
    clock = AwakeClock(lambda: now[0])

    def after(seconds: float) -> float:
        now[0] += seconds
        return clock.tick()

    return clock, after


def test_a_jump_of_the_clock_counts_as_one_step() -> None:
    _clock, after = clocked()
    assert [after(0.5), after(1.0)] == [0.5, 1.5]
    assert after(8 * 3600.0) == 1.5 + STEP
    assert after(-3600.0) == 1.5 + STEP
    assert after(0.25) == 1.75 + STEP


def test_a_client_that_slept_with_the_machine_is_not_given_up() -> None:
    _clock, after = clocked()
    disconnected = DisconnectedClients(5.0)
    for _ in range(2):  # the first call counts
        disconnected.add(connection("a"), after(1.0))
    assert disconnected.pop_expired(after(8 * 3600.0)) == []
    assert len(disconnected) == 1
    assert disconnected.pop_expired(after(1.0)) == []
    assert disconnected.pop_expired(after(1.0)) == [connection("a")]
    assert not disconnected
    assert disconnected.pop_expired(after(1.0)) == []


def test_cancelling_a_running_dream_is_answered_at_once(jobs: Fixture) -> None:
    """What the compute thread does at that moment may take long: loading torch, a huge tile."""
    jobs.scheduler.submit(job("a", "long"))
    running = jobs.take()
    jobs.scheduler.submit(job("b", "next"))
    jobs.scheduler.cancel(connection("a"), "long")
    assert jobs.answers == [("a", "cancelled", "long"), ("b", "progress", "next")]
    assert jobs.scheduler.finishing  # and the next dream was told what it waits for
    status = jobs.scheduler.status(LOCAL_USER)
    assert status["finishing"] == 1
    assert [one["id"] for one in status["jobs"]] == ["next"]
    jobs.scheduler.answer(running, {"op": "progress"})  # too late
    jobs.scheduler.cancel(connection("a"), "long")
    assert jobs.scheduler.submit(job("a", "long")) == 1  # its id is free; only `next` is ahead
    jobs.scheduler.finish(running, "done", {"op": "done"}, b"pixels")
    assert len(jobs.answers) == 2
    assert not jobs.scheduler.finishing
    counts = jobs.scheduler.status(LOCAL_USER)
    assert (counts["cancelled"], counts["done"], counts["finishing"]) == (1, 0, 0)


def test_a_quick_dream_that_is_replaced_is_not_spoken_of(jobs: Fixture) -> None:
    """They are over within a tile, and a slider replaces many of them."""
    jobs.scheduler.submit(job("a", "a1", quick=True))
    jobs.take()
    jobs.scheduler.submit(job("a", "a2", quick=True))
    assert jobs.answers == [("a", "cancelled", "a1")]
    assert not jobs.scheduler.finishing
