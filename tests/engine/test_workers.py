"""Worker threads: all tasks run, errors propagate, and nothing starts after closing."""

import threading

import pytest
import torch

from dreamlayer.engine.tiling import workers
from dreamlayer.engine.tiling.workers import Workers, cores


def test_every_task_runs_and_returns_its_result():
    assert sorted(Workers(2).run([lambda k=k: k * k for k in range(20)])) == [
        k * k for k in range(20)
    ]


def test_threads_are_limited_by_the_setting_and_the_cores():
    assert Workers(0).count == cores()
    assert Workers(10_000).count == cores()
    assert Workers(1).count == 1
    seen = set(Workers(1).run([threading.get_ident] * 8))
    assert len(seen) == 1
    assert threading.get_ident() not in seen


def test_two_tasks_run_at_once():
    if cores() < 2:
        pytest.skip("one core")
    both = threading.Barrier(2)
    assert len(list(Workers(2).run([lambda: both.wait(60)] * 2))) == 2


def test_torch_threads_are_limited_inside_workers_only():
    usual = torch.get_num_threads()
    assert set(Workers(2).run([torch.get_num_threads] * 6)) == {1}
    assert torch.get_num_threads() == usual
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [usual]


def test_closing_waits_for_running_tasks_and_starts_no_others():
    begun: list[int] = []
    release = threading.Event()

    def task(number: int) -> int:
        begun.append(number)
        if number:
            release.wait(60)
        return number

    running = Workers(1).run([lambda k=k: task(k) for k in range(9)])
    assert next(running) == 0
    release.set()
    running.close()
    assert len(begun) <= 2


def test_errors_propagate():
    def fail() -> None:
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        list(Workers(2).run([fail, int, int]))


def test_the_number_can_change_between_runs():
    some = Workers(1)
    assert len(list(some.run([int] * 3))) == 3
    some.limit(0)
    assert some.count == cores()
    assert len(list(some.run([int] * 3))) == 3


def test_all_cores_are_used_by_default():
    assert workers.shared.count == cores()
