"""Krita's own importer takes the plug-in's zip, in a profile that has never had it.

Only the choice of the file is left out: no script can work the system's dialog for it.
"""

import importlib

import case
from krita import Krita, QApplication, QMessageBox, QPushButton, QTimer

ACTION = "plugin_importer_file"


class ChosenFile:
    """In place of the dialog in which the user chooses the zip."""

    @staticmethod
    def getOpenFileName(*_arguments):  # noqa: N802 (Qt's name)
        path = case.arguments["zip"]
        return path if new_dialog else (path, "")


extension = importlib.import_module("plugin_importer.plugin_importer_extension")
new_dialog = hasattr(extension, "FileDialog")  # since Krita 5.3


def run(_document):
    setattr(extension, "FileDialog" if new_dialog else "QFileDialog", ChosenFile)
    said = []
    QTimer.singleShot(500, lambda: answer(said))
    Krita.instance().action(ACTION).trigger()
    yield 500
    case.verdict(
        said=said, enabled=Krita.instance().readSetting("python", "enable_dreamlayer_krita", "")
    )
    yield (
        lambda: (
            not any(
                isinstance(w, QMessageBox) for w in QApplication.topLevelWidgets() if w.isVisible()
            )
        )
    )


def answer(said):
    """Say yes to "Enable plugins now?"."""
    box = QApplication.activeModalWidget()
    if box is None:
        QTimer.singleShot(100, lambda: answer(said))
        return
    said.append(box.text())
    case.screenshot("importer")
    buttons = box.findChildren(QPushButton)
    next(b for b in buttons if b.text().replace("&", "") == "Yes").click()
