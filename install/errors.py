"""The errors of the installer, and how it speaks of itself."""

from __future__ import annotations

import os

STARTED = "DREAMLAYER_STARTED_AS"  # set by the start scripts: what the user knows the installer as


class InstallError(Exception):
    """Something that keeps Dreamlayer from being installed; the text is a sentence for the user."""


def for_user(text: str) -> str:
    """The text with the name of what the user started: install.py, or a start script."""
    return text.replace("install.py", os.environ.get(STARTED) or "install.py")
