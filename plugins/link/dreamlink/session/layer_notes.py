"""Sentences about a dream's layer and the layer below it, the same in every host."""

from __future__ import annotations


def hidden_for_dream(name: str) -> str:
    """The source was hidden: below its dream it would count twice."""
    return f"“{name}” is hidden, because its dream takes its place."


def hidden_for_new_dream(name: str) -> str:
    """An earlier dream was hidden: below the new one it would count twice."""
    return f"“{name}” is hidden, because the new dream takes its place."


def dream_hidden_too(name: str) -> str:
    """A hidden source's dream is hidden as well."""
    return f"“{name}” is hidden, and so is its dream: show it in the layer list."


def counts_twice(name: str, mode: str | None, opacity: float, film: bool = False) -> str:
    """The layer below the dream and the dream are both seen where the dream is.

    Args:
        name: of the layer below.
        mode: the name of its blend mode, None if that is Normal.
        opacity: its own, in percent. If neither is the cause, it is the transparency of its pixels.
        film: whether the dream is seen in some frames only, rather than inside a selection.
    """
    if mode is not None:
        reason = f"it is set to {mode}"
    elif opacity < 100:
        reason = f"its opacity is {min(round(opacity), 99)} %"
    else:
        reason = "it is partly transparent"
    where, instead = (
        ("While the film runs", "dream a film that begins at frame 0 and does not end")
        if film
        else ("Inside the selection", "dream without a selection")
    )
    return f"{where} “{name}” now counts twice ({reason}): hide or erase it there, or {instead}."
