"""Uses the docker with PyQt6 and prints the results as JSON. Run as a separate program.

The daemon is the real one with a fake studio that adds 1 to each byte.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import krita_stand_in
from PyQt6 import QtGui, QtWidgets
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest

from dreamlink.wire.seeing import Seen
from tests.link.test_seeing import ANSWER

PATIENCE = 30.0  # seconds


def main() -> None:
    """Open the docker, run all checks and print their results."""
    application = QtWidgets.QApplication([])
    krita = krita_stand_in.install()
    from dreamlayer_krita import extension

    extension.register()
    krita.extensions[0].createActions(krita.window)
    docker = krita.factories[0].kind()
    krita.window.shown.append(docker)
    krita.window.main.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, docker)
    krita.window.main.show()
    application.processEvents()
    facts = {name: check(krita, docker) for name, check in checks()}
    facts["other_qt"] = sorted(name for name in sys.modules if name.startswith("PyQt5"))
    krita.notifier().applicationClosing.emit()
    print(json.dumps(facts))
    sys.stdout.flush()
    os._exit(0)  # without destroying the widgets one by one


def checks() -> Iterator[tuple[str, Callable[[Any, Any], Any]]]:
    """All checks, in the order in which they are defined."""
    for name, value in globals().items():
        if name.startswith("check_"):
            yield name.removeprefix("check_"), value


def find(docker: Any, kind: type, name: str) -> Any:
    widget = docker.findChild(kind, name)
    assert widget is not None, name
    return widget


def wait(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "the condition did not become true in time"
        QTest.qWait(20)


def over(docker: Any) -> bool:
    return not find(docker, QtWidgets.QPushButton, "cancel").isEnabled()


def check_refusal_without_a_picture(krita: Any, docker: Any) -> str:
    krita.window.actions["dreamlayer_dream"].trigger()
    return str(find(docker, QtWidgets.QLabel, "message").text())


def check_preset_by_keyboard(_krita: Any, docker: Any) -> str:
    box = find(docker, QtWidgets.QComboBox, "preset")
    find(docker, QtWidgets.QPushButton, "defaults").click()
    QTest.keyClick(box, Qt.Key.Key_Down)
    return str(find(docker, QtWidgets.QLineEdit, "layer").text())


def check_unfolded(_krita: Any, docker: Any) -> list[bool]:
    tile = find(docker, QtWidgets.QSpinBox, "tile")
    before = tile.isVisible()
    find(docker, QtWidgets.QToolButton, "more").click()
    return [before, tile.isVisible()]


def check_dream(krita: Any, docker: Any) -> dict[str, Any]:
    krita.document = krita_stand_in.Document()
    set_tiles(docker, tiles=3)
    krita.window.actions["dreamlayer_dream"].trigger()
    wait(lambda: over(docker))
    names = [node.name() for node in krita.document.root.childNodes()]
    pixels = krita.document.root.childNodes()[-1].pixels
    text = find(docker, QtWidgets.QLabel, "message").text()
    return {"names": names, "dreamed": set(pixels) == {1}, "message": text}


def check_connection(_krita: Any, docker: Any) -> str:
    return str(find(docker, QtWidgets.QLabel, "connection").whole)


def check_suggestions(_krita: Any, docker: Any) -> bool:
    field = find(docker, QtWidgets.QLineEdit, "layer")
    wait(field.completer)
    return field.completer() is not None


def check_queue_and_cancel(krita: Any, docker: Any) -> list[int]:
    """Rows left of three after one, then all, are cancelled; and the number of layers."""
    krita.document = krita_stand_in.Document()
    for _ in range(3):
        set_tiles(docker, tiles=200)
        krita.window.actions["dreamlayer_dream"].trigger()
    wait(lambda: len(rows(docker)) == 3)
    rows(docker)[1].findChild(QtWidgets.QToolButton, "cancel_job").click()
    left = len(rows(docker))
    cancel = find(docker, QtWidgets.QPushButton, "cancel")
    while cancel.isEnabled():
        cancel.click()
    return [left, len(rows(docker)), len(krita.document.root.childNodes())]


def rows(docker: Any) -> list[Any]:
    all_rows = find(docker, QtWidgets.QScrollArea, "queue").findChildren(QtWidgets.QWidget, "job")
    return [row for row in all_rows if not row.isHidden()]


def check_log(_krita: Any, docker: Any) -> bool:
    find(docker, QtWidgets.QPushButton, "mend").click()
    window = find(docker, QtWidgets.QDialog, "log_window")
    wait(window.isVisible)
    window.close()
    return bool(find(docker, QtWidgets.QPlainTextEdit, "log").toPlainText())


def check_guide(krita: Any, docker: Any) -> list[str]:
    box = find(docker, QtWidgets.QComboBox, "guide")
    box.refresh()
    return [box.itemText(row) for row in range(box.count())]


def check_map_while_looking(_krita: Any, docker: Any) -> dict[str, list[str]]:
    """What two open windows say without a dream map, with one, and without it again."""
    seeing = find(docker, QtWidgets.QDialog, "seeing_window")
    explore = find(docker, QtWidgets.QDialog, "explore_window")
    seeing._picture = QtGui.QImage(60, 40, QtGui.QImage.Format.Format_RGB32)
    seeing._show(Seen.of(ANSWER, [bytes(12)]))
    explore._say("")
    values = seeing._session.recipe_values
    plain = values.value
    said: dict[str, list[str]] = {"seeing_line": [], "explore_line": []}
    for bind in ("", "#ff0000=10:30", ""):
        values.set({**plain, "bind": bind})
        for name, texts in said.items():
            texts.append(find(docker, QtWidgets.QLabel, name).text())
    return said


def set_tiles(docker: Any, tiles: int) -> None:
    """Let the fake studio dream this many tiles: it reads the channels as their number."""
    find(docker, QtWidgets.QLineEdit, "layer").setText("features.0")
    find(docker, QtWidgets.QLineEdit, "channels").setText(str(tiles))
    find(docker, QtWidgets.QSpinBox, "seed").setValue(7)


if __name__ == "__main__":
    main()
