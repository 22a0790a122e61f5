"""Runs in Krita, for tests.bench.krita_sitting: one sitting, by mouse and keyboard.

Each step sees that Krita then shows what a painter expects, and leaves a picture of the screen.
"""

import sys
from pathlib import Path

import case
from krita import (
    QAbstractItemView,
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QPoint,
    QPushButton,
    QScrollArea,
    QSlider,
    QSpinBox,
    QToolButton,
    QWidget,
)

sys.path.insert(0, str(Path(case.arguments["checkout"]) / "tests/hosts/krita"))
import desk

from dreamlayer_krita.document import dream_store

app = desk.app
DOCKERS = ("ToolBox", "KisLayerBox", "dreamlayer_krita")
CANVASES = ("KisOpenGLCanvas2", "KisQPainterCanvas")
FACE = ((0.18, 0.05), (0.82, 0.95))  # of the photo: two corners of what is selected
TOLD = 3000  # ms that Krita shows a zoom or a size over the picture
SAID = 7000  # ms that it shows a sentence there
SEED = 7
PATIENCE = 30.0  # seconds
SAVED = str(Path(case.arguments["folder"]) / "chelsea.kra")
steps = []  # the names of the pictures


def run(_document):
    yield from desk.close_documents()
    document, photo = yield from opens()
    inside = yield from selects(document)
    yield from looks(document, photo)
    layer, dreamed = yield from dreams(document, photo, inside)
    slid = yield from slides(document, layer, dreamed)
    yield from undoes(document, photo)
    yield from redoes(document, slid)
    yield from saves(document)
    document = yield from reopens(slid)
    yield from edits(document, photo, inside)
    case.verdict(steps=steps)


def seen(step):
    """Leave a picture of the screen, when it is painted."""
    yield 700
    steps.append(f"{len(steps) + 1:02d}-{step}")
    case.screenshot(f"sitting-{steps[-1]}")


# The steps


def opens():
    yield from open_file(case.arguments["photo"])
    document = app.activeDocument()
    yield from clear_the_desk()
    assert [node.name() for node in desk.nodes(document)] == ["Background"]
    yield from seen("open")
    return document, pixels(document)


def selects(document):
    """An ellipse about the cat's face; the value is the document's pixels that are in it."""
    tool_box = next(d for d in app.dockers() if d.objectName() == "ToolBox")
    click(tool_box.findChild(QToolButton, "KisToolSelectElliptical"))
    yield 300
    area = canvas()
    yield from drag(area, *(on_canvas(document, area, corner) for corner in FACE))

    def share():
        chosen = selected(document)
        return sum(map(bool, chosen)) / len(chosen)

    yield from desk.until(lambda: 0.3 < share() < 0.7, "the face is selected", PATIENCE)
    yield TOLD
    yield from seen("select")
    return selected(document)


def looks(document, photo):
    history = desk.history()
    yield from choose_preset("swirls")
    yield from type_into("seed", str(SEED))
    click(desk.part(QPushButton, "quick_look"))
    screen, line = desk.part(QWidget, "look"), desk.part(QLabel, "look_line")
    yield from desk.until(
        lambda: screen.image is not None and line.text() == "", "a quick look", PATIENCE
    )
    box = document.selection()
    assert (screen.image.width(), screen.image.height()) == (box.width(), box.height())
    assert pixels(document) == photo and desk.history() == history, "the picture has changed"
    yield from seen("quick-look")
    click(desk.part(QPushButton, "quick_look"))
    yield from desk.until(lambda: not screen.isVisible(), "the look is put away", PATIENCE)


def dreams(document, photo, inside):
    """The new layer grows on the canvas; when it is done it has pixels in the selection only."""
    history = desk.history()
    click(desk.part(QPushButton, "dream"))
    yield from desk.until(
        lambda: any(layer.locked() for layer in dreamed_layers(document)), "a layer grows", PATIENCE
    )
    (layer,) = dreamed_layers(document)
    assert desk.busy() and layer.name() == "Dream of Background…", layer.name()
    yield from desk.until(lambda: pixels(document) != photo, "the canvas shows it", PATIENCE)
    with desk.held(desk.daemon()):
        yield from seen("dream")
    yield from desk.finish()
    assert desk.history() == [*history, "Add Layer"], desk.history()
    assert f"seed {SEED}" in layer.name() and not layer.locked(), layer.name()
    changed_inside_only(document, layer, photo, inside)
    yield SAID
    return layer, pixels(layer)


