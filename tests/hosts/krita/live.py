"""Live features: the dream that grows on the canvas, quick looks, a finished layer's sliders."""

import os
import signal

import case
import desk
from krita import QComboBox, QDoubleSpinBox, QLabel, QPushButton, QSlider, QWidget, Selection

PLAIN = {"octave_scale": 1.4, "noise": 0.0, "noise_samples": 1}
SHORT = {**PLAIN, "octaves": 2, "steps": 2}
# The first octave is done soon, the second one takes a while.
LONG = {**PLAIN, "octaves": 2, "octave_scale": 3.0, "steps": 40, "noise": 0.1, "noise_samples": 4}
SIZE = (128, 96)
WHOLE = (0, 0, *SIZE)


def run(_document):
    yield from desk.close_documents()
    desk.docker().setVisible(True)
    desk.docker().raise_()
    desk.app.activeWindow().qwindow().showMaximized()
    yield 500
    yield from desk.run_checks(globals())


# On the canvas


def growing(document, **recipe):
    """Start a dream and wait until its layer is on the canvas; returns that layer."""
    before = len(desk.nodes(document))
    desk.fill_form(**recipe)
    desk.trigger()
    yield from desk.until(lambda: len(desk.nodes(document)) > before, "a layer is added")
    grown = document.rootNode().childNodes()[-1]
    yield from desk.until(grown.locked, "Krita has added it", 30)
    assert desk.busy(), desk.message()
    return grown


def cancelled():
    desk.part(QPushButton, "cancel").click()
    yield from desk.until(lambda: not desk.busy(), "the dream ends", 30)


def as_before(document, before):
    """Wait until the document is as it was."""
    yield from desk.until(lambda: desk.snapshot(document) == before, "the picture is as before", 30)


def check_dream_grows_on_the_canvas():
    document = yield from desk.new_document(*SIZE)
    before = pixels(document)
    grown = yield from growing(document, **LONG)
    assert grown.name() == "Dream of Background…"
    first = pixels(grown)
    assert first != before and any(first), "no pixels"
    yield from desk.until(lambda: pixels(document) == pixels(grown), "the picture shows it", 30)
    assert desk.history()[1:] == ["Add Layer"]
    case.screenshot("growing")
    yield from desk.finish()
    layers = document.rootNode().childNodes()
    assert [node.uniqueId() for node in layers[1:]] == [grown.uniqueId()], "it is another layer"
    assert grown.name() == "Dream of Background (features.10, seed 7)" and not grown.locked()
    assert document.activeNode().uniqueId() == grown.uniqueId()
    dreamed = pixels(grown)
    assert dreamed != first and pixels(document) == dreamed
    assert desk.history()[1:] == ["Add Layer"], "more than one undo step"
    yield from desk.undo()
    assert pixels(document) == before and len(desk.nodes(document)) == 1
    yield from desk.redo()
    assert pixels(document.rootNode().childNodes()[1]) == dreamed


def check_second_dream_uses_the_source_of_a_growing_layer():
    """A dream started while another layer grows uses that one's source, not the growing layer."""
    document = yield from desk.new_document(*SIZE)
    grown = yield from growing(document, **LONG)
    with desk.held(desk.daemon()):  # so that the first one keeps growing
        yield from desk.until(
            lambda: document.activeNode().uniqueId() == grown.uniqueId(),
            "the growing layer is active",
        )
        assert grown.locked(), "the first dream is already done"
        desk.fill_form(**SHORT, seed=8)
        desk.trigger()
        desk.part(QPushButton, "cancel").click()  # the first one
    yield from desk.until(lambda: not desk.busy(), "the second one is done")
    names = desk.children(document.rootNode())
    assert names == ["Background", "Dream of Background (features.10, seed 8)"], names


