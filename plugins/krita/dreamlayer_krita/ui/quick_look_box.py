"""The docker's quick look: what the form's settings will make of the layer, in about a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from krita import Krita

from dreamlink.recipe.recipe import Recipe, RecipeError

from ..document import document
from ..document.reduce import middle, reduced, uncut
from ..document.source import Source
from ..model.quick_look import Glimpse
from ..qt.guard import guarded
from ..qt.i18n import tr
from ..qt.qt import QtCore, QtWidgets
from .widgets.fields import tip
from .widgets.pixel_view import Screen

if TYPE_CHECKING:
    from .panel import Panel

PAUSE = 200  # milliseconds without another change in the form before it is looked again


class Look:
    """A button that opens a small picture, which follows the form while it is open.

    Attributes:
        screen: shows looks.
        so_far: shows a dream under way that is too large to grow on the canvas.
    """

    def __init__(self, panel: Panel) -> None:
        """Its widgets go into the panel's place for it, one by one: so they can give way."""
        self._panel = panel
        self._glimpse: Glimpse | None = None
        self.screen = Screen()
        self.screen.setObjectName("look")
        self.screen.setToolTip(tip("What the dream will look like, reduced. Click to look again"))
        self.so_far = Screen()
        self.so_far.setObjectName("so_far")
        self.so_far.setToolTip(tip("The dream so far; the picture is too large to show it there"))
        self._line = QtWidgets.QLabel()
        self._line.setObjectName("look_line")
        self._line.setWordWrap(True)
        self._line.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self._line.setVisible(False)
        self._button = QtWidgets.QPushButton(tr("Quick look"))
        self._button.setObjectName("quick_look")
        self._button.setCheckable(True)
        self._button.setToolTip(
            tip("Show small, in about a second, what these settings dream; follows each change")
        )
        self._button.toggled.connect(guarded(self._switch, self._say))
        self.screen.clicked.append(guarded(self.look, self._say))
        self._timer = QtCore.QTimer(self._button)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE)
        self._timer.timeout.connect(guarded(self.look, self._say))
        panel.changed.append(self._follow)
        panel.buttons.addWidget(self._button)
        for widget in (self.screen, self._line, self.so_far):
            panel.look_box.addWidget(widget)

    def look(self) -> None:
        """Look at the active layer with the form's settings; a look under way is given up."""
        self._stop()
        try:
            recipe = self._panel.recipe()
            source, factor = reduced(self._read(recipe))
        except (RecipeError, document.DocumentError) as error:
            self.screen.clear()
            self._say(str(error))
            return
        self._glimpse = Glimpse(
            self._panel.link, source, factor, recipe, self.screen.show_pixels, self._say
        )
        self._glimpse.start()

    def _read(self, recipe: Recipe) -> Source:
        """What would be dreamed on, or the middle of it."""
        if self._panel.source_of is not document.read:  # another layer's dream is edited
            return self._panel.read(recipe)
        whole = self._panel.where()
        where = middle(recipe, whole)
        source = self._panel.read(recipe, where)
        chosen = Krita.instance().activeDocument().selection()
        return uncut(source) if where is not whole and chosen is None else source

    def _switch(self, on: bool) -> None:
        self._timer.stop()
        if on:
            self.look()
        else:
            self._stop()
            self.screen.clear()
            self._say("")

    def _follow(self) -> None:
        if self._button.isChecked():
            self._timer.start()

    def _stop(self) -> None:
        glimpse, self._glimpse = self._glimpse, None
        if glimpse is not None:
            glimpse.stop()

    def _say(self, text: str) -> None:
        self._line.setText(text)
        self._line.setVisible(bool(text))
