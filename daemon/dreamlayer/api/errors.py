"""What a call raises when there is no dream, and what it warns of.

Wrong arguments and unreadable files are ValueError or TypeError, a daemon that can't be reached is
a ConnectionError.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable


class DreamError(RuntimeError):
    """The daemon did not dream; the text is one sentence that says why."""


class DreamCancelled(DreamError):
    """The dream was cancelled by the call's `cancel`."""


class DreamWarning(UserWarning):
    """Something small was lost, e.g. 8 of 16 bits per colour."""


# What sentences of the command line say, and what it is called here.
IN_PYTHON = {
    "add --overwrite": "add overwrite=True",
    "add --start noise": 'add start="noise"',
    "; --pixels-max changes that": "",
}


def in_python(error: Exception) -> Exception:
    """The error, with the names of Python's arguments instead of options."""
    sentence = str(error)
    for option, argument in IN_PYTHON.items():
        sentence = sentence.replace(option, argument)
    return error if sentence == str(error) else type(error)(sentence)


def warn(notes: Iterable[str]) -> None:
    """A warning for each sentence that is not empty."""
    for note in filter(None, notes):
        warnings.warn(note, DreamWarning, stacklevel=2)
