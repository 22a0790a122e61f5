"""The names that a host offers in the fields for the network and for what of it is amplified."""

from __future__ import annotations

from ..recipe import expression
from ..wire.messages import Header


def names(header: Header) -> list[str]:
    """The names in the daemon's answer to `models`, or to `layers`, as they can be typed.

    Kinds of things are written kind:NAME; a daemon that knows none sends none. Empty for an error,
    e.g. if the network's name is half typed.
    """
    kinds = [str(expression.kind(name)) for name in _column(header, "kinds")]
    return [*_column(header, str(header["op"])), *kinds]


def _column(header: Header, rows: str) -> list[str]:
    """The names in one of an answer's lists."""
    found = header.get(rows)
    return [str(row["name"]) for row in found] if isinstance(found, list) else []
