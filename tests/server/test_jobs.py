"""Which dream is computed when, and that each is answered exactly once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlayer.server.config.settings import Settings
from dreamlayer.server.jobs.queue import Job, Queue, Share
from dreamlayer.server.jobs.results import Results
from dreamlayer.server.jobs.scheduler import Question, Schedule
from dreamlayer.server.lifecycle.awake_clock import STEP, AwakeClock
from dreamlayer.server.transport.disconnected import Absent
from dreamlayer.server.transport.mailbox import Outgoing
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest, MessageError

PICTURE = Picture(4, 4, "U8", "RGB")


def job(peer: str, name: str = "", **more: Any) -> Job:
    if name:
        more["id"] = name
    request = DreamRequest(Recipe(), PICTURE, PICTURE.region, **more)
    return Job(peer.encode(), request, [bytes(PICTURE.nbytes)])


class Desk:
    """A schedule, and what it answers."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.posted: list[Outgoing] = []
        chosen = Settings(**settings)
        self.results = Results(self.posted.append, home, chosen)
        self.schedule = Schedule(self.posted.append, self.results, chosen)

    @property
    def told(self) -> list[tuple[str, str, str]]:
        return [(m.peer.decode(), m.header["op"], m.header["id"]) for m in self.posted]

    def take(self) -> Job:
        taken = self.schedule.take(0.0)
        assert taken is not None
        return taken

    def compute(self) -> Job:
        taken = self.take()
        self.schedule.ended(taken, "done", {"op": "done"}, b"pixels")
        return taken


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# The order.


def test_clients_take_turns(desk: Desk) -> None:
    for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
        desk.schedule.submit(job(name[0], name))
    order = [waiting.id for waiting in desk.schedule.waiting()]
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert [desk.compute().id for _ in order] == order


def test_who_just_had_a_turn_waits_for_the_others(desk: Desk) -> None:
    for name in ("a1", "a2", "a3", "b1"):
        desk.schedule.submit(job(name[0], name))
    assert [desk.compute().id for _ in range(2)] == ["a1", "b1"]
    for name in ("b2", "c1"):
        desk.schedule.submit(job(name[0], name))
    assert [desk.compute().id for _ in range(4)] == ["a2", "c1", "b2", "a3"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=20))
def test_the_queue_gives_what_it_says_in_the_order_that_it_says(
    asked: list[tuple[str, bool]],
) -> None:
    queue = Queue()
    for peer, quick in asked:
        queue.add(job(peer, quick=quick))
    said = list(queue)
    assert len(queue) == len(said) == len(asked)
    quick = [j for j in said if j.request.quick]
    assert said[: len(quick)] == quick
    given = [queue.next_quick() if queue.has_quick else queue.next_other() for _ in said]
    assert given == said
    assert not queue
    for lane in (b"a", b"b", b"c"):  # nobody is overtaken twice by the same client
        places = [i for i, j in enumerate(said[len(quick) :]) if j.lane == lane]
        waited = said[len(quick) :]
        for before, after in pairwise(places):
            between = [j.lane for j in waited[before + 1 : after]]
            assert len(between) == len(set(between))


def test_what_is_ahead_is_told(desk: Desk) -> None:
    assert desk.schedule.submit(job("a", "a1")) == 0
    desk.take()
    assert desk.schedule.submit(job("a", "a2")) == 1
    assert desk.schedule.submit(job("a", "a3")) == 2
    assert desk.schedule.submit(job("b", "b1")) == 1  # before a2, as a has just had a turn
    assert desk.schedule.submit(job("b", "q", quick=True)) == 0


# Quick ones.


def test_a_quick_dream_goes_before_all_others(desk: Desk) -> None:
    for name in ("a1", "b1"):
        desk.schedule.submit(job(name[0], name))
    desk.schedule.submit(job("c", "quick", quick=True))
    assert desk.compute().id == "quick"


