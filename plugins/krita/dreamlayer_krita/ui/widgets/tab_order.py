"""Sets the Tab order of nested layouts from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ...qt.qt import QtCore, QtWidgets


def set_tab_order(top: Any) -> None:
    """Let the Tab key follow the order of the layouts in `top`."""
    for before, after in pairwise(_fields(top)):
        QtWidgets.QWidget.setTabOrder(before, after)


def _fields(widget: Any) -> Iterator[Any]:
    if widget.focusPolicy() & QtCore.Qt.FocusPolicy.TabFocus and widget.focusProxy() is None:
        yield widget
    if isinstance(widget, QtWidgets.QScrollArea):
        yield from _fields(widget.widget())
    elif widget.layout() is not None:
        yield from _laid_out(widget.layout())


def _laid_out(layout: Any) -> Iterator[Any]:
    for place in range(layout.count()):
        item = layout.itemAt(place)
        if item.widget() is not None:
            yield from _fields(item.widget())
        elif item.layout() is not None:
            yield from _laid_out(item.layout())
