"""Registers the plug-in's actions and its docker with Krita.

Nothing here needs `dreamlink`: if the plug-in's libraries are missing, the actions and the docker
still exist and explain what is wrong.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from krita import DockWidgetFactory, DockWidgetFactoryBase, Extension, Krita

from .docker import DOCKER_ID, TITLE, DreamDocker, float_message
from .qt.guard import guarded
from .qt.i18n import tr


class Action(NamedTuple):
    """One entry in Krita's menus; `dreamlayer_krita.action` has its tool tip.

    `call` names a function or method, as "package.module:function". It is imported only when the
    action is triggered, and gets the session of the active window's docker.
    """

    name: str
    text: str
    menu: str
    call: str


AGAIN = "Dream Again with These Settings"
ACTIONS = (
    Action("dreamlayer_dream", f"{TITLE}…", "filter", "model.session:Session.dream"),
    Action(
        "dreamlayer_film", f"{TITLE} Animation…", "filter", "model.session:Session.request_film"
    ),
    Action("dreamlayer_again", AGAIN, "layer", "model.repeat:dream_again"),
    Action("dreamlayer_edit", "Edit the Dream of This Layer…", "layer", "model.repeat:edit_dream"),
    Action("dreamlayer_dream_script", f"{TITLE}…", "tools/scripts", "model.session:Session.dream"),
)


class DreamExtension(Extension):  # type: ignore[misc]
    """Krita asks it for its actions once for each window."""

    def setup(self) -> None:
        """Krita calls it once; nothing needs to be set up before there is a window."""

    def createActions(self, window: Any) -> None:  # noqa: N802 (Krita's name)
        for name, text, menu, call in ACTIONS:
            action = window.createAction(name, tr(text), menu)
            action.triggered.connect(
                guarded(lambda *_, call=call: call_in_active_window(call), float_message)
            )


def call_in_active_window(call: str) -> None:
    """Show the docker of the active window and call an action's function with its session."""
    for docker in Krita.instance().activeWindow().dockers():
        if isinstance(docker, DreamDocker):
            docker.setVisible(True)
            docker.raise_()
            docker.call(call)


def register() -> None:
    """Register the actions and the docker."""
    app = Krita.instance()
    app.addExtension(DreamExtension(app))
    place = getattr(DockWidgetFactoryBase, "DockPosition", DockWidgetFactoryBase).DockRight
    app.addDockWidgetFactory(DockWidgetFactory(DOCKER_ID, place, DreamDocker))
