"""The result of a check: whether all is well, and what to do if not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: the result of a check and what to do about it, as sentences."""

    level: Level
    text: str
    remedy: str = ""


def ok(text: str) -> Finding:
    return Finding("ok", text)


def warning(text: str, remedy: str) -> Finding:
    """A problem despite which Dreamlayer works."""
    return Finding("warning", text, remedy)


def wrong(text: str, remedy: str) -> Finding:
    return Finding("wrong", text, remedy)


def safely(title: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of `check`; if it raises an error, that is a finding, too."""
    try:
        yield from check()
    except Exception as error:  # so that the other checks run, whatever is broken here
        yield wrong(
            f"{title}: the check failed ({type(error).__name__}: {error!s:.300}).",
            "Attach the file that `dreamlayer doctor --report FILE` writes to a bug report.",
        )
