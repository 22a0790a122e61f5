"""What the networks see: the list, its filter, a choice, a selection, and what can't be seen."""

import collections

import case
import desk
import live
from docker import click
from krita import (
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QWidget,
    Selection,
)
from map import mapped, put_away


def run(_document):
    yield from desk.close_documents()
    desk.app.activeWindow().qwindow().showMaximized()
    yield 500
    yield from desk.run_checks(globals())


def looked(act=None):
    """Open a picture and its window, or do something else that looks; returns the list's texts."""
    (act or (lambda: click("see", QPushButton)))()
    yield from desk.until(lambda: listed() and not line().startswith("Looking"), "it sees", 60)
    return listed()


def opened():
    document = yield from desk.open_picture()
    desk.docker().setVisible(True)  # Krita hides it with the window of the first picture
    desk.docker().raise_()
    return document


def listed():
    pictures = desk.part(QListWidget, "seen")
    return [pictures.item(row).text() for row in range(pictures.count())]


def line():
    return desk.part(QLabel, "seeing_line").text()


def close():
    click("see_close", QPushButton)


def check_a_cat_is_seen_and_a_click_dreams_of_it():
    yield from opened()
    before = desk.history()
    texts = yield from looked()
    yield 500
    case.screenshot("see")
    assert texts[0] == "cats", texts
    assert "cat" in line(), line()
    items = desk.part(QListWidget, "seen")
    place = next(row for row, text in enumerate(texts) if "\n" in text and "/" in text)
    chosen = items.item(place)
    items.setCurrentItem(chosen)
    recipe = desk.session().recipe()
    assert chosen.toolTip().startswith(f"{recipe.model}/"), (chosen.toolTip(), recipe.model)
    assert desk.part(QLineEdit, "layer").text() == recipe.layer != "features.10"
    screen = desk.part(QWidget, "look")
    yield from desk.until(lambda: screen.image is not None and not live.line(), "a look", 60)
    assert desk.history() == before, "the document was changed"
    live.switch()
    close()


def check_several_are_mixed_by_weight():
    yield from opened()
    yield from looked()
    desk.part(QComboBox, "see_filter").setCurrentIndex(2)
    items = desk.part(QListWidget, "seen")
    by_network = collections.defaultdict(list)
    for row in range(items.count()):
        address = items.item(row).toolTip().partition("\n")[0]
        by_network[address.partition("/")[0]].append((row, address))
    same = next(rows for rows in by_network.values() if len(rows) > 1)
    for row, _ in same[:2]:
        items.item(row).setSelected(True)
    session, weights = desk.session(), desk.part(QWidget, "mix_weights")
    assert weights.isVisible()
    (first, _), (second, _) = session.recipe().expression().terms
    desk.part(QDoubleSpinBox, "weight_1").setValue(3.0)
    (less, _), (more, _) = session.recipe().expression().terms
    assert abs(more / less - 3 * second / first) < 0.01 * more / less
    yield 500
    case.screenshot("see-mix")
    other = next(rows for rows in by_network.values() if rows is not same)
    before = session.recipe()
    items.item(other[0][0]).setSelected(True)
    assert "A mix is of one network" in line(), line()
    assert session.recipe() == before
    items.clearSelection()
    items.item(same[0][0]).setSelected(True)
    assert not weights.isVisible()
    assert len(session.recipe().expression().terms) == 1
    desk.part(QComboBox, "see_filter").setCurrentIndex(0)
    live.switch()
    close()


def check_the_filter_shows_one_list():
    yield from opened()
    every = yield from looked()
    box = desk.part(QComboBox, "see_filter")
    counts = []
    for number in (1, 2, 3):
        box.setCurrentIndex(number)
        assert set(listed()) <= set(every) and listed(), number
        counts.append(len(listed()))
    assert sum(counts) == len(every), (counts, len(every))
    box.setCurrentIndex(0)
    close()


def check_only_the_selection_is_asked_about():
    document = yield from opened()
    whole = yield from looked()
    part = Selection()
    part.select(0, 0, 60, 60, 255)  # an even corner
    document.setSelection(part)
    yield from desk.until(lambda: document.selection() is not None, "there is a selection")
    corner = yield from looked(lambda: click("see_again", QPushButton))
    assert corner != whole and corner[:1] != ["cats"], corner
    close()


def check_a_dream_map_that_overrules_it_is_told():
    yield from mapped()
    try:
        yield from looked()
        assert "The dream map's colours say what is dreamed" in line(), line()
        yield 300
        case.screenshot("see-map")
        bound = desk.session().recipe().bind
        desk.part(QListWidget, "seen").setCurrentRow(0)
        name = listed()[0].partition("\n")[0]
        assert line().startswith(f"Chosen, but not dreamed: {name}."), (line(), name)
        assert desk.session().recipe().bind == bound
        yield 300
        case.screenshot("see-map-chosen")
    finally:
        put_away()
        live.switch()
        close()


def check_an_empty_layer_is_told():
    document = yield from desk.new_document()
    empty = document.createNode("Empty", "paintlayer")
    document.rootNode().addChildNode(empty, None)
    yield from desk.activate(document, empty)
    desk.docker().setVisible(True)
    click("see", QPushButton)
    assert "is empty" in line() and not listed(), line()
    close()
