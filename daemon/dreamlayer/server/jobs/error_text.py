"""Error messages for users; details that they leave out go into the log."""

from __future__ import annotations

import logging

from dreamlayer.networks.registry.registry import MissingWeights
from dreamlayer.runtime import devices

log = logging.getLogger(__name__)

FOR_USERS = (ValueError, MissingWeights)  # errors whose text is written for the user


def sentence(error: BaseException, log_place: str) -> str:
    """One sentence for the user about an error; `log_place` says where the details are."""
    if isinstance(error, FOR_USERS):
        log.info("refused: %s", error, exc_info=log.isEnabledFor(logging.DEBUG))
        return str(error)
    log.error("unexpected", exc_info=error)
    if devices.is_out_of_memory(error):
        return (
            "There is not enough memory for this dream, even in small tiles: close other programs,"
            f" or dream on a smaller selection. The details are in {log_place}."
        )
    return (
        f"The dream failed unexpectedly ({type(error).__name__}: {error!s:.200});"
        f" the details are in {log_place}."
    )
