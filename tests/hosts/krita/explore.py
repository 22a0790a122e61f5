"""Explore: nine looks, going on by a click, back and forth, a surprise, and what the form gets."""

import os
import signal
import time

import case
import desk
from docker import click
from krita import (
    QAbstractButton,
    QApplication,
    QDialog,
    QImage,
    QLabel,
    QPushButton,
    Selection,
)
from map import mapped, put_away

from dreamlink.recipe import presets

NINE, MIDDLE = range(9), 4


def run(_document):
    yield from desk.close_documents()
    desk.app.activeWindow().qwindow().showMaximized()
    yield 500
    yield from desk.run_checks(globals())


def opened(whole=False):
    """A small picture, or the whole photo, whose window has nine looks."""
    document = yield from desk.open_picture()
    if not whole:
        document.scaleImage(150, 100, 300, 300, "Bicubic")
        document.waitForDone()
    desk.docker().setVisible(True)  # Krita hides it with the window of the first picture
    desk.docker().raise_()
    began = time.monotonic()
    click("explore", QPushButton)
    yield from nine()
    print(f"nine looks after {time.monotonic() - began:.1f} s")
    return document


def window():
    return desk.part(QDialog, "explore_window")


def cell(index):
    return desk.part(QAbstractButton, f"look_{index}")


def captions():
    return [cell(index).caption for index in NINE]


def looks():
    """The bytes of the nine looks; None where there is none."""
    images = [cell(index).image for index in NINE]
    return [None if image is None else pixels(image) for image in images]


def pixels(image):
    image = image.convertToFormat(QImage.Format_RGB32)  # whose rows have no padding
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    return bytes(bits)


def nine():
    yield from desk.until(lambda: None not in looks(), "nine looks", 60)


def complete():
    yield from desk.until(lambda: line().startswith("Click a look"), "all looks are complete", 90)


def line():
    return desk.part(QLabel, "explore_line").text()


def walk():
    """The walk behind the window; None when nothing is explored."""
    job = window()._job
    return None if job is None else job.walk


def close():
    click("explore_close", QPushButton)


def check_nine_looks_differ_and_the_document_is_left_alone():
    desk.session().show_recipe(presets.find(presets.DEFAULT).recipe())
    document = yield from opened(whole=True)
    before, history = desk.snapshot(document), desk.history()
    yield 300
    case.screenshot("explore-first")
    yield from complete()
    case.screenshot("explore")
    assert captions()[MIDDLE].startswith("your settings"), captions()
    assert len(set(captions())) == 9, captions()
    assert len(set(looks())) == 9
    assert all(cell(index).accessibleName() for index in NINE)
    close()
    assert desk.snapshot(document) == before
    assert desk.history() == history


def check_a_click_goes_on_and_back_and_forth_return():
    yield from opened()
    yield from complete()
    first, chosen = looks(), walk().place.cells[1].recipe
    cell(1).click()
    assert walk().middle.recipe == chosen
    assert looks()[MIDDLE] == first[1], "the clicked look is not in the middle at once"
    yield from complete()
    case.screenshot("explore-second")
    second = looks()
    assert second[MIDDLE] == first[1] and len(set(second)) == 9
    assert not desk.part(QPushButton, "explore_forward").isEnabled()
    click("explore_back")
    assert looks() == first and not desk.part(QPushButton, "explore_back").isEnabled()
    click("explore_forward")
    assert looks() == second
    close()


def check_a_surprise_is_far_away():
    yield from opened()
    before = walk().middle.recipe
    click("explore_surprise")
    after = walk().middle.recipe
    assert (after.model, after.layer) != (before.model, before.layer)
    yield from nine()
    yield from complete()
    case.screenshot("explore-surprise")
    close()


def check_use_this_changes_the_form():
    yield from opened()
    seed = desk.session().recipe().seed
    cell(0).click()
    yield from nine()
    wanted = walk().middle.recipe
    click("explore_use")
    assert not window().isVisible()
    got = desk.session().recipe()
    assert (got.model, got.layer, got.method) == (wanted.model, wanted.layer, wanted.method)
    assert got.seed == seed, "the seed is the user's own"
    assert desk.message().startswith("Dreams now of"), desk.message()


