"""Error messages for users; details that they leave out go into the log."""

from __future__ import annotations

import logging

from dreamlayer.networks.registry.registry import MissingWeights
from dreamlayer.runtime.devices import errors

log = logging.getLogger(__name__)

TEXT_MAX = 4000  # characters; an answer is one sentence
FOR_USERS = (ValueError, MissingWeights)  # errors whose text is written for the user


def sentence(error: BaseException, log_place: str) -> str:
    """One sentence for the user about an error; `log_place` says where the details are."""
    text = text_of(error)
    if isinstance(error, FOR_USERS):
        log.info("refused: %s", text, exc_info=log.isEnabledFor(logging.DEBUG))
        return text
    log.error("unexpected", exc_info=error)
    if _is_out_of_memory(error):
        return (
            "There is not enough memory for this dream, even in small tiles: close other programs,"
            f" or dream on a smaller selection. The details are in {log_place}."
        )
    return (
        f"The dream failed unexpectedly ({type(error).__name__}: {text:.200});"
        f" the details are in {log_place}."
    )


def text_of(error: BaseException) -> str:
    """The text of any error, also of one that can't say what it is; the start of a long one."""
    try:
        return str(error)[:TEXT_MAX]
    except BaseException:
        return f"{type(error).__name__}, which has no text"


def _is_out_of_memory(error: BaseException) -> bool:
    try:
        return errors.is_out_of_memory(error)  # it reads the error's text
    except BaseException:
        return False
