"""The error of the installer."""

from __future__ import annotations


class InstallError(Exception):
    """A step failed; the text is one sentence that says why and what to do."""
