"""What Krita gets from us: the action "Deep Dream…" and the docker.

Nothing here needs `dreamlink`, so the action and the docker are there, and say what is wrong, even
when a copy of the plug-in lacks its libraries.
"""

from __future__ import annotations

from typing import Any

from krita import DockWidgetFactory, DockWidgetFactoryBase, Extension, Krita

from .docker import DOCKER_ID, TITLE, DreamDocker, float_message
from .guard import guarded

ACTIONS = {"dreamlayer_dream": "filter", "dreamlayer_dream_script": "tools/scripts"}


class DreamExtension(Extension):  # type: ignore[misc]
    """Krita's idea of a plug-in: it is asked for its actions once for each window."""

    def setup(self) -> None:
        """Krita calls it once; there is nothing to set up before a window is there."""

    def createActions(self, window: Any) -> None:  # noqa: N802 (Krita's name)
        for name, menu in ACTIONS.items():
            action = window.createAction(name, f"{TITLE}…", menu)
            action.triggered.connect(guarded(lambda *_: dream_in_active_window(), float_message))


def dream_in_active_window() -> None:
    """Show the docker of the active window and dream on the active layer."""
    for docker in Krita.instance().activeWindow().dockers():
        if isinstance(docker, DreamDocker):
            docker.setVisible(True)
            docker.raise_()
            docker.dream()


def register() -> None:
    """Tell Krita about the action and the docker."""
    app = Krita.instance()
    app.addExtension(DreamExtension(app))
    place = getattr(DockWidgetFactoryBase, "DockPosition", DockWidgetFactoryBase).DockRight
    app.addDockWidgetFactory(DockWidgetFactory(DOCKER_ID, place, DreamDocker))
