"""What the networks see: the list, its filter, a choice, a selection, and what can't be seen."""

import case
import desk
import live
from docker import click
from krita import QComboBox, QLabel, QLineEdit, QListWidget, QPushButton, QWidget, Selection


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
    items.itemClicked.emit(chosen)
    recipe = desk.session().recipe()
    assert chosen.toolTip().startswith(f"{recipe.model}/"), (chosen.toolTip(), recipe.model)
    assert desk.part(QLineEdit, "layer").text() == recipe.layer != "features.10"
    screen = desk.part(QWidget, "look")
    yield from desk.until(lambda: screen.image is not None and not live.line(), "a look", 60)
    assert desk.history() == before, "the document was changed"
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


def check_an_empty_layer_is_told():
    document = yield from desk.new_document()
    empty = document.createNode("Empty", "paintlayer")
    document.rootNode().addChildNode(empty, None)
    yield from desk.activate(document, empty)
    desk.docker().setVisible(True)
    click("see", QPushButton)
    assert "is empty" in line() and not listed(), line()
    close()