def slides(document, layer, dreamed):
    history, slider = desk.history(), desk.part(QSlider, "slide_strength")
    yield from show(slider)
    handle = slider.value() / slider.maximum()
    yield from drag(slider, (0.02 + 0.96 * handle, 0.5), (0.27, 0.5))
    yield from desk.until(lambda: pixels(layer) != dreamed, "the layer changes", PATIENCE)
    strength = desk.part(QDoubleSpinBox, "live_strength").value()
    assert 0.3 < strength < 0.7, strength
    yield from desk.until(lambda: kept(document, layer).strength == strength, "is kept", PATIENCE)
    assert pixels(layer)[3::4] == dreamed[3::4], "other pixels than those that were dreamed"
    assert desk.history() == history, "an undo step more"
    yield from seen("strength")
    return pixels(layer)


def undoes(document, photo):
    case.xdotool("key", "ctrl+z")
    yield from desk.until(lambda: not dreamed_layers(document), "the layer is gone", PATIENCE)
    yield from desk.until(lambda: pixels(document) == photo, "the photo is as it was", PATIENCE)
    yield from seen("undo")


def redoes(document, slid):
    case.xdotool("key", "ctrl+shift+z")
    yield from desk.until(lambda: dreamed_layers(document), "the layer is back", PATIENCE)
    assert pixels(dreamed_layers(document)[0]) == slid, "not as it was"
    yield from seen("redo")


def saves(document):
    case.xdotool("key", "ctrl+shift+s")
    yield from enter_file(SAVED)
    yield from desk.until(
        lambda: Path(SAVED).exists() and not document.modified(), "it is saved", PATIENCE
    )
    yield from seen("save")


def reopens(slid):
    case.xdotool("key", "ctrl+w")
    yield from desk.until(lambda: not app.documents(), "the picture is closed", PATIENCE)
    yield from open_file(SAVED)
    document = app.activeDocument()
    yield from clear_the_desk()
    (layer,) = dreamed_layers(document)
    assert pixels(layer) == slid, "the layer has other pixels"
    yield from select_layer(layer)
    yield from desk.until(
        lambda: desk.part(QLabel, "dreamed_as").whole == f"Dream of Background, seed {SEED}",
        "the docker knows the dream",
        PATIENCE,
    )
    yield from desk.until(
        desk.part(QWidget, "live").isHidden, "the closed picture's sliders are gone", PATIENCE
    )
    yield from show(desk.part(QPushButton, "edit_dream"))
    yield from seen("reopen")
    return document


def edits(document, photo, inside):
    """Another preset on what the layer was dreamed on, in the same place."""
    (layer,) = dreamed_layers(document)
    click(desk.part(QPushButton, "edit_dream"))
    yield from desk.until(
        lambda: desk.session().recipe() == kept(document, layer),
        "its settings are in the form",
        PATIENCE,
    )
    yield from choose_preset("feathers")
    click(desk.part(QPushButton, "dream"))
    yield from desk.until(lambda: len(dreamed_layers(document)) == 2, "a second dream", PATIENCE)
    yield from desk.finish()
    again = dreamed_layers(document)[1]
    assert kept(document, again).seed == SEED
    assert pixels(again) != pixels(layer), "the same dream"
    changed_inside_only(document, again, photo, inside)
    yield SAID
    yield from show(desk.part(QComboBox, "preset"))
    yield from seen("edit-again")


# What is seen


def whole(document):
    return (0, 0, document.width(), document.height())


def pixels(thing):
    """Of a document or a layer; of the whole canvas."""
    return bytes(thing.pixelData(*whole(app.activeDocument())))


def selected(document):
    """One byte a pixel, for the whole canvas."""
    selection = document.selection()
    return bytes(selection.pixelData(*whole(document))) if selection else bytes(1)


def dreamed_layers(document):
    """The layers that Dreamlayer has made, the lowest first."""
    layers = document.rootNode().childNodes()
    return [layer for layer in layers if layer.name().startswith("Dream of")]


def kept(document, layer):
    return dream_store.read_recipe(document, layer.uniqueId())


