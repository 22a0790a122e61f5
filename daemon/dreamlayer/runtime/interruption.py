"""Lets long computations end early when the dream that they belong to is not wanted any more.

A dream yields after each tile, and can be ended there. But one tile of a deep network, a whole
picture through a network that can't be tiled, or the resizing of a huge plane take minutes. So such
loops call `check` now and then. Which dream a thread works on, it knows from `interruptible`;
threads that help it get the same question from `question`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.utils._python_dispatch import TorchDispatchMode

LONG = 1 << 18  # pixels; a pass over fewer is short, and asking would take a fifth of its time
Question = Callable[[], bool]  # whether to end


class Interrupted(Exception):
    """The computation was ended because nobody wants its result."""


def _never() -> bool:
    return False


_question: ContextVar[Question] = ContextVar("interruption", default=_never)


@contextlib.contextmanager
def interruptible(ended: Question) -> Iterator[None]:
    """Within this context, in this thread, `check` raises Interrupted once `ended()` is true."""
    before = _question.set(ended)
    try:
        yield
    finally:
        _question.reset(before)


def uninterrupted() -> AbstractContextManager[None]:
    """A context for work that has nothing to do with the dream around it."""
    return interruptible(_never)


def question() -> Question:
    """The question of this thread, for `interruptible` in a thread that works for it."""
    return _question.get()


def check() -> None:
    """Raise Interrupted if the result of this computation is not wanted any more. Cheap."""
    if _question.get()():
        raise Interrupted


def between_operations(pixels: int) -> AbstractContextManager[object]:
    """A context in which `check` is called before each of torch's operations.

    Changes no number. Does nothing for a pass over few pixels, or where no one may interrupt.
    """
    if pixels < LONG or question() is _never:
        return contextlib.nullcontext()
    return _checking_mode()()


@cache
def _checking_mode() -> type[TorchDispatchMode]:
    from torch.utils._python_dispatch import TorchDispatchMode  # late: torch takes seconds

    class _CheckingMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
        """Calls `check` before each operation of torch, forward and backward."""

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            check()
            return func(*args, **(kwargs or {}))

    return _CheckingMode