def check_a_dream_map_that_overrules_it_is_told():
    yield from mapped()
    try:
        click("explore", QPushButton)
        yield from nine()
        yield from complete()
        assert "The dream map's colours say what is dreamed" in line(), line()
        yield 300
        case.screenshot("explore-map")
        bound = desk.session().recipe().bind
        click("explore_use")
        assert desk.message().startswith("Chosen, but not dreamed: "), desk.message()
        assert desk.session().recipe().bind == bound
    finally:
        put_away()


def check_a_double_click_takes_a_look():
    yield from opened()
    wanted = walk().place.cells[3].recipe
    place = cell(3)
    point = place.mapToGlobal(place.rect().center())
    case.xdotool(
        "mousemove", str(point.x()), str(point.y()), "click", "--repeat", "2", "--delay", "80", "1"
    )
    yield from desk.until(lambda: not window().isVisible(), "the window closes", 20)
    got = desk.session().recipe()
    assert (got.model, got.layer, got.octaves) == (wanted.model, wanted.layer, wanted.octaves)


def check_the_keyboard_reaches_all():
    yield from opened()
    window().activateWindow()
    cell(MIDDLE).setFocus()
    yield 300
    case.xdotool("key", "Left")
    yield from desk.until(lambda: cell(3).hasFocus(), "the arrow moves to the look beside", 20)
    wanted = walk().place.cells[3].recipe
    case.xdotool("key", "Return")
    yield from desk.until(lambda: walk().middle.recipe == wanted, "Return goes on", 20)
    case.xdotool("key", "alt+Left")
    yield from desk.until(lambda: not walk().can_go_back, "Alt+Left goes back", 20)
    case.xdotool("key", "Escape")
    yield from desk.until(lambda: not window().isVisible(), "Escape closes", 20)
    assert window()._job is None


def check_closing_cancels_the_looks():
    yield from opened()
    link, sent = desk.session().link, []
    send = link.send
    link.send = lambda header, *frames: (sent.append(header), send(header, *frames))
    try:
        cell(7).click()
        close()
    finally:
        del link.send
    assert [header["op"] for header in sent] == ["looks", "cancel"], sent
    assert sent[0]["id"] == sent[1]["id"]
    yield 200
    assert QApplication.activeModalWidget() is None


def check_a_selection_is_explored():
    document = yield from desk.open_picture()
    part = Selection()
    part.select(100, 50, 200, 150, 255)
    document.setSelection(part)
    yield from desk.until(lambda: document.selection() is not None, "there is a selection")
    desk.docker().setVisible(True)
    click("explore", QPushButton)
    yield from nine()
    image = cell(MIDDLE).image
    assert abs(image.width() / image.height() - 200 / 150) < 0.02
    close()


def check_an_empty_layer_is_told():
    document = yield from desk.new_document()
    empty = document.createNode("Empty", "paintlayer")
    document.rootNode().addChildNode(empty, None)
    yield from desk.activate(document, empty)
    desk.docker().setVisible(True)
    click("explore", QPushButton)
    assert "is empty" in line() and looks() == [None] * 9, line()
    assert not desk.part(QPushButton, "explore_use").isEnabled()
    close()


def check_a_busy_daemon_is_told_and_the_middle_stays():
    yield from opened()
    yield from complete()
    with desk.held(desk.daemon()):
        cell(0).click()
        yield 300
        assert line().startswith("Taking nine looks"), line()
        assert None in looks() and looks()[MIDDLE] is not None
    yield from nine()
    close()


def check_a_lost_daemon_is_told_and_a_click_starts_another():
    yield from opened()
    cell(0).click()
    os.kill(desk.daemon(), signal.SIGKILL)
    yield from desk.until(lambda: "daemon" in line(), "the window tells that it is lost", 20)
    assert looks()[MIDDLE] is not None
    cell(8).click()
    yield from nine()
    close()


def check_a_daemon_lost_while_it_sees_is_told_and_a_click_starts_another():
    yield from opened()
    close()
    with desk.held(desk.daemon()):
        click("explore", QPushButton)
        yield 300
        assert looks() == [None] * 9
        os.kill(desk.daemon(), signal.SIGKILL)
    yield from desk.until(lambda: "daemon" in line(), "the window tells that it is lost", 20)
    case.screenshot("explore-lost-early")
    cell(0).click()
    yield from nine()
    yield from desk.until(lambda: "is not known" in line(), "the window tells what is missing", 60)
    close()