def changed_inside_only(document, layer, photo, inside):
    """The document is the photo outside of the selection, and the layer is empty there."""
    now, alpha = pixels(document), pixels(layer)[3::4]
    changed = 0
    for place, selected in enumerate(inside):
        same = now[4 * place : 4 * place + 4] == photo[4 * place : 4 * place + 4]
        assert selected or (same and not alpha[place]), f"pixel {place} outside has changed"
        changed += not same
    share = changed / sum(map(bool, inside))
    assert share > 0.8, f"only {share:.0%} of what is selected have changed"


# Mouse and keyboard


def clear_the_desk():
    """The dockers that are worked with, and no others: the screen is small."""
    for docker in app.dockers():
        docker.setVisible(docker.objectName() in DOCKERS)
    app.action("zoom_to_fit").trigger()
    yield TOLD


def point(widget, across, down):
    """A place in a widget, in parts of its width and height, on the screen."""
    inside = QPoint(round(across * (widget.width() - 1)), round(down * (widget.height() - 1)))
    spot = widget.mapToGlobal(inside)
    return str(spot.x()), str(spot.y())


def click(widget):
    case.xdotool("mousemove", *point(widget, 0.5, 0.5), "click", "1")


def drag(widget, start, end):
    case.xdotool("mousemove", *point(widget, *start))
    yield 200
    case.xdotool("mousedown", "1")
    for part in (0.1, 0.4, 0.7, 1.0):
        yield 100
        across, down = (a + part * (b - a) for a, b in zip(start, end, strict=True))
        case.xdotool("mousemove", *point(widget, across, down))
    yield 200
    case.xdotool("mouseup", "1")


def show(widget):
    """Scroll to a part of the docker."""
    area = widget.parentWidget()
    while not isinstance(area, QScrollArea):
        area = area.parentWidget()
    yield from desk.until(widget.isVisible, f"{widget.objectName()} is there", PATIENCE)
    area.ensureWidgetVisible(widget)
    yield 300


def choose_preset(name):
    box = desk.part(QComboBox, "preset")
    yield from show(box)
    click(box)
    yield from desk.until(box.view().isVisible, "the list of presets opens", PATIENCE)
    yield 300
    row = box.model().index(box.findData(name), 0)
    box.view().scrollTo(row)
    yield 200
    spot = box.view().viewport().mapToGlobal(box.view().visualRect(row).center())
    case.xdotool("mousemove", str(spot.x()), str(spot.y()), "click", "1")
    yield from desk.until(lambda: box.currentData() == name, f"the preset {name}", PATIENCE)


def type_into(name, text):
    field = desk.part(QSpinBox, name)
    yield from show(field)
    click(field)
    yield from desk.until(field.hasFocus, f"{name} has the keyboard", PATIENCE)
    case.xdotool("key", "ctrl+a", "type", text)
    case.xdotool("key", "Tab")
    yield from desk.until(lambda: field.text() == text, f"{name} is {text}", PATIENCE)


def select_layer(layer):
    docker = next(d for d in app.dockers() if d.objectName() == "KisLayerBox")
    view = docker.findChild(QAbstractItemView)
    rows = [view.model().index(row, 0) for row in range(view.model().rowCount())]
    row = next(row for row in rows if row.data() == layer.name())
    spot = view.viewport().mapToGlobal(view.visualRect(row).center())
    case.xdotool("mousemove", str(spot.x()), str(spot.y()), "click", "1")
    yield from desk.until(
        lambda: app.activeDocument().activeNode().uniqueId() == layer.uniqueId(),
        "the layer is active",
        PATIENCE,
    )


def open_file(path):
    case.xdotool("key", "ctrl+o")
    yield from enter_file(path)
    yield from desk.until(
        lambda: app.activeDocument() is not None and app.activeDocument().activeNode(),
        "the picture is open",
        PATIENCE,
    )
    yield 500


def enter_file(path):
    """Into Krita's dialog for files."""
    yield from desk.until(QApplication.activeModalWidget, "the dialog opens", PATIENCE)
    yield 700
    case.xdotool("key", "ctrl+a", "type", path)
    case.xdotool("key", "Return")
    yield from desk.until(
        lambda: not QApplication.activeModalWidget(), "the dialog closes", PATIENCE
    )


def canvas():
    window = app.activeWindow().qwindow()
    children = window.findChildren(QWidget)
    return next(each for each in children if each.metaObject().className() in CANVASES)


def on_canvas(document, area, place):
    """A place in the picture, which fills the canvas from side to side, as one in the canvas."""
    across, down = place
    height = area.width() * document.height() / document.width()
    return across, 0.5 + (down - 0.5) * height / area.height()