def test_a_running_dream_is_paused_for_a_quick_one(desk: Desk) -> None:
    desk.schedule.submit(job("a", "long"))
    long = desk.take()
    assert desk.schedule.take_quick(long) is None
    desk.schedule.submit(job("b", "quick", quick=True))
    quick = desk.schedule.take_quick(long)
    assert quick is not None
    assert [(j["id"], j["state"]) for j in desk.schedule.status()["jobs"]] == [
        ("long", "paused"), ("quick", "running"),
    ]  # fmt: skip
    desk.schedule.submit(job("c", "another", quick=True))
    assert desk.schedule.take_quick(quick) is None  # a quick one is not paused
    desk.schedule.ended(quick, "done", {"op": "done"}, b"")
    another = desk.schedule.take_quick(long)
    assert another is not None
    desk.schedule.ended(another, "done", {"op": "done"}, b"")
    assert desk.schedule.take_quick(long) is None
    assert long.state == "running"


def test_a_newer_quick_dream_replaces_its_clients_older_ones(desk: Desk) -> None:
    for name in ("a1", "b1"):
        desk.schedule.submit(job(name[0], name, quick=True))
    running = desk.take()
    for name in ("a2", "a3"):
        desk.schedule.submit(job("a", name, quick=True))
    assert running.cancelled.is_set()
    assert desk.told == [("a", "cancelled", "a2")]
    assert [waiting.id for waiting in desk.schedule.waiting()] == ["b1", "a3"]


def test_quick_ones_do_not_starve_the_others(tmp_path: Path) -> None:
    desk = Desk(tmp_path, quick_share=75.0)
    desk.schedule.submit(job("a", "long"))
    long = desk.take()
    spent = {"quick": 0.0, "long": 0.0}
    for number in range(200):  # there is always a quick one waiting
        desk.schedule.submit(job("b", f"q{number}", quick=True))
        quick = desk.schedule.take_quick(long)
        if quick is not None:
            desk.schedule.spent(quick, 0.6)
            spent["quick"] += 0.6
            desk.schedule.ended(quick, "done", {"op": "done"}, None)
        desk.schedule.spent(long, 0.1)
        spent["long"] += 0.1
    assert spent["quick"] / sum(spent.values()) == pytest.approx(0.75, abs=0.02)


def test_a_waiting_dream_begins_though_quick_ones_keep_coming(desk: Desk) -> None:
    desk.schedule.submit(job("b", "q1", quick=True))
    quick = desk.take()
    desk.schedule.submit(job("a", "long"))
    desk.schedule.spent(quick, 1.0)
    desk.schedule.submit(job("c", "q2", quick=True))
    desk.schedule.ended(quick, "done", {"op": "done"}, b"")
    assert desk.take().id == "long"


def test_nothing_is_owed_while_nobody_else_waits() -> None:
    share = Share(0.5)
    share.quick_took(5.0)
    assert not share.quick_may
    share.nobody_waits()
    assert share.quick_may
    share.quick_took(1.0)
    share.others_took(100.0)
    share.quick_took(1.0)
    assert not share.quick_may  # what the others got too much is not saved up


# Ends.


def test_cancel_of_a_waiting_and_of_a_paused_dream_is_answered_at_once(desk: Desk) -> None:
    for name in ("long", "next"):
        desk.schedule.submit(job("a", name))
    long = desk.take()
    desk.schedule.submit(job("b", "quick", quick=True))
    quick = desk.schedule.take_quick(long)
    assert quick is not None
    desk.schedule.cancel(b"a", "next")
    desk.schedule.cancel(b"a", "long")
    desk.schedule.cancel(b"a", "quick")  # not its own
    assert desk.told == [("a", "cancelled", "next"), ("a", "cancelled", "long")]
    assert not quick.cancelled.is_set()
    desk.schedule.ended(quick, "done", {"op": "done"}, b"")
    desk.schedule.ended(long, "cancelled", {"op": "cancelled"}, None)
    assert desk.told[2:] == [("b", "done", "quick")]
    counts = desk.schedule.status()
    assert (counts["cancelled"], counts["done"], counts["jobs"]) == (2, 1, [])


