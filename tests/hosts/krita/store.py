"""A dream's settings are stored in the picture, for dreaming again, with a new seed, or edited."""

import json
from pathlib import Path

import case
import desk
from krita import QByteArray, QLabel, QPushButton, QWidget, Selection

DREAMS = "dreamlayer/dreams"
EARLIER = Path(case.script).parents[2] / "stored" / "dream.kra"
SIZE = (0, 0, 128, 96)
SETTINGS = {"layer": "features.6", "strength": 0.85, "step_size": 3.0, "seed": 7, "context": 32}


def run(_document):
    yield from desk.close_documents()
    desk.docker().setVisible(True)
    desk.docker().raise_()
    yield 500
    yield from desk.run_checks(globals())


def pixels(layer):
    return bytes(layer.pixelData(*SIZE))


def repeated(act):
    """Do what starts a dream; returns its layer, which is directly above the active one."""
    document = desk.app.activeDocument()
    before, steps = document.activeNode(), len(desk.history())
    order = desk.children(before.parentNode())
    act()
    yield from desk.until(
        lambda: len(desk.children(before.parentNode())) > len(order), "a layer is added"
    )
    yield from desk.finish()
    after = before.parentNode().childNodes()
    ids = [node.uniqueId() for node in after]
    place = ids.index(before.uniqueId()) + 1
    names = [node.name() for node in after]
    assert names[:place] + names[place + 1 :] == order, (order, names)
    assert desk.history()[steps:] == ["Add Layer"], desk.history()
    return after[place]


def action(name):
    return desk.app.action(f"dreamlayer_{name}").trigger


def box():
    return desk.part(QWidget, "dreamed_layer")


def shown():
    """The docker's line on the active layer; "" if hidden."""
    return desk.part(QLabel, "dreamed_as").whole if box().isVisible() else ""


def selected_dream():
    """Dream in a soft selection, then deselect; returns document and layer."""
    document = yield from desk.new_document()
    selection = Selection()
    selection.select(30, 20, 50, 40, 255)
    selection.feather(5)
    document.setSelection(selection)
    yield from desk.until(lambda: document.selection() is not None, "there is a selection")
    layer = yield from desk.dream(**SETTINGS)
    document.setSelection(None)
    yield from desk.until(lambda: document.selection() is None, "nothing is selected")
    return document, layer


def expect_refusal(act, *words):
    """Do something: the message has all the words, and no dream begins."""
    document = desk.app.activeDocument()
    before = (desk.snapshot(document), desk.history())
    desk.part(QLabel, "message").clear()
    act()
    for word in words:
        assert word in desk.message(), desk.message()
    assert not desk.busy()
    assert (desk.snapshot(document), desk.history()) == before, "the document has changed"


def check_again_after_save_and_reopen():
    """The file has recipe and selection; the same dream is repeated in the same place."""
    document, layer = yield from selected_dream()
    dreamed, node_id = pixels(layer), layer.uniqueId().toString()
    stored = json.loads(bytes(document.annotation(DREAMS)))
    assert stored["version"] == 1 and list(stored["dreams"]) == [node_id], stored
    recipe = stored["dreams"][node_id]["recipe"]
    assert {name: recipe[name] for name in SETTINGS} == SETTINGS, recipe
    path = str(desk.FOLDER / "kept.kra")
    assert document.saveAs(path)
    yield from desk.close_documents()
    desk.fill_form(layer="features.10", strength=1.0, seed=1)
    document = desk.app.openDocument(path)
    desk.app.activeWindow().addView(document)
    yield from desk.until(lambda: desk.active(document), "the picture is open again")
    layer = document.rootNode().childNodes()[1]
    yield from desk.activate(document, layer)
    yield from desk.until(lambda: shown() == "Dream of Background, seed 7", "the seed is shown")
    case.screenshot("dreamed-layer")
    new = yield from repeated(action("again"))
    assert new.name() == layer.name(), (new.name(), layer.name())
    assert pixels(new) == dreamed, "the dream is a different one"
    assert len(json.loads(bytes(document.annotation(DREAMS)))["dreams"]) == 2


def check_picture_stored_by_an_earlier_version():
    """Its recipe and selection are read, and it dreams again in the same place."""
    document = desk.app.openDocument(str(EARLIER))
    desk.app.activeWindow().addView(document)
    yield from desk.until(lambda: desk.active(document), "the picture is open")
    layer = document.rootNode().childNodes()[1]
    yield from desk.activate(document, layer)
    yield from desk.until(lambda: shown() == "Dream of Background, seed 7", "the seed is shown")
    action("edit")()
    recipe = desk.session().recipe().to_dict()
    assert {name: recipe[name] for name in SETTINGS} == SETTINGS, recipe
    new = yield from repeated(action("again"))
    assert new.name() == layer.name(), (new.name(), layer.name())
    assert pixels(new)[3::4] == pixels(layer)[3::4], "it is in another place"


def check_again_uses_the_current_pixels():
    document, layer = yield from selected_dream()
    source = document.rootNode().childNodes()[0]
    source.setPixelData(desk.drawing(128, 96, contrast=0.1), *SIZE)
    yield from desk.activate(document, layer)
    new = yield from repeated(action("again"))
    assert pixels(new) != pixels(layer)
    assert pixels(new)[3::4] == pixels(layer)[3::4], "it is in another place"


