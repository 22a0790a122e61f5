"""The docker: holds the panel, or an explanation if the plug-in is incomplete."""

from __future__ import annotations

import importlib
import operator
import textwrap
from typing import Any

from krita import DockWidget, Krita

from .qt.guard import log
from .qt.i18n import tr
from .qt.qt import QtWidgets

DOCKER_ID = "dreamlayer_krita"
TITLE = "Deep Dream"
MESSAGE_WIDTH = 60  # characters; Krita does not wrap floating messages itself
MESSAGE_TIME = 6000  # milliseconds
MESSAGE_PRIORITY = 1  # Krita's "medium": shown at once


class DreamDocker(DockWidget):  # type: ignore[misc]
    """Krita creates one for each window."""

    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle(tr(TITLE))
        try:
            from .ui.panel import open_panel  # needs dreamlink, which needs msgpack

            self._panel: Any = open_panel(float_message)
        except ImportError as error:
            log.exception("Dreamlayer's plug-in is incomplete")
            self._panel = IncompleteNotice(str(error))
        self.setWidget(self._panel)

    def canvasChanged(self, canvas: Any) -> None:  # noqa: N802 (Krita's name)
        """Krita requires this method; the session asks for the active document when it dreams."""

    def dream(self) -> None:
        """Dream on the active layer, or say why not."""
        self.call("model.session:Session.dream")

    def call(self, target: str) -> None:
        """Call a function or method with this docker's session.

        Args:
            target: "package.module:function" or "package.module:Class.method".
        """
        if isinstance(self._panel, IncompleteNotice):
            self._panel.explain()
            return
        module, _, name = target.partition(":")
        function = operator.attrgetter(name)(importlib.import_module(f".{module}", __package__))
        function(self._panel.session)


class IncompleteNotice(QtWidgets.QLabel):  # type: ignore[misc]
    """Shown in place of the panel if the plug-in's libraries are missing."""

    def __init__(self, reason: str) -> None:
        if not reason.endswith("install.py again."):
            reason = (
                f"Dreamlayer's plug-in is incomplete ({reason}). Run Dreamlayer's install.py again."
            )
        super().__init__(reason)
        self.setObjectName("message")
        self.setWordWrap(True)
        self.setMargin(8)

    def explain(self) -> None:
        """Show the reason over the picture."""
        float_message(self.text())


def float_message(text: str) -> None:
    """Show a sentence over the picture for some seconds, if a picture is open."""
    window = Krita.instance().activeWindow()
    view = window.activeView() if window else None
    if view is not None and view.document() is not None:
        icon = Krita.instance().icon("dialog-information")
        lines = textwrap.fill(text, MESSAGE_WIDTH, break_long_words=False)
        view.showFloatingMessage(lines, icon, MESSAGE_TIME, MESSAGE_PRIORITY)
