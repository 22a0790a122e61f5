"""In Krita 5.1, the action says what is needed; there is no docker, and no other action."""

import case
from krita import Krita, QApplication, QMessageBox, QTimer

said = []


def run(_document):
    app = Krita.instance()
    names = ("dreamlayer_dream", "dreamlayer_dream_script")
    actions = [app.action(name) for name in names]
    for action in actions:
        QTimer.singleShot(300, read_and_close)
        action.trigger()
        yield 100
    yield 200
    dockers = [docker.objectName() for docker in app.dockers()]
    case.verdict(
        said=said,
        texts=[action.text() for action in actions],
        version=app.version(),
        dockers=[name for name in dockers if "dream" in name.lower()],
        others=[name for name in ("dreamlayer_again", "dreamlayer_film") if app.action(name)],
    )


def read_and_close():
    box = QApplication.activeModalWidget()
    if not isinstance(box, QMessageBox):
        QTimer.singleShot(100, read_and_close)
        return
    said.append(box.text())
    case.screenshot("old-krita")
    box.accept()
