"""Keeps exceptions out of Qt.

Krita shows an exception that leaves a slot in a modal dialog, and while that dialog is open other
slots raise the same exception. So every function that Qt calls is guarded: the user gets a
sentence, and the traceback goes to the log (Krita's error output).
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable

log = logging.getLogger("dreamlayer_krita")


def guarded(call: Callable[..., None], show: Callable[[str], None]) -> Callable[..., None]:
    """A slot that calls `call`; an exception is logged and passed to `show` as a sentence."""

    @functools.wraps(call)
    def slot(*arguments: object) -> None:
        try:
            call(*arguments)
        except Exception as error:
            log.exception("An error in Dreamlayer's plug-in")
            try:
                show(unexpected(error))
            except Exception:  # e.g. the docker is gone with its window
                log.exception("The error could not be shown to the user")

    return slot


def unexpected(error: Exception) -> str:
    """The sentence that tells the user about an unexpected error."""
    return (
        f"Dreamlayer's plug-in has failed ({type(error).__name__}: {error})."
        " Please report it together with Krita's log."
    )
