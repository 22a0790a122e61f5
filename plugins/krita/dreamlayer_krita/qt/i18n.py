"""Translates what the user reads, with Krita's own catalogues.

Krita adds its `i18n` function to Python's built-ins. Texts that Krita uses too ("Cancel",
"Strength") appear in the user's language, all others in English.
"""

from __future__ import annotations

import builtins


def tr(text: str) -> str:
    """The text in the user's language, or unchanged if there is no translation."""
    translate = getattr(builtins, "i18n", None)
    return str(translate(text)) if translate is not None and text else text
