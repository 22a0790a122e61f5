"""The docker itself: what is seen and reached in it, the dreams that wait, the connection."""

import builtins
import json
import os
import re
import signal

import case
import desk
from krita import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QColor,
    QComboBox,
    QDialog,
    QLabel,
    QLineEdit,
    QPalette,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QToolButton,
    QWidget,
    Selection,
)  # fmt: skip  # isort: skip

from dreamlink.client import discovery
from dreamlink.recipe.presets import PRESETS
from dreamlink.recipe.recipe import PARAMETERS

LONG = {"octaves": 4, "steps": 500, "noise": 0.1, "noise_samples": 8}  # never over by itself
ON_TOP = ("preset", "layer", "channels", "octaves", "steps", "strength")
INTERACTIVE = (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit)


def run(_document):
    yield from desk.close_documents()
    desk.docker().setVisible(True)
    desk.docker().raise_()
    desk.app.activeWindow().qwindow().showMaximized()
    yield 500
    yield from desk.run_checks(globals())


def panel():
    return desk.docker().widget()


def parts(*kinds):
    """The panel's widgets of some kinds, without those that Qt itself puts into others."""
    found = [widget for kind in kinds for widget in panel().findChildren(kind)]
    return [widget for widget in found if not widget.objectName().startswith("qt_")]


def click(name, kind=QPushButton):
    desk.part(kind, name).click()


def long_dream():
    desk.fill_form(**LONG)
    desk.trigger()
    yield from desk.until(lambda: desk.status().startswith("Octave "), "the dream runs")


# What is seen


def check_presets_have_thumbnails():
    yield from desk.new_document()
    box = desk.part(QComboBox, "preset")
    pictures = {}
    for row in range(box.count()):
        name = box.itemData(row)
        if name and PRESETS[name].thumbnail:
            image = box.itemIcon(row).pixmap(48, 48).toImage()
            pictures[name] = bytes(image.constBits().asarray(image.sizeInBytes()))
    assert len(pictures) >= 14, sorted(pictures)
    assert len(set(pictures.values())) == len(pictures), "some look alike"
    box.showPopup()
    yield from desk.until(box.view().isVisible, "the list opens")
    yield 500
    case.screenshot("docker-presets")
    side = box.view().visualRect(box.model().index(1, 0)).height()
    assert side >= box.iconSize().height(), "the list's rows are lower than a thumbnail"
    box.hidePopup()


def check_what_matters_is_on_top_the_rest_folds():
    yield from desk.new_document()
    shown = [name for name in PARAMETERS if desk.part(QWidget, name).isVisible()]
    assert {*ON_TOP} <= {"preset", *shown}, shown
    assert len(shown) < len(PARAMETERS) / 2, shown
    click("more", QToolButton)
    yield from desk.until(
        lambda: all(desk.part(QWidget, name).isVisible() for name in PARAMETERS), "all is shown"
    )
    for name in ("guide", "strength_map", "selected_as"):
        assert desk.part(QComboBox, name).isVisible(), name
    case.screenshot("docker-more")
    click("more", QToolButton)


def check_everything_has_a_tool_tip():
    yield from desk.new_document()
    yield from long_dream()
    bare = [w.objectName() or w.metaObject().className() for w in parts(*INTERACTIVE)
            if not w.toolTip()]  # fmt: skip
    click("cancel")
    assert not bare, bare
    yield from desk.until(lambda: not desk.busy(), "it is cancelled")


def check_words_go_through_kritas_translation():
    """Another panel, for which all of Krita's translations are the same word."""
    from dreamlayer_krita.ui.panel import open_panel

    ours, builtins.i18n = builtins.i18n, lambda text: "Traum"
    try:
        other = open_panel(print)
    finally:
        builtins.i18n = ours
    labels = [label.text() for label in other.findChildren(QLabel)]
    buttons = [button.text() for button in other.findChildren(QAbstractButton)]
    said = {text for text in (*labels, *buttons) if text}
    assert said == {"Traum"}, said
    tips = {widget.toolTip() for kind in INTERACTIVE for widget in other.findChildren(kind)}
    assert tips <= {"", "Traum", "<p>Traum</p>"}, tips
    yield 0


def check_both_themes():
    """Words and icons stand out from what is behind them, also when the theme changes."""
    yield from desk.new_document()
    yield from long_dream()
    try:
        for theme, name in (("Krita bright", "light"), ("Krita dark", "dark")):
            choose_theme(theme)
            yield from desk.until(lambda name=name: not hidden(name), f"{theme} hides nothing", 30)
            yield 300
            case.screenshot(f"docker-{name}")
    finally:
        choose_theme("Krita dark")
        click("cancel")
    yield from desk.until(lambda: not desk.busy(), "it is cancelled")


