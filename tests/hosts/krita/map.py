"""Dream maps: a layer's colours, a field for each, the dream, its settings, and what is refused."""

import case
import desk
import live
import store
from docker import choose, click
from krita import QLineEdit, QScrollArea, QToolButton, QWidget

from dreamlink.recipe.recipe import Recipe

RED, GREEN = b"\x00\x00\xff\xff", b"\x00\xff\x00\xff"  # B, G, R, A
LEFT, MIDDLE, RIGHT = (0, 0, 40, 96), (40, 0, 48, 96), (88, 0, 40, 96)
STRONG = {"step_size": 6.0, "seed": 7, "context": 16}


def run(_document):
    yield from desk.close_documents()
    desk.app.activeWindow().qwindow().showMaximized()
    yield 500
    yield from desk.run_checks(globals())


def mapped():
    """A document with a hidden map, red on the left, green on the right; the source is active."""
    document = yield from desk.new_document()
    desk.docker().setVisible(True)  # Krita hides it with the window of the first picture
    desk.docker().raise_()
    source = document.activeNode()
    painted = document.createNode("Colours", "paintlayer")
    for colour, box in ((RED, LEFT), (GREEN, RIGHT)):
        painted.setPixelData(colour * (box[2] * box[3]), *box)
    document.rootNode().addChildNode(painted, None)
    painted.setVisible(False)
    yield from desk.activate(document, source)
    desk.fill_form(**STRONG)
    choose("dream_map", "Colours")
    return document, source, painted


def put_away():
    """Choose no map, as later checks expect it."""
    desk.part(QWidget, "dream_map").setCurrentIndex(0)
    desk.part(QWidget, "dream_map").activated.emit(0)
    assert desk.session().recipe().bind == ""
    assert desk.part(QWidget, "map_colours").isHidden()


def field(colour):
    return desk.part(QLineEdit, f"map_{colour}")


def read(layer, box):
    return bytes(layer.pixelData(*box))


def check_each_colour_dreams_what_its_field_says():
    _, source, _ = yield from mapped()
    try:
        click("more", QToolButton)
        yield from desk.until(lambda: field("ff0000").isVisible(), "the colours are shown")
        assert field("ff0000").text() == "features.10", "the first colour stands for nothing"
        assert field("00ff00").text() == ""
        yield 500  # until the column has its new height
        area = field("00ff00")
        while not isinstance(area, QScrollArea):
            area = area.parent()
        area.ensureWidgetVisible(field("00ff00"))
        yield 300
        case.screenshot("map-colours")
        only_red = yield from desk.dream()
        assert read(only_red, MIDDLE) == read(source, MIDDLE), "it has dreamed beside the colours"
        assert read(only_red, RIGHT) == read(source, RIGHT), "it has dreamed in an empty field"
        assert read(only_red, LEFT) != read(source, LEFT), "nothing is dreamed"
        yield from desk.activate(desk.app.activeDocument(), source)
        field("00ff00").setText("features.5")
        both = yield from desk.dream()
        assert read(both, MIDDLE) == read(source, MIDDLE)
        assert read(both, RIGHT) != read(source, RIGHT), "nothing is dreamed in the second colour"
        assert desk.session().recipe().bind == "#ff0000=features.10; #00ff00=features.5"
        case.screenshot("map-dream")
    finally:
        click("more", QToolButton)
        put_away()


def check_the_map_of_a_dream_is_found_again():
    document, source, painted = yield from mapped()
    field("00ff00").setText("features.5")
    layer = yield from desk.dream()
    put_away()
    yield from desk.activate(document, layer)
    again = yield from store.repeated(store.action("again"))
    assert bytes(again.pixelData(*store.SIZE)) == bytes(layer.pixelData(*store.SIZE))
    painted.remove()
    yield from desk.until(lambda: len(document.rootNode().childNodes()) == 3, "the map is gone")
    yield from desk.activate(document, layer)
    store.expect_refusal(store.action("again"), "dream map", "is gone")
    assert source.visible()


def check_quick_look_follows_the_map():
    yield from mapped()
    try:
        first = yield from live.looked(live.switch)
        other = yield from live.looked(lambda: field("00ff00").setText("features.5"))
        assert other != first, "the look does not follow"
    finally:
        live.switch()
        put_away()


def check_what_is_missing_is_said():
    document, _, painted = yield from mapped()
    try:
        field("ff0000").clear()
        store.expect_refusal(desk.trigger, "Nothing is chosen", "“Colours”")
        painted.setPixelData(b"\0\0\0\0" * (128 * 96), 0, 0, 128, 96)
        choose("dream_map", "Colours")
        assert "no flat colours" in desk.message(), desk.message()
    finally:
        put_away()
    bound = desk.session().recipe().to_dict() | {"bind": "#ff0000=features.5"}
    desk.session().show_recipe(Recipe.of(bound))
    store.expect_refusal(desk.trigger, "dream map", "under More")
    desk.session().show_recipe({"bind": ""})
    assert document.activeNode() is not None
