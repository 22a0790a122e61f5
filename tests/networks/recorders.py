"""Stand-ins for the recorder of CUDA graphs."""

from __future__ import annotations

import torch


def copy_result(old, new) -> None:
    """Write the result of work that was done again where the first one lies."""
    if isinstance(old, torch.Tensor):
        old.copy_(new)
    elif hasattr(old, "maps"):
        vars(old)["_inner"] = new._inner
        for mine, other in zip(old.maps, new.maps, strict=True):
            mine.copy_(other)


class Replaying:
    """Records by doing the work, and replays it into the same tensors."""

    def __init__(self) -> None:
        self.recorded = self.replayed = self.cleared = 0

    def record(self, work):
        self.recorded += 1
        result = work()

        def replay() -> None:
            self.replayed += 1
            copy_result(result, work())

        return replay, result

    def clear(self) -> None:
        self.cleared += 1

    def finish(self) -> None:
        pass


class Deferring(Replaying):
    """Does recorded work when it is replayed only, as a card; for work without a result."""

    def record(self, work):
        self.recorded += 1

        def replay() -> None:
            self.replayed += 1
            work()

        return replay, None


class PoolRule(Replaying):
    """Has c10's rule: what shares a pool with no graph that lives can't be recorded.

    `failing` maps the number of a recording, from 1, to the error that it raises in the middle.
    """

    def __init__(self, failing: dict[int, Exception]) -> None:
        super().__init__()
        self.failing, self.pool, self.begun = failing, None, 0

    def record(self, work):
        self.begun += 1
        if self.pool is not None and not any(graph() for graph in self.pool):
            raise RuntimeError(
                "it->second->use_count > 0 INTERNAL ASSERT FAILED at CUDACachingAllocator.cpp"
            )
        if self.begun in self.failing:
            if self.pool is None:
                self.pool = []  # it exists from the first try on
            raise self.failing[self.begun]
        replay, result = super().record(work)
        self.pool = self.pool or []
        self.pool.append(_reference(replay))
        return replay, result

    def clear(self) -> None:
        super().clear()
        self.pool = None


def _reference(function):
    import weakref

    return weakref.ref(function)
