"""What the scripts of this folder do at Krita's desk, as a user would: open, select, dream, look.

A script is a row of functions `check_…(document)`, each a generator that yields milliseconds to
wait. `run_checks` runs them one after another; what one of them raises becomes its verdict, so one
start of Krita answers many questions. The test outside asserts each verdict by its name.
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

app = Krita.instance()
FOLDER = Path(case.arguments["folder"])  # seen from outside too
QUICK = {"octaves": 1, "steps": 2, "step_size": 1.5, "seed": 7, "context": 96}
PLAIN = {
    "layer": "features.10", "channels": "", "start": "picture", "strength": 1.0, "colour": "full",
}  # fmt: skip
FORMATS = {"U8": ("B", 255), "U16": ("H", 65535), "F16": ("e", 1.0), "F32": ("f", 1.0)}


def run_checks(script):
    """Every check among the script's globals, each with a fresh form, and its verdict.

    With the argument only="NAMES" just these, for work by hand.
    """
    wanted = case.arguments.get("only", "").split()
    for name, check in script.items():
        if not name.startswith("check_") or (wanted and name not in wanted):
            continue
        started = time.monotonic()
        try:
            fill_form(**QUICK, **PLAIN)
            yield from check()
            trouble = ""
        except Exception:
            trouble = traceback.format_exc()
        print(f"{name}: {time.monotonic() - started:.1f} s {trouble}")
        case.verdict(**{name: trouble})
        yield from close_documents()


def until(condition, what, seconds=90.0):
    """Wait until the condition holds; an AssertionError says `what` did not come true."""
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
    found = docker().findChild(kind, name)
    assert found is not None, f"the docker has no {name}"
    return found


def message():
    return part(QLabel, "message").text()


def status():
    """What the first of the dreams under way says of itself; "" without one."""
    said = rows()
    return said[0].findChild(QLabel, "status").toolTip() if said else ""


def rows():
    """The docker's rows, one for each dream under way."""
    queue = part(QWidget, "queue")
    found = [row for row in queue.findChildren(QWidget, "job") if not row.isHidden()]
    return sorted(found, key=lambda row: row.y())


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
    """Wait for the dream under way and see that it went well."""
    yield from until(lambda: not busy(), "the dream is over")
    assert message().startswith("Dreamed in "), message()
    yield 200  # the new layer becomes the active one only after some events


def dream(**recipe):
    """Call the action on the active layer; the value is the new layer."""
    document = app.activeDocument()
    before = {node.uniqueId().toString() for node in nodes(document)}
    fill_form(**recipe)
    trigger()
    yield from finish()
    new = [n for n in nodes(document) if n.uniqueId().toString() not in before]
    assert len(new) == 1, [n.name() for n in new]
    return new[0]


def click_menu(title, entry):
    """Click a menu and an entry in it with the mouse; texts without their mnemonics."""
    click_action(app.activeWindow().qwindow().menuBar(), title)
    yield from until(QApplication.activePopupWidget, f"the menu {title} opens")
    yield 400
    click_action(QApplication.activePopupWidget(), entry)
    yield from until(lambda: not QApplication.activePopupWidget(), f"the menu {title} closes")


def click_action(menu, text):
    action = next(a for a in menu.actions() if a.text().replace("&", "") == text)
    place = menu.mapToGlobal(menu.actionGeometry(action).center())
    case.xdotool("mousemove", str(place.x()), str(place.y()), "click", "1")


# The daemon


def daemon():
    """Its process id, as this root counts; None without one."""
    found = discovery.find()
    return found.pid if found else None


@contextlib.contextmanager
def held(pid):
    """The process does nothing meanwhile."""
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
    # 5.3 crashes if it closes before its list of layers, a tenth of a second behind, has shown the
    # last change. Timers go off in their order, so this one does after that.
    yield 300
    for document in app.documents():
        document.setSelection(None)  # Krita crashes if it closes while it draws a selection's edge
        document.waitForDone()
        document.setModified(False)
        document.close()
    yield from until(lambda: not app.documents(), "all documents are closed")
    yield 100


def drawing(width, height, model="RGBA", depth="U8", contrast=0.35):
    """Waves with some noise, opaque."""
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
    """All layers and masks below the root; None for one that Krita is just taking away."""
    found, waiting = [], list(document.rootNode().childNodes())
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += node.childNodes() if node is not None else []
    return found


def snapshot(document):
    """Everything that a dream must leave alone."""
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
    """The rows of the History docker: what can be undone, behind a first row for the beginning."""
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
