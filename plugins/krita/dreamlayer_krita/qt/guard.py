"""The boundary between Qt and us: no exception passes it.

Krita shows an exception that leaves a slot in a modal dialog, and while that is open the next
slots run into the same trouble. So whatever Qt calls is guarded: the user gets a sentence, the
log (Krita's error output) the traceback.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable

log = logging.getLogger("dreamlayer_krita")


def guarded(call: Callable[..., None], show: Callable[[str], None]) -> Callable[..., None]:
    """`call` for Qt to call: what it raises is logged, and said by `show`."""

    @functools.wraps(call)
    def slot(*arguments: object) -> None:
        try:
            call(*arguments)
        except Exception as error:
            log.exception("An error in Dreamlayer's plug-in")
            try:
                show(unexpected(error))
            except Exception:  # e.g. the docker is gone with its window
                log.exception("It could not be shown")

    return slot


def unexpected(error: Exception) -> str:
    """What the user is told about an error that nobody foresaw."""
    return (
        f"Dreamlayer's plug-in has failed ({type(error).__name__}: {error})."
        " Please report it with what Krita wrote into its log."
    )