def choose_theme(title):
    bar = desk.app.activeWindow().qwindow().menuBar()
    settings = next(a.menu() for a in bar.actions() if a.text().replace("&", "") == "Settings")
    themes = next(a.menu() for a in settings.actions() if a.objectName() == "theme_menu")
    next(a for a in themes.actions() if a.text() == title).trigger()


def hidden(theme):
    """Words and icons not darker than the light theme's ground, not lighter than the dark one's."""
    sign = 1 if theme == "light" else -1
    ground = panel().palette().color(QPalette.ColorRole.Window).lightness()
    inks = {
        label.text(): label.palette().color(QPalette.ColorRole.WindowText).lightness()
        for label in parts(QLabel)
    }
    for name in ("reroll", "cancel_job"):
        inks[name] = icon_lightness(desk.part(QToolButton, name))
    return {what: (ink, ground) for what, ink in inks.items() if sign * (ground - ink) <= 60}


def icon_lightness(button):
    """The mean lightness of an icon's opaque pixels."""
    image = button.icon().pixmap(32, 32).toImage()
    colours = [QColor(image.pixelColor(x, y))
               for x in range(image.width()) for y in range(image.height())]  # fmt: skip
    inked = [colour.lightness() for colour in colours if colour.alpha() > 200]
    assert inked, f"{button.objectName()} has no icon"
    return sum(inked) / len(inked)


def check_sizes_follow_the_font():
    """As on a screen with many pixels, or for eyes that want large letters."""
    yield from desk.new_document()
    small = panel().font()
    large = panel().font()
    large.setPointSizeF(2 * small.pointSizeF())
    presets, dice = desk.part(QComboBox, "preset"), desk.part(QToolButton, "reroll")
    before = [presets.iconSize().height(), dice.iconSize().height()]
    panel().setFont(large)
    try:
        yield from desk.until(lambda: presets.iconSize().height() > 1.6 * before[0], "it grows")
        yield 300
        case.screenshot("docker-large")
        assert dice.iconSize().height() > 1.6 * before[1]
        for field in parts(*INTERACTIVE):
            if field.isVisible():
                right = field.mapTo(panel(), field.rect().topRight()).x()
                assert right < panel().width(), f"{field.objectName()} is cut off"
        for button in parts(QPushButton):
            if button.isVisible():
                words = button.fontMetrics().horizontalAdvance(button.text())
                assert button.width() >= words, f"{button.text()} is cut off"
                assert button.height() >= button.fontMetrics().height(), button.text()
    finally:
        panel().setFont(small)
    yield from desk.until(lambda: presets.iconSize().height() == before[0], "it shrinks again")


def check_docker_fits_a_small_screen():
    """With all in it that there can be it needs no more height, and what is new is seen."""
    document = yield from desk.new_document()
    source = document.activeNode()
    yield from desk.dream()
    sliders = desk.part(QWidget, "live")
    yield from desk.until(lambda: not sliders.visibleRegion().isEmpty(), "the sliders are seen")
    yield from desk.activate(document, source)
    look = desk.part(QWidget, "look")
    click("quick_look")
    yield from desk.until(lambda: not look.visibleRegion().isEmpty(), "the look is seen")
    yield from long_dream()
    for _ in range(5):
        desk.trigger()
    desk.session().say("A long sentence that says what is wrong and what there is to do. " * 5)
    try:
        yield from desk.until(lambda: len(desk.rows()) == 6, "six dreams are shown")
        yield 300
        case.screenshot("docker-full")
        lines = panel().minimumSizeHint().height() / panel().fontMetrics().lineSpacing()
        assert lines < 24, f"the docker needs {lines:.0f} lines"
    finally:
        click("quick_look")
        while desk.busy():
            click("cancel")
    assert not desk.rows()


# What is reached


def check_keyboard_reaches_everything():
    """Tab goes from top to bottom; the space bar on Dream dreams."""
    document = yield from desk.new_document()
    desk.part(QComboBox, "preset").setFocus()
    yield from desk.until(desk.part(QComboBox, "preset").hasFocus, "the presets have the keyboard")
    wanted = ["preset", "layer", "channels", "octaves", "steps", "seed", "reroll", "strength",
              "colour", "more", "dream"]  # fmt: skip
    reached = ["preset"]
    while reached[-1] != "dream" and len(reached) < 40:
        focus = QApplication.focusWidget()
        case.xdotool("key", "Tab")
        yield from desk.until(
            lambda focus=focus: QApplication.focusWidget() not in (focus, None),
            "the Tab key goes on",
        )
        reached.append(QApplication.focusWidget().objectName())
    assert [name for name in reached if name in wanted] == wanted, reached
    heights = [place(name) for name in wanted if name != "reroll"]
    assert heights == sorted(heights), (reached, heights)
    desk.part(QLabel, "message").clear()
    case.xdotool("key", "space")
    yield from desk.until(lambda: desk.message().startswith("Dreamed in "), "it dreams")
    yield 200  # until Krita's list of layers knows the new one
    assert len(document.rootNode().childNodes()) == 2