def check_grown_layer_equals_an_added_one():
    """Also in colour spaces that are converted."""
    from dreamlayer_krita.document.layer_io import read
    from dreamlayer_krita.model.jobs import NewLayer

    desk.fill_form(**{**SHORT, "octaves": 3, "steps": 6})
    for model, depth in (("RGBA", "U16"), ("GRAYA", "F32"), ("CMYKA", "U8")):
        document = yield from desk.new_document(*SIZE, model, depth)
        source = document.activeNode()
        grown = yield from desk.dream()
        yield from desk.activate(document, source)
        recipe = desk.session().recipe()
        source = read(recipe)
        desk.session().start(source, recipe, goal=NewLayer(source))
        yield from desk.finish()
        added = document.rootNode().childNodes()[1]
        assert added != grown
        assert bytes(added.pixelData(*WHOLE)) == bytes(grown.pixelData(*WHOLE)), (model, depth)
        assert desk.history()[1:] == ["Add Layer", "Add Layer"], desk.history()


def check_cancel_removes_the_growing_layer():
    document = yield from desk.new_document(*SIZE)
    before = desk.snapshot(document)
    yield from growing(document, **LONG)
    yield from cancelled()
    assert desk.message().startswith("Cancelled"), desk.message()
    yield from as_before(document, before)
    assert desk.history()[1:] == ["Add Layer", "Remove Layer"], desk.history()
    for _ in range(2):
        yield from desk.undo()
    yield from as_before(document, before)


def check_growing_layer_is_removed_when_the_daemon_dies():
    document = yield from desk.new_document(*SIZE)
    before = desk.snapshot(document)
    yield from growing(document, **LONG)
    os.kill(desk.daemon(), signal.SIGKILL)
    yield from desk.until(lambda: not desk.busy(), "the dream ends", 30)
    assert "Your picture is unchanged" in desk.message(), desk.message()
    yield from as_before(document, before)


def check_undo_of_the_growing_layer_stops_its_dream():
    document = yield from desk.new_document(*SIZE)
    before = desk.snapshot(document)
    yield from growing(document, **LONG)
    yield from desk.undo()
    yield from desk.until(lambda: not desk.busy(), "the dream ends", 30)
    assert "removed during its dream" in desk.message(), desk.message()
    yield from as_before(document, before)
    yield from desk.redo()
    assert not document.rootNode().childNodes()[1].locked()


def check_picture_closed_while_its_dream_grows():
    document = yield from desk.new_document(*SIZE)
    yield from growing(document, **LONG)
    yield from desk.close_documents()
    yield from desk.until(lambda: not desk.busy(), "the dream ends", 30)
    assert "was closed" in desk.message(), desk.message()


def check_large_picture_grows_in_the_docker():
    document = desk.app.createDocument(2100, 2100, "large", "RGBA", "U8", "", 72.0)
    document.rootNode().childNodes()[0].setPixelData(desk.drawing(*SIZE), 0, 0, *SIZE)
    document.refreshProjection()
    desk.app.activeWindow().addView(document)
    yield from desk.until(lambda: desk.active(document), "the new document is active")
    desk.fill_form(**LONG)
    desk.trigger()
    screen = desk.part(QWidget, "so_far")
    yield from desk.until(lambda: screen.image is not None, "the dream is shown", 30)
    assert screen.isVisible()
    assert len(desk.nodes(document)) == 1, "it is added to the canvas"
    yield from cancelled()
    assert screen.isHidden() and desk.history() == ["<empty>"]


# Quick looks


def looked(act):
    """Do something and wait until the look is complete; returns its picture."""
    screen = desk.part(QWidget, "look")
    screen.clear()
    act()
    yield from desk.until(lambda: screen.image is not None and not line(), "a look", 30)
    return screen.image


def line():
    """The status of the look; "" when it is complete."""
    return desk.part(QLabel, "look_line").text()


def switch():
    desk.part(QPushButton, "quick_look").click()


def check_quick_look_follows_the_form():
    document = yield from desk.open_picture()
    before = (desk.snapshot(document), desk.history())
    desk.fill_form(octaves=4, octave_scale=1.4)
    first = yield from looked(switch)
    assert (first.width(), first.height()) == (384, 255), (first.width(), first.height())
    other = yield from looked(lambda: desk.fill_form(layer="features.3"))
    assert other != first, "the look does not follow"
    case.screenshot("look")

    def there_and_back():
        desk.fill_form(layer="features.7")
        desk.fill_form(layer="features.10")

    again = yield from looked(there_and_back)
    assert again == first
    assert (desk.snapshot(document), desk.history()) == before, "the document has changed"
    switch()
    assert desk.part(QWidget, "look").isHidden()


