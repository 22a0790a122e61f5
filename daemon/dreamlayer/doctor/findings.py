"""What was found: whether it is as it should be, and what to do if not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One line: what was found, and what to do about it, as sentences."""

    level: Level
    text: str
    remedy: str = ""


def ok(text: str) -> Finding:
    return Finding("ok", text)


def warning(text: str, remedy: str) -> Finding:
    """What Dreamlayer works in spite of."""
    return Finding("warning", text, remedy)


def wrong(text: str, remedy: str) -> Finding:
    return Finding("wrong", text, remedy)


def safely(title: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What `look` finds; that it can't look is a finding, too."""
    try:
        yield from look()
    except Exception as error:  # whatever is broken on this computer, the rest is looked at
        yield wrong(
            f"{title}: can't be looked at ({type(error).__name__}: {error!s:.300}).",
            "Send the report of `dreamlayer doctor --report FILE` with a bug report.",
        )
