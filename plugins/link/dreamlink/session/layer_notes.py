"""Sentences about a dream's layer and the layer below it, the same in every host."""

from __future__ import annotations


def hidden_for_dream(name: str) -> str:
    """The source was hidden: below its dream it would count twice."""
    return f"“{name}” is hidden, because its dream takes its place."


def dream_hidden_too(name: str) -> str:
    """A hidden source's dream is hidden as well."""
    return f"“{name}” is hidden, and so is its dream: show it in the layer list."


def counts_twice(name: str, mode: str | None, opacity: float) -> str:
    """Source and dream are both seen inside the selection.

    `mode` is the name of the source's blend mode, None if that is Normal; `opacity` is the
    source's own, in percent. If neither is the cause, it is the transparency of its pixels.
    """
    if mode is not None:
        reason = f"it is set to {mode}"
    elif opacity < 100:
        reason = f"it is {opacity:.0f} % opaque"
    else:
        reason = "it is partly transparent"
    return (
        f"Inside the selection “{name}” now counts twice ({reason}): hide or erase it there, or"
        " dream without a selection."
    )