def place(name):
    widget = desk.part(QWidget, name)
    return widget.mapTo(panel(), widget.rect().topLeft()).y()


def check_wheel_turns_no_field_that_is_not_worked_on():
    yield from desk.new_document()
    octaves = desk.part(QSpinBox, "octaves")
    octaves.setValue(3)
    desk.part(QPushButton, "dream").setFocus()
    yield from wheel_over(octaves)
    yield 300
    assert octaves.value() == 3, octaves.value()
    octaves.setFocus()
    yield from desk.until(octaves.hasFocus, "it has the keyboard")
    yield from wheel_over(octaves)
    yield from desk.until(lambda: octaves.value() == 4, "the wheel turns it")


def wheel_over(widget):
    spot = widget.mapToGlobal(widget.rect().center())
    case.xdotool("mousemove", str(spot.x()), str(spot.y()))
    yield 200
    case.xdotool("click", "4")


def check_seed_is_drawn_anew():
    yield from desk.new_document()
    seed = desk.part(QSpinBox, "seed")
    seed.setValue(0)
    click("reroll", QToolButton)
    first = seed.value()
    click("reroll", QToolButton)
    assert 0 != first != seed.value() != 0, (first, seed.value())
    layer = yield from desk.dream()
    assert f"seed {seed.value()}" in layer.name(), layer.name()


def check_names_of_network_layers_are_offered():
    """Typed in part, chosen from the list by the keyboard."""
    yield from desk.new_document()
    yield from connected()
    layer = desk.part(QLineEdit, "layer")
    yield from desk.until(layer.completer, "the daemon has told the names")
    layer.setFocus()
    yield from desk.until(layer.hasFocus, "it has the keyboard")
    layer.clear()
    case.xdotool("type", "res.12")
    offered = layer.completer().popup()
    yield from desk.until(offered.isVisible, "a list of names opens")
    case.xdotool("key", "Down", "Return")
    yield from desk.until(lambda: layer.text() == "features.12", "the name is taken")
    assert not offered.isVisible()


# The document's layers as guide and strength map


def check_strength_map_is_a_layer():
    """Black in the left half: nothing is dreamed there."""
    document = yield from desk.new_document()
    source = document.activeNode()
    left, right = (0, 0, 64, 96), (64, 0, 64, 96)
    weights = document.createNode("Weights", "paintlayer")
    weights.setPixelData(b"\0\0\0\xff" * 64 * 96, *left)
    weights.setPixelData(b"\xff\xff\xff\xff" * 64 * 96, *right)
    document.rootNode().addChildNode(weights, None)
    weights.setVisible(False)
    yield from desk.activate(document, source)
    choose("strength_map", "Weights")
    try:
        layer = yield from desk.dream()
    finally:
        desk.part(QComboBox, "strength_map").setCurrentIndex(0)
    assert bytes(layer.pixelData(*left)) == bytes(source.pixelData(*left)), "it dreams in the black"
    assert bytes(layer.pixelData(*right)) != bytes(source.pixelData(*right)), "nothing is dreamed"


def check_guide_is_a_layer():
    """Choosing one makes the network layer ask for it; the dream is another one."""
    document = yield from desk.new_document()
    source = document.activeNode()
    pixels = []
    for name, contrast in (("Calm", 0.02), ("Wild", 0.45)):
        guide = document.createNode(name, "paintlayer")
        guide.setPixelData(desk.drawing(128, 96, contrast=contrast), 0, 0, 128, 96)
        document.rootNode().addChildNode(guide, None)
        guide.setVisible(False)
        yield from desk.activate(document, source)
        choose("guide", name)
        assert desk.part(QLineEdit, "layer").text() == "features.10:guide"
        layer = yield from desk.dream()
        pixels.append(bytes(layer.pixelData(0, 0, 128, 96)))
        yield from desk.activate(document, source)
    desk.part(QComboBox, "guide").setCurrentIndex(0)
    assert pixels[0] != pixels[1], "the guide makes no difference"


def choose(box, text):
    """Open a list and take an entry, as a user does."""
    combo = desk.part(QComboBox, box)
    combo.refresh()
    combo.setCurrentIndex(combo.findText(text))
    assert combo.currentText() == text, [combo.itemText(row) for row in range(combo.count())]
    combo.activated.emit(combo.currentIndex())