def check_new_seed():
    _, layer = yield from selected_dream()
    yield from desk.until(lambda: shown().endswith("seed 7"), "the seed is shown")
    new = yield from repeated(desk.part(QPushButton, "new_seed").click)
    seed = int(new.name().rpartition("seed ")[2].rstrip(")"))
    assert seed != 7 and "features.6" in new.name(), new.name()
    assert pixels(new) != pixels(layer)
    assert pixels(new)[3::4] == pixels(layer)[3::4], "it is in another place"
    yield from desk.until(lambda: shown().endswith(f"seed {seed}"), "the new seed is shown")


def check_edit():
    """The docker shows the settings, and Dream uses the layer's source."""
    document, layer = yield from selected_dream()
    desk.fill_form(layer="features.10", strength=1.0, seed=1, step_size=1.0)
    yield from desk.activate(document, layer)
    action("edit")()
    recipe = desk.session().recipe().to_dict()
    assert {name: recipe[name] for name in SETTINGS} == SETTINGS, recipe
    edit = desk.part(QPushButton, "edit_dream")
    yield from desk.until(edit.isChecked, "the layer is being edited")
    case.screenshot("edit")
    desk.fill_form(layer="features.9")
    new = yield from repeated(desk.trigger)
    assert new.name() == "Dream of Background (features.9, seed 7)", new.name()
    assert pixels(new)[3::4] == pixels(layer)[3::4], "it is in another place"
    yield from desk.until(lambda: not edit.isChecked(), "editing ends with another layer")
    deeper = yield from desk.dream()
    assert deeper.name().startswith("Dream of Dream of Background"), deeper.name()


def check_editing_ends():
    """The button or another active layer ends it: then Dream uses the active layer."""
    document, layer = yield from selected_dream()
    yield from desk.activate(document, layer)
    edit = desk.part(QPushButton, "edit_dream")
    yield from desk.until(box().isVisible, "the buttons are shown")
    edit.click()
    assert edit.isChecked()
    edit.click()
    assert not edit.isChecked()
    deeper = yield from desk.dream()
    assert deeper.name().startswith("Dream of Dream of Background"), deeper.name()
    yield from desk.activate(document, layer)
    action("edit")()
    yield from desk.activate(document, document.rootNode().childNodes()[0])
    other = yield from desk.dream()
    assert pixels(other)[3::4] == b"\xff" * (128 * 96), "the old selection was used"


def check_layers_that_are_not_dreamed():
    document, layer = yield from selected_dream()
    yield from desk.activate(document, document.rootNode().childNodes()[0])
    yield from desk.until(lambda: not shown(), "the buttons are hidden")
    expect_refusal(action("again"), "Background", "select a dreamed layer")
    expect_refusal(action("edit"), "Background", "select a dreamed layer")
    copy = layer.duplicate()
    document.rootNode().addChildNode(copy, layer)
    yield from desk.activate(document, copy)
    expect_refusal(action("again"), "select a dreamed layer")


def check_source_is_gone():
    document, layer = yield from selected_dream()
    document.rootNode().childNodes()[0].remove()
    yield from desk.activate(document, layer)
    expect_refusal(action("again"), "“Background”", "is gone")


def check_settings_are_known_after_undo_and_redo():
    document, layer = yield from selected_dream()
    node_id = layer.uniqueId()
    steps = 0
    while document.nodeByUniqueID(node_id) is not None:
        yield from desk.undo()
        steps += 1
        assert steps < 5, desk.history()
    for _ in range(steps):
        yield from desk.redo()
    yield from desk.activate(document, document.nodeByUniqueID(node_id))
    yield from desk.until(lambda: shown().endswith("seed 7"), "the seed is shown")


def check_settings_of_a_newer_version_are_kept_unchanged():
    document = yield from desk.new_document()
    newer = b'{"version": 2, "something": "else"}'
    document.setAnnotation(DREAMS, "", QByteArray(newer))
    desk.trigger()
    yield from desk.until(lambda: len(document.rootNode().childNodes()) == 2, "the layer is added")
    yield from desk.until(lambda: "newer Dreamlayer" in desk.message(), "the message is shown")
    assert bytes(document.annotation(DREAMS)) == newer


def check_invalid_stored_settings():
    """Foreign bytes under the annotation's name, and unknown or invalid parameters."""
    document = yield from desk.new_document()
    document.setAnnotation(DREAMS, "", QByteArray(b"\xff\x00 no JSON"))
    layer = yield from desk.dream()
    stored = json.loads(bytes(document.annotation(DREAMS)))
    entry = stored["dreams"][layer.uniqueId().toString()]
    entry["recipe"]["glitter"] = 3
    document.setAnnotation(DREAMS, "", QByteArray(json.dumps(stored).encode()))
    yield from desk.activate(document, layer)
    expect_refusal(action("again"), "does not know glitter", "install.py")
    entry["recipe"]["octaves"] = -1
    document.setAnnotation(DREAMS, "", QByteArray(json.dumps(stored).encode()))
    expect_refusal(action("again"), "can't be used", "octaves")
