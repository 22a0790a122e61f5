"""User actions and queries that the scripts of this folder share: open, select, dream, look.

A script has functions `check_…()`, each a generator that yields milliseconds to wait. `run_checks`
runs them one after another, in one Krita; a traceback of a failed one becomes its verdict. The test
outside asserts each verdict by its name.
"""

import contextlib
import math
import os
import random
import signal
import struct
import time
import traceback
from pathlib import Path

import case
from krita import Krita, QApplication, QLabel, QListView, QPushButton, QWidget

from dreamlink.client import discovery
from dreamlink.recipe.recipe import Recipe

app = Krita.instance()
FOLDER = Path(case.arguments["folder"])  # also visible outside the root
QUICK = {"octaves": 1, "steps": 2, "step_size": 1.5, "seed": 7, "context": 96}
PLAIN = {
    "layer": "features.10", "channels": "", "start": "picture", "method": "steps", "strength": 1.0,
    "colour": "full",
}  # fmt: skip
FORMATS = {"U8": ("B", 255), "U16": ("H", 65535), "F16": ("e", 1.0), "F32": ("f", 1.0)}


def run_checks(script):
    """Run every check among the script's globals, each with a fresh form, and write its verdict.

    With the argument only="NAMES" only these run, for use by hand.
    """
    selected = case.arguments.get("only", "").split()
    for name, check in script.items():
        if not name.startswith("check_") or (selected and name not in selected):
            continue
        started = time.monotonic()
        try:
            session().show_recipe(Recipe.of({**QUICK, **PLAIN}))
            yield from check()
            failure = ""
        except Exception:
            failure = traceback.format_exc()
        print(f"{name}: {time.monotonic() - started:.1f} s {failure}")
        case.verdict(**{name: failure})
        yield from close_documents()


def until(condition, what, seconds=90.0):
    """Wait until the condition holds; else raise an AssertionError that names `what`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, (
            f"{what}: not within {seconds} s; {message()!r}, {status()!r}"
        )
        yield 30


# The docker


def docker():
    return next(d for d in app.activeWindow().dockers() if d.objectName() == "dreamlayer_krita")


def session():
    """The state behind the docker of the active window."""
    return docker().widget().session


def part(kind, name):
    widget = docker().findChild(kind, name)
    assert widget is not None, f"the docker has no {name}"
    return widget


def message():
    return part(QLabel, "message").text()


def status():
    """The status of the first dream in the queue; "" if it is empty."""
    queued = rows()
    return queued[0].findChild(QLabel, "status").toolTip() if queued else ""


def rows():
    """The rows of the queue, from top to bottom."""
    queue = part(QWidget, "queue")
    visible = [row for row in queue.findChildren(QWidget, "job") if not row.isHidden()]
    return sorted(visible, key=lambda row: row.y())


def busy():
    return part(QPushButton, "cancel").isEnabled()


def fill_form(**values):
    for name, value in values.items():
        field = part(QWidget, name)
        ways = ("setValue", "setChecked", "setCurrentText", "setText")
        put = next(way for way in ways if hasattr(field, way))
        getattr(field, put)(value)


def trigger():
    app.action("dreamlayer_dream").trigger()


def finish():
    """Wait until no dream is in the queue, and check that the last one succeeded."""
    yield from until(lambda: not busy(), "the dream is done")
    assert message().startswith("Dreamed in "), message()
    yield 200  # the new layer becomes the active one only after some events


def dream(**recipe):
    """Trigger the action on the active layer; returns the new layer."""
    document = app.activeDocument()
    before = {node.uniqueId().toString() for node in nodes(document)}
    fill_form(**recipe)
    trigger()
    yield from finish()
    new = [n for n in nodes(document) if n.uniqueId().toString() not in before]
    assert len(new) == 1, [n.name() for n in new]
    return new[0]


def click_menu(title, entry):
    """Click a menu and an entry in it with the mouse; the texts are without mnemonics."""
    click_action(app.activeWindow().qwindow().menuBar(), title)
    yield from until(QApplication.activePopupWidget, f"the menu {title} opens")
    yield 400
    click_action(QApplication.activePopupWidget(), entry)
    yield from until(lambda: not QApplication.activePopupWidget(), f"the menu {title} closes")


def click_action(menu, text):
    action = next(a for a in menu.actions() if a.text().replace("&", "") == text)
    point = menu.mapToGlobal(menu.actionGeometry(action).center())
    case.xdotool("mousemove", str(point.x()), str(point.y()), "click", "1")


# The daemon


def daemon():
    """The daemon's process id in this process namespace; None if there is no daemon."""
    info = discovery.find()
    return info.pid if info else None


