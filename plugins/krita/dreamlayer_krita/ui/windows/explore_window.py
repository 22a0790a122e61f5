"""Explore: nine looks at the user's own picture, from which one goes on by clicking."""

from __future__ import annotations

from typing import Any

from dreamlink.recipe.recipe import RecipeError
from dreamlink.session import map_colours
from dreamlink.session.exploring import nine_cells
from dreamlink.session.exploring.exploration import MIDDLE, Cell
from dreamlink.session.exploring.nine_cells import CELL_SIDE, CELLS, COLUMNS, LOOK_SIDE, WHOLE
from dreamlink.session.exploring.recipes import describe
from dreamlink.wire.looks import LOOKS_SIDE

from ...document import layer_io
from ...document.reduce import crop_to_middle, reduce_source
from ...model.looking.exploring import Exploring
from ...model.session import Session
from ...qt.guard import guarded, log
from ...qt.i18n import tr
from ...qt.qt import QtCore, QtGui, QtWidgets
from ..widgets.look_cell import ARROWS, LookCell
from ..widgets.text_button import text_button

STEPS = dict(zip(ARROWS, ((-1, 0), (1, 0), (0, -1), (0, 1)), strict=True))  # across, down


class ExploreWindow(QtWidgets.QDialog):  # type: ignore[misc]
    """Three rows of three looks; the middle one is the present choice. Not modal."""

    def __init__(self, parent: Any, session: Session) -> None:
        super().__init__(parent)
        self._session = session
        self._job: Exploring | None = None
        self._hints = False  # whether the line is the hint
        session.recipe_values.subscribe(guarded(lambda _: self._follow_map(), log.error))
        self.setObjectName("explore_window")
        self.setWindowTitle(tr("Explore"))
        self._line = QtWidgets.QLabel()
        self._line.setObjectName("explore_line")
        self._line.setWordWrap(True)
        self._line.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self._cells = [self._cell(index) for index in range(CELLS)]
        grid = QtWidgets.QGridLayout()
        grid.setSpacing(0)
        for index, cell in enumerate(self._cells):
            grid.addWidget(cell, *divmod(index, COLUMNS))
        self._back = self._button("Back", nine_cells.BACK_HELP, "explore_back", "back")
        self._forward = self._button(
            "Forward", nine_cells.FORWARD_HELP, "explore_forward", "forward"
        )
        self._surprise = self._button(
            "Surprise me", nine_cells.SURPRISE_HELP, "explore_surprise", "surprise"
        )
        self._use = text_button("Use this", nine_cells.USE_HELP, "explore_use", self._take)
        row = QtWidgets.QHBoxLayout()
        for button in (self._back, self._forward, self._surprise):
            row.addWidget(button)
        row.addStretch()
        row.addWidget(self._use)
        row.addWidget(text_button("Close", "Close this window", "explore_close", self.close))
        column = QtWidgets.QVBoxLayout(self)
        column.addWidget(self._line)
        column.addLayout(grid, 1)
        column.addLayout(row)
        for keys, action in (("Alt+Left", "back"), ("Alt+Right", "forward")):
            shortcut = QtGui.QShortcut if hasattr(QtGui, "QShortcut") else QtWidgets.QShortcut
            shortcut(QtGui.QKeySequence(keys), self).activated.connect(self._going(action))
        self.finished.connect(guarded(lambda *_: self._stop(), log.error))
        self._show()

    def open_again(self) -> None:
        """Show the window, and look at the active layer with the form's settings."""
        self.show()
        self.raise_()
        self.activateWindow()
        self._cells[MIDDLE].setFocus()
        self.explore()

    def explore(self) -> None:
        """Begin a walk at the form's settings, in the selection or the whole active layer."""
        self._stop()
        try:
            recipe = self._session.recipe()
            where = crop_to_middle(WHOLE, self._session.growing_target())
            source = layer_io.read(WHOLE, where=where)
        except (RecipeError, layer_io.DocumentError) as error:
            self._show()
            self._line.setText(str(error))
            return
        seen, _ = reduce_source(source)
        small, reduced = reduce_source(source, LOOK_SIDE, LOOKS_SIDE)
        self._job = Exploring(
            self._session.link, seen, small, reduced, recipe, self._show, self._say
        )
        self._fit()
        self._show()
        self._job.start()

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        guarded(self._press, log.error)(event)

    def _press(self, event: Any) -> None:
        """The arrows move from look to look, Return goes on from one."""
        focused = self.focusWidget()
        if focused not in self._cells:
            super().keyPressEvent(event)
            return
        place = self._cells.index(focused)
        if event.key() in STEPS:
            self._cells[nine_cells.beside(place, *STEPS[event.key()])].setFocus()
        elif event.key() in (QtCore.Qt.Key.Key_Return, QtCore.Qt.Key.Key_Enter):
            if place == MIDDLE:
                self._take()
            else:
                focused.click()
        else:
            super().keyPressEvent(event)

    def _choose(self, index: int) -> None:
        if self._job is not None and index != MIDDLE:
            self._job.choose(index)
            self._cells[MIDDLE].setFocus()

    def _take(self) -> None:
        """The middle becomes what the docker dreams."""
        job = self._job
        if job is None or job.walk is None:
            return
        self._session.show_recipe(job.chosen())
        chosen = job.walk.middle.recipe
        text = map_colours.OVERRULED if self._session.has_bindings else nine_cells.TAKEN
        self._session.say(tr(text).format(describe(chosen)), aloud=False)
        self.close()

    def _stop(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.stop()

    def _say(self, text: str) -> None:
        self._hints = not text
        if not text:
            text = tr(nine_cells.HINT)
            if self._session.has_bindings:
                text = f"{text} {tr(map_colours.DECIDES)}"
        self._line.setText(text)

    def _follow_map(self) -> None:
        """A dream map was chosen or removed meanwhile: the hint says what a choice does."""
        if self._hints:
            self._say("")

    def _show(self) -> None:
        """Show the cells and what can be done."""
        walk = self._job.walk if self._job is not None else None
        cells = walk.place.cells if walk is not None else [Cell("", WHOLE)] * len(self._cells)
        for shown, cell in zip(self._cells, cells, strict=True):
            caption = tr(cell.name)
            if cell.text:
                caption = tr(nine_cells.NOT_HERE).format(caption)
            shown.show_look(caption, cell.picture, nine_cells.details(cell))
            shown.setEnabled(not cell.text)
        self._back.setEnabled(walk is not None and walk.can_go_back)
        self._forward.setEnabled(walk is not None and walk.can_go_forward)
        self._surprise.setEnabled(walk is not None)
        self._use.setEnabled(walk is not None)

    def _fit(self) -> None:
        """Give the window the picture's proportions."""
        assert self._job is not None
        width, height = self._job.size
        scale = CELL_SIDE / max(width, height)
        line = self.fontMetrics().lineSpacing()
        cell = QtCore.QSize(max(CELL_SIDE * 2 // 3, round(width * scale)), round(height * scale))
        self.resize(COLUMNS * cell.width() + 2 * line, COLUMNS * (cell.height() + line) + 6 * line)

    def _cell(self, index: int) -> LookCell:
        cell = LookCell(f"look_{index}", CELL_SIDE, self._take, marked=index == MIDDLE)
        cell.clicked.connect(guarded(lambda *_: self._choose(index), self._session.say))
        return cell

    def _button(self, text: str, tip: str, name: str, action: str) -> Any:
        return text_button(text, tip, name, self._going(action))

    def _going(self, action: str) -> Any:
        """A call of one of the walk's ways to go on."""

        def go() -> None:
            if self._job is not None:
                getattr(self._job, action)()

        return guarded(lambda *_: go(), self._session.say)