def check_quick_look_of_what_is_selected():
    document = yield from desk.open_picture()
    selection = Selection()
    selection.select(40, 30, 120, 60, 255)
    selection.feather(5)
    document.setSelection(selection)
    yield 200
    chosen = document.selection()
    image = yield from looked(switch)
    assert (image.width(), image.height()) == (chosen.width(), chosen.height())
    corner = bytes(document.pixelData(chosen.x(), chosen.y(), 1, 1))[:3]
    color = image.pixelColor(0, 0)
    assert (color.blue(), color.green(), color.red()) == tuple(corner), (
        "it dreams outside the selection"
    )
    switch()


def check_quick_look_at_every_colour_space():
    for model, depth in (("RGBA", "F32"), ("GRAYA", "U8"), ("CMYKA", "U8")):
        document = yield from desk.new_document(*SIZE, model, depth)
        image = yield from looked(switch)
        assert (image.width(), image.height()) == SIZE, (model, depth)
        switch()
        assert desk.history() == ["<empty>"], (model, depth)
        assert len(desk.app.documents()) == 1 or document in desk.app.documents()


def check_quick_look_at_the_middle_of_a_large_layer():
    document = desk.app.createDocument(1500, 600, "large", "RGBA", "U8", "", 72.0)
    layer = document.rootNode().childNodes()[0]
    layer.setPixelData(bytes((40, 80, 120, 255)) * (1500 * 600), 0, 0, 1500, 600)
    layer.setPixelData(desk.drawing(*SIZE), 700, 250, *SIZE)
    desk.app.activeWindow().addView(document)
    yield from desk.until(lambda: desk.active(document), "the new document is active")
    desk.fill_form(octaves=3, octave_scale=1.4)  # 384 px at 1.96 times
    image = yield from looked(switch)
    assert (image.width(), image.height()) == (384, 306), (image.width(), image.height())
    switch()


def check_quick_look_says_what_is_missing():
    yield 0
    switch()
    assert line().startswith("No picture is open"), line()
    switch()
    assert not line()


# The finished layer


def slide(name, position):
    desk.part(QSlider, f"slide_{name}").setValue(position)


def pixels(layer, *size):
    return bytes(layer.pixelData(*(size or WHOLE)))


def becomes(layer, wanted, what):
    """Wait until the layer has the pixels `wanted`."""
    yield from desk.until(lambda: pixels(layer) == wanted, what, 30)


def differs(layer, before, what):
    yield from desk.until(lambda: pixels(layer) != before, what, 30)


def live_message():
    return desk.part(QLabel, "live_line").text()


def shown(name):
    return desk.part(QWidget, name).isVisible()


def check_strength_slides_without_a_new_dream():
    from dreamlayer_krita.document import dream_store

    document = yield from desk.new_document(*SIZE)
    source = document.activeNode()
    layer = yield from desk.dream(**SHORT)
    dreamed, steps = pixels(layer), desk.history()
    document.setModified(False)
    for position in range(19, -1, -1):  # as the mouse would do
        slide("strength", position)
    yield from becomes(layer, pixels(source), "without strength it is the source")
    yield from becomes(document, pixels(source), "the canvas shows it")
    yield from desk.until(document.modified, "the document is modified", 30)
    yield from desk.until(
        lambda: dream_store.read_recipe(document, layer.uniqueId()).strength == 0.0,
        "it is stored",
        30,
    )
    slide("strength", 10)
    yield from differs(layer, pixels(source), "half of the dream")
    case.screenshot("slid")
    desk.part(QDoubleSpinBox, "live_strength").setValue(1.0)
    yield from becomes(layer, dreamed, "all of the dream")
    assert desk.history() == steps, "there is another undo step"
    yield from desk.undo()
    yield from desk.redo()
    layer = document.rootNode().childNodes()[1]
    slide("strength", 0)
    yield from becomes(layer, pixels(source), "after undo and redo")