@contextlib.contextmanager
def held(pid):
    """Stop the process during the `with` block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


# Documents


def open_picture():
    document = app.openDocument(case.picture)
    app.activeWindow().addView(document)
    yield from until(lambda: active(document), "the picture is active")
    return document


def new_document(width=128, height=96, model="RGBA", depth="U8", profile="", contrast=0.35):
    """A document with one filled paint layer, "Background"."""
    document = app.createDocument(width, height, "drawn", model, depth, profile, 72.0)
    layer = document.rootNode().childNodes()[0]
    layer.setPixelData(drawing(width, height, model, depth, contrast), 0, 0, width, height)
    document.refreshProjection()
    app.activeWindow().addView(document)
    yield from until(lambda: active(document), "the new document is active")
    return document


def active(document):
    return app.activeDocument() == document and document.activeNode() is not None


def activate(document, node):
    yield 200  # until Krita's list of layers knows a new one
    document.setActiveNode(node)
    yield from until(
        lambda: document.activeNode().uniqueId() == node.uniqueId(), f"{node.name()} is active"
    )


def close_documents():
    # Krita 5.3 crashes if a document closes before its list of layers, a tenth of a second late,
    # shows the last change. Timers fire in order, so this one fires after that.
    yield 300
    for document in app.documents():
        document.setSelection(None)  # Krita crashes if a document closes while a selection is drawn
        document.waitForDone()
    while app.activeDocument():
        for document in app.documents():
            document.setModified(False)
        close(app.activeDocument())
        yield 30  # closing takes a turn of the event loop
    for document in app.documents():  # without a view
        document.close()
    yield from until(lambda: not app.documents(), "all documents are closed")
    yield 100


def close(document):
    """Close the active document as its user does, by the menu.

    Document.close() deletes the document while events for its views still wait, and now and then
    one of those ends Krita.
    """
    assert document == app.activeDocument()
    document.setModified(False)  # or Krita asks whether to save
    app.action("file_close").trigger()


def drawing(width, height, model="RGBA", depth="U8", contrast=0.35):
    """Pixels of waves with some noise, opaque."""
    code, top = FORMATS[depth]
    samples = {"RGBA": 4, "GRAYA": 2, "CMYKA": 5, "LABA": 4}[model]
    noise = random.Random(3)
    values = []
    for y in range(height):
        for x in range(width):
            for sample in range(samples - 1):
                wave = math.sin(x / (5 + sample)) * math.cos(y / (7 - sample))
                values.append(0.5 + contrast * wave + 0.1 * (noise.random() - 0.5))
            values.append(1.0)
    if isinstance(top, int):
        values = [round(value * top) for value in values]
    return struct.pack(f"<{len(values)}{code}", *values)


def nodes(document):
    """All layers and masks below the root; None for one that Krita is removing."""
    reached, waiting = [], list(document.rootNode().childNodes())
    while waiting:
        node = waiting.pop()
        reached.append(node)
        waiting += node.childNodes() if node is not None else []
    return reached


def snapshot(document):
    """Everything that a dream must not change."""
    size = (0, 0, document.width(), document.height())
    layers = [
        (
            node.uniqueId().toString(), node.name(), node.type(), node.visible(), node.opacity(),
            node.blendingMode(), node.colorModel(), node.colorDepth(), node.colorProfile(),
            box(node), bytes(node.pixelData(*size)), bytes(node.projectionPixelData(*size)),
        )
        if node is not None else None
        for node in nodes(document)
    ]  # fmt: skip
    return layers, bytes(document.pixelData(*size))


def box(node):
    bounds = node.bounds()
    return (bounds.x(), bounds.y(), bounds.width(), bounds.height())


def history():
    """The rows of the History docker: a first row for the initial state, then the undo steps."""
    docker = next(d for d in app.activeWindow().dockers() if d.objectName() == "History")
    steps = docker.findChild(QListView).model()
    return [steps.index(row, 0).data() for row in range(steps.rowCount())]


def undo():
    app.action("edit_undo").trigger()
    yield 400


def redo():
    app.action("edit_redo").trigger()
    yield 400


def children(node):
    return [child.name() for child in node.childNodes()]