def test_an_id_is_used_once_at_a_time_whoever_asks(desk: Desk) -> None:
    desk.schedule.submit(job("a", "same"))
    with pytest.raises(MessageError, match="already under way"):
        desk.schedule.submit(job("b", "same"))
    desk.compute()
    desk.schedule.submit(job("b", "same"))


def test_giving_up_a_client_cancels_its_dreams_but_for_those_to_keep(desk: Desk) -> None:
    name = "k" * 16
    desk.schedule.submit(job("a", "a1"))
    desk.schedule.submit(job("a", name, keep=True))
    desk.schedule.submit(job("b", "b1"))
    desk.schedule.give_up(b"a")
    assert [waiting.id for waiting in desk.schedule.waiting()] == [name, "b1"]


def test_a_dream_answers_to_who_came_back_for_it(desk: Desk) -> None:
    desk.schedule.submit(job("a", "a1"))
    desk.schedule.submit(job("a", "a2"))
    running = desk.take()
    running.fraction = 0.25
    assert desk.schedule.attach(b"new", "a1")
    assert desk.schedule.attach(b"new", "a2")
    assert not desk.schedule.attach(b"new", "a3")
    desk.schedule.give_up(b"a")
    desk.schedule.ended(running, "done", {"op": "done"}, b"")
    assert [m.peer for m in desk.posted] == [b"new"] * 3
    assert [m.header["op"] for m in desk.posted] == ["progress", "queued", "done"]
    assert desk.posted[0].header["fraction"] == 0.25
    assert [waiting.id for waiting in desk.schedule.waiting()] == ["a2"]


def test_a_dream_that_is_too_old_is_given_up(tmp_path: Path) -> None:
    desk = Desk(tmp_path, job_age=100.0)
    for name in ("a1", "a2"):
        desk.schedule.submit(job("a", name))
    running = desk.take()
    for now in (1000.0, 1100.0):
        desk.schedule.expire(now)
        assert desk.told == []
    desk.schedule.expire(1100.5)
    assert running.cancelled.is_set()
    assert [told[1] for told in desk.told] == ["error", "error"]
    assert "job_age" in desk.posted[0].header["text"]
    desk.schedule.ended(running, "done", {"op": "done"}, b"")
    assert len(desk.told) == 2


def test_the_end_cancels_all_and_wakes_the_compute_thread(desk: Desk) -> None:
    for name in ("a1", "b1"):
        desk.schedule.submit(job(name[0], name))
    running = desk.take()
    desk.schedule.end()
    assert running.cancelled.is_set()
    assert desk.schedule.take() is None
    assert desk.told == [("b", "cancelled", "b1")]


def test_a_question_is_told_between_two_dreams(desk: Desk) -> None:
    question = Question(b"a", "1", "vgg16")
    desk.schedule.ask(question)
    assert desk.schedule.take() is None
    assert desk.schedule.question() == question
    assert desk.schedule.question() is None


# Time.


def clocked() -> tuple[AwakeClock, Callable[[float], float]]:
    now = [50.0]
    clock = AwakeClock(lambda: now[0])

    def after(seconds: float) -> float:
        now[0] += seconds
        return clock.tick()

    return clock, after


def test_a_jump_of_the_clock_counts_as_a_moment() -> None:
    _clock, after = clocked()
    assert [after(0.5), after(1.0)] == [0.5, 1.5]
    assert after(8 * 3600.0) == 1.5 + STEP
    assert after(-3600.0) == 1.5 + STEP
    assert after(0.25) == 1.75 + STEP


def test_a_client_that_slept_with_the_machine_is_not_given_up() -> None:
    _clock, after = clocked()
    absent = Absent(5.0)
    for _ in range(2):  # its time runs from the first
        absent.add(b"a", after(1.0))
    assert absent.given_up(after(8 * 3600.0)) == []
    assert len(absent) == 1
    assert absent.given_up(after(1.0)) == []
    assert absent.given_up(after(1.0)) == [b"a"]
    assert not absent
    assert absent.given_up(after(1.0)) == []
