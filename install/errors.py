"""What goes wrong while installing."""

from __future__ import annotations


class InstallError(Exception):
    """A step can't be done; the text is one sentence that says what is wrong and what to do."""
