"""The docker's quick look: a small preview of the dream, in about a second."""

from __future__ import annotations

from krita import Krita

from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe, RecipeError
from dreamlink.wire.messages import Frame

from ..document import layer_io
from ..document.reduce import crop_to_middle, reduce_source, without_selection
from ..document.source import LayerSource
from ..model.looking.quick_look import QuickLookJob
from ..model.session import Session
from ..qt.guard import guarded
from ..qt.i18n import tr
from ..qt.qt import QtCore, QtWidgets
from .widgets.fields import tool_tip
from .widgets.pixel_view import PixelView

PAUSE = 200  # milliseconds without a change in the form before the next look


class QuickLookBox:
    """A button that opens a small preview, which follows the form while it is open.

    Attributes:
        button: opens and closes it.
        widgets: what it shows, from top to bottom. They are laid out one by one, so that each can
            shrink where there is little room.
        look_view: shows the looks.
        dream_view: shows the current dream of a picture that is too large to show it on the canvas.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._look: QuickLookJob | None = None
        self.look_view = PixelView()
        self.look_view.setObjectName("look")
        self.look_view.setToolTip(tool_tip("A small preview of the dream. Click for another look"))
        self.dream_view = PixelView()
        self.dream_view.setObjectName("so_far")
        self.dream_view.setToolTip(
            tool_tip("The dream so far; the picture is too large to show it on the canvas")
        )
        self._line = QtWidgets.QLabel()
        self._line.setObjectName("look_line")
        self._line.setWordWrap(True)
        self._line.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self._line.setVisible(False)
        self.button = QtWidgets.QPushButton(tr("Quick look"))
        self.button.setObjectName("quick_look")
        self.button.setCheckable(True)
        self.button.setToolTip(
            tool_tip(
                "Show a small preview of these settings in about a second; follows each change"
            )
        )
        self.button.toggled.connect(guarded(self._switch, self._say))
        self.look_view.clicked.append(guarded(self.look, self._say))
        self._timer = QtCore.QTimer(self.button)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE)
        self._timer.timeout.connect(guarded(self.look, self._say))
        self.widgets = [self.look_view, self._line, self.dream_view]
        follow = guarded(lambda _: self._follow(), session.say)
        for observable in (
            session.recipe_values,
            session.guide,
            session.strength_map,
            session.dream_map,
        ):
            observable.subscribe(follow)
        session.preview.subscribe(self._show_preview)

    def look(self) -> None:
        """Look at the active layer with the form's settings, in place of the current look."""
        self._stop()
        try:
            recipe = self._session.recipe()
            source, factor = reduce_source(self._read(recipe))
        except (RecipeError, layer_io.DocumentError) as error:
            self.look_view.clear()
            self._say(str(error))
            return
        self._look = QuickLookJob(
            self._session.link, source, factor, recipe, self.look_view.show_pixels, self._say
        )
        self._look.start()

    def _read(self, recipe: Recipe) -> LayerSource:
        """Read what would be dreamed on, or the middle of it if it is large."""
        if self._session.editing.value is not None:  # another layer's dream is edited
            return self._session.read(recipe)
        whole = self._session.growing_target()
        where = crop_to_middle(recipe, whole)
        source = self._session.read(recipe, where)
        chosen = Krita.instance().activeDocument().selection()
        return without_selection(source) if where is not whole and chosen is None else source

    def _switch(self, on: bool) -> None:
        self._timer.stop()
        if on:
            self.look()
        else:
            self._stop()
            self.look_view.clear()
            self._say("")

    def _follow(self) -> None:
        if self.button.isChecked():
            self._timer.start()

    def _show_preview(self, preview: tuple[Picture, Frame] | None) -> None:
        if preview is None:
            self.dream_view.clear()
        else:
            self.dream_view.show_pixels(*preview)

    def _stop(self) -> None:
        look, self._look = self._look, None
        if look is not None:
            look.stop()

    def _say(self, text: str) -> None:
        self._line.setText(text)
        self._line.setVisible(bool(text))