def check_selection_comes_back_as_a_mask():
    document = yield from desk.new_document()
    selection = Selection()
    selection.select(20, 20, 80, 60, 255)
    document.setSelection(selection)
    way = desk.part(QComboBox, "selected_as")
    way.setCurrentText("A mask")
    way.activated.emit(way.currentIndex())
    try:
        desk.trigger()
        yield from desk.finish()
    finally:
        way.setCurrentText("Transparency")
        way.activated.emit(way.currentIndex())
    layer = next(node for node in desk.nodes(document) if node.name().startswith("Dream of"))
    assert [child.type() for child in layer.childNodes()] == ["transparencymask"]


# The dreams that wait


def check_dreams_wait_and_each_can_be_cancelled():
    document = yield from desk.new_document()
    source = document.activeNode()
    yield from long_dream()
    for seed in (11, 12):
        desk.fill_form(**{**desk.QUICK, "seed": seed})
        desk.trigger()
    yield from desk.until(lambda: len(desk.rows()) == 3, "three dreams are shown")
    yield 300
    case.screenshot("docker-queue")
    said = [[label.text() for label in row.findChildren(QLabel) if label.isVisible()]
            for row in desk.rows()]  # fmt: skip
    assert ["waiting" in texts for texts in said] == [False, True, True], said
    desk.rows()[1].findChild(QToolButton, "cancel_job").click()
    assert len(desk.rows()) == 2 and "Cancelled" in desk.message(), desk.message()
    assert len(document.rootNode().childNodes()) == 1
    click("cancel")  # the one in work
    yield from desk.finish()  # the other
    names = desk.children(document.rootNode())
    assert names == [source.name(), "Dream of Background (features.10, seed 12)"], names
    assert not desk.rows()


def check_progress_tells_octave_step_and_time():
    yield from desk.new_document()
    yield from long_dream()
    told = r"Octave \d+ of 4, step \d+ of 500, about .+ left"
    yield from desk.until(lambda: re.fullmatch(told, desk.status()), "the time that is left")
    bar = desk.rows()[0].findChild(QProgressBar)
    assert bar.isVisible() and bar.maximum() == 100 and bar.value() < 100
    before = desk.status()
    yield from desk.until(lambda: desk.status() != before, "it goes on")
    click("cancel")
    yield from desk.until(lambda: not desk.busy(), "it is cancelled")


# The connection


def connection():
    return desk.part(QLabel, "connection").whole


def check_button_starts_the_daemon_and_shows_its_log():
    yield from desk.new_document()
    yield from connected()
    os.kill(desk.daemon(), signal.SIGKILL)
    yield from desk.until(lambda: "not connected" in connection(), "it is seen to be gone")
    mend = desk.part(QPushButton, "mend")
    assert mend.text() == "Start", mend.text()
    case.screenshot("docker-unconnected")
    yield from connected()
    mend.click()
    window = panel().findChild(QDialog, "log_window")
    yield from desk.until(window.isVisible, "the log is shown")
    assert "daemon" in window.findChild(QPlainTextEdit, "log").toPlainText()
    yield 500
    case.screenshot("docker-log")
    window.close()


def connected():
    mend = desk.part(QPushButton, "mend")
    if mend.text() == "Start":
        mend.click()
    yield from desk.until(lambda: connection() == "Daemon: connected", "it is connected")


def check_daemon_that_fails_to_start_can_be_mended():
    """The button shows what it said, and there it can be started again."""
    yield from desk.new_document()
    yield from connected()
    launcher = discovery.home() / discovery.LAUNCHER_FILE
    kept = launcher.read_text(encoding="utf-8")
    broken = ["sh", "-c", "echo no torch today; exit 1"]
    launcher.write_text(json.dumps({"command": broken}), encoding="utf-8")
    try:
        os.kill(desk.daemon(), signal.SIGKILL)
        yield from desk.until(lambda: "not connected" in connection(), "it is seen to be gone")
        click("mend")
        yield from desk.until(lambda: "not reached" in connection(), "it fails")
    finally:
        launcher.write_text(kept, encoding="utf-8")
    assert "no torch today" in desk.message(), desk.message()
    click("mend")
    window = panel().findChild(QDialog, "log_window")
    yield from desk.until(window.isVisible, "the log is shown")
    assert "no torch today" in window.findChild(QPlainTextEdit, "log").toPlainText()
    window.findChild(QPushButton, "log_start").click()
    yield from desk.until(lambda: connection() == "Daemon: connected", "it is started")
    window.close()