def check_colours_and_feather():
    document = yield from desk.new_document(*SIZE)
    selection = Selection()
    selection.select(30, 20, 60, 50, 255)
    document.setSelection(selection)
    yield 200
    layer = yield from desk.dream(**SHORT)
    assert shown("live_feather") and shown("live_dither")
    dreamed = pixels(layer)
    slide("feather", 10)
    yield from differs(layer, dreamed, "feathered")
    assert set(pixels(layer)[3::4]) > set(dreamed[3::4]), "the edge is not soft"
    slide("feather", 0)
    yield from becomes(layer, dreamed, "not feathered")
    box = desk.part(QComboBox, "live_colour")
    box.setCurrentIndex(box.findData("luminance"))
    yield from differs(layer, dreamed, "luminance")


def check_parameters_without_effect_have_no_field():
    yield from desk.new_document(*SIZE, "RGBA", "F32")
    yield from desk.dream(**SHORT)
    assert shown("live_strength") and shown("live_colour")
    assert not shown("live_feather") and not shown("live_dither")


def check_sliders_are_those_of_the_active_dream():
    document = yield from desk.new_document(*SIZE)
    source = document.activeNode()
    first = yield from desk.dream(**SHORT)
    yield from desk.activate(document, source)
    second = yield from desk.dream(**SHORT, seed=8)
    kept, field = pixels(second), desk.part(QDoubleSpinBox, "live_strength")
    slide("strength", 10)
    yield from differs(second, kept, "the last one changes")
    kept = pixels(second)
    yield from desk.activate(document, first)
    yield from desk.until(lambda: field.value() == 1.0, "the sliders follow", 30)
    slide("strength", 0)
    yield from becomes(first, pixels(source), "the active one changes")
    assert pixels(second) == kept


def check_layer_that_is_gone_or_painted_on_is_left_alone():
    document = yield from desk.new_document(*SIZE)
    source = document.activeNode()
    layer = yield from desk.dream(**SHORT)
    yield from desk.undo()
    slide("strength", 3)
    yield from desk.until(lambda: "layer is gone" in live_message(), "the message is shown", 30)
    assert desk.nodes(document) == [source]
    yield from desk.redo()
    layer = document.rootNode().childNodes()[1]
    layer.setPixelData(bytes(4 * 40), 3, 4, 10, 4)
    kept = pixels(layer)
    slide("strength", 0)
    yield from desk.until(lambda: "painted on" in live_message(), "the message is shown", 30)
    yield 300
    assert pixels(layer) == kept
    assert desk.part(QDoubleSpinBox, "live_strength").value() == 1.0


def check_sliders_of_a_closed_picture():
    yield from desk.new_document(*SIZE)
    yield from desk.dream(**SHORT)
    yield from desk.close_documents()
    slide("strength", 3)
    yield from desk.until(lambda: "was closed" in live_message(), "the message is shown", 30)
    assert not desk.part(QSlider, "slide_strength").isEnabled()


def check_sliders_are_hidden_in_a_picture_without_dreams():
    yield from desk.new_document(*SIZE)
    yield from desk.dream(**SHORT)
    assert shown("live")
    other = yield from desk.new_document(*SIZE)
    yield from desk.until(lambda: not shown("live"), "the sliders are hidden", 30)
    desk.close(other)
    yield from desk.until(lambda: shown("live"), "they are shown with their picture", 30)


def check_daemon_that_forgot_the_dream():
    document = yield from desk.new_document(*SIZE)
    layer = yield from desk.dream(**SHORT)
    before = desk.snapshot(document)
    os.kill(desk.daemon(), signal.SIGKILL)
    yield from desk.until(lambda: "no longer keeps" in live_message(), "the message is shown", 30)
    assert not desk.part(QSlider, "slide_strength").isEnabled()
    assert desk.snapshot(document) == before
    yield from desk.activate(document, document.rootNode().childNodes()[0])
    layer = yield from desk.dream(**SHORT)  # with a new daemon
    slide("strength", 0)
    yield from becomes(layer, pixels(document.rootNode().childNodes()[0]), "it can be changed")
