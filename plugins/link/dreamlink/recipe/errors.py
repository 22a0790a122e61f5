"""Errors in a recipe, with the place in an expression."""

from __future__ import annotations

Span = tuple[int, int]


class RecipeError(ValueError):
    """A recipe that cannot be dreamed; the text is one sentence for the user."""


class ExpressionError(RecipeError):
    """An expression that can't be understood; the text is one sentence for the user."""

    @classmethod
    def at(cls, text: str, span: Span, problem: str) -> ExpressionError:
        """The error at one place in a text; the message quotes the text."""
        return cls(f"“{mark(text, span)}” can't be understood: {problem}.")


def mark(text: str, span: Span) -> str:
    """A text, shortened to one line, with the place `span` (start, end) between » and «.

    >>> mark("features.10:30 + fetures.3", (17, 26))
    'features.10:30 + »fetures.3«'
    """
    first, end = span
    before, place, behind = text[:first], text[first:end], text[end:]
    before = before if len(before) <= 40 else "…" + before[-39:]
    return f"{before}»{shortened(place, 60)}«{shortened(behind, 40)}"


def shortened(text: str, length: int) -> str:
    """The text, or its beginning and … if it is longer than `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"
