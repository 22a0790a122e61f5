"""What the user reads, through Krita's own translation.

Krita puts its `i18n` among Python's built-ins. It knows the words of Krita's own catalogues, so
what Krita itself says too ("Cancel", "Strength") comes in the user's language, the rest in English.
"""

from __future__ import annotations

import builtins


def tr(text: str) -> str:
    """The text in the user's language, or as it is where there is no translation of it."""
    translate = getattr(builtins, "i18n", None)
    return str(translate(text)) if translate is not None and text else text
