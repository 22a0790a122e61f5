"""Validation of the daemon's answers to a dream or a blend, before a client relies on them.

A daemon of another version, or a faulty one, must not crash the host: an invalid answer ends the
request with a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..picture import Picture
from ..recipe.recipe import Recipe
from .messages import Frame, Header, MessageError

INVALID = "The daemon's answer is invalid ({}); nothing was changed."


def check(header: Header, frames: Sequence[Frame]) -> None:
    """Raise MessageError, with a sentence for the user, for an invalid answer.

    The length of a result's pixels is checked by the request, which knows it.
    """
    op = header["op"]
    if op not in _CHECKS:
        raise MessageError(INVALID.format(f"{op!r:.40}"))
    try:
        _CHECKS[op](header, frames)
    except ValueError as error:
        raise MessageError(INVALID.format(f"{op}: {error!s:.100}")) from error


def _queued(header: Header, _frames: Sequence[Frame]) -> None:
    _whole(header, "ahead", 0)


def _progress(header: Header, frames: Sequence[Frame]) -> None:
    if _number(header, "fraction") > 1:
        raise ValueError("fraction is above 1")
    if not isinstance(header.get("text", ""), str):
        raise ValueError("text is not a text")
    if "octave" in header:
        for name in ("octave", "octaves", "step", "steps"):
            _whole(header, name, 1)
    if header.get("remaining") is not None:
        _number(header, "remaining")
    if header.get("live") is True:
        if len(frames) != 1:  # their length is checked by the request
            raise ValueError("it has no pixels")
    elif "preview" in header or frames:
        length = Picture.of(header.get("preview")).nbytes
        if [len(frame) for frame in frames] != [length]:
            raise ValueError("the preview's pixels don't fit")


def _done(header: Header, _frames: Sequence[Frame]) -> None:
    _number(header, "seconds")
    recipe = header.get("recipe")
    if not isinstance(recipe, dict):
        raise ValueError("it has no recipe")
    Recipe.of(recipe)
    if not isinstance(header.get("device", ""), str):
        raise ValueError("device is not a text")
    if "seed" in header:
        _whole(header, "seed", 0)
    for name in ("megapixel_steps", "gain"):
        if header.get(name) is not None:
            _number(header, name)


def _cancelled(_header: Header, _frames: Sequence[Frame]) -> None:
    """It has no other fields."""


def _error(header: Header, _frames: Sequence[Frame]) -> None:
    text = header.get("text")
    if not isinstance(text, str) or not text.strip():
        raise ValueError("it has no text")


def _number(header: Header, name: str) -> float:
    value = header.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is not a number")
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} is {value}")
    return float(value)


def _whole(header: Header, name: str, least: int) -> None:
    value = header.get(name)
    if type(value) is not int or value < least:
        raise ValueError(f"{name} is not a whole number of at least {least}")


_CHECKS: dict[str, Callable[[Header, Sequence[Frame]], None]] = {
    "queued": _queued,
    "progress": _progress,
    "done": _done,
    "cancelled": _cancelled,
    "error": _error,
}
