"""What a Krita offers that is too old for the plug-in: the menu entry, which says so.

Its Python may be 3.8, so this file and `__init__.py` keep to what that can read.
"""

from __future__ import annotations

import re
from typing import Any

TITLE = "Deep Dream"
ACTIONS = (("dreamlayer_dream", "filter"), ("dreamlayer_dream_script", "tools/scripts"))
OLDEST = (5, 2)  # 5.1 lacks calls that find a layer again, and Python 3.10 on Windows


def is_too_old(version: str) -> bool:
    """Whether a Krita is older than the plug-in needs; `version` as Krita says it: "5.1.5"."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) < OLDEST


def sentence(version: str) -> str:
    """What the user reads."""
    return (
        f"{TITLE} needs Krita 5.2 or newer, and this is Krita {version}. Install a newer one, which"
        " krita.org has for every system, and run Dreamlayer's installer again. On the command"
        " line, dreamlayer dream works on picture files without Krita."
    )


def register() -> None:
    """Register the action with Krita."""
    from krita import Extension, Krita
    from PyQt5.QtWidgets import QMessageBox

    version = str(Krita.instance().version())

    def explain(*_: object) -> None:
        QMessageBox.information(Krita.instance().activeWindow().qwindow(), TITLE, sentence(version))

    class OldKritaExtension(Extension):  # type: ignore[misc]
        def setup(self) -> None:
            """Krita calls it once."""

        def createActions(self, window: Any) -> None:  # noqa: N802 (Krita's name)
            for name, menu in ACTIONS:
                window.createAction(name, f"{TITLE}…", menu).triggered.connect(explain)

    Krita.instance().addExtension(OldKritaExtension(Krita.instance()))
