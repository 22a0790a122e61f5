"""The docker: its widgets, keyboard and mouse, the queue, the connection."""

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
from dreamlink.recipe.recipe import FORM_PARAMETERS

LONG = {"octaves": 4, "steps": 500, "noise": 0.1, "noise_samples": 8}  # does not end during a test
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
    """The panel's widgets of some kinds, without those that Qt creates inside others."""
    widgets = [widget for kind in kinds for widget in panel().findChildren(kind)]
    return [widget for widget in widgets if not widget.objectName().startswith("qt_")]


def click(name, kind=QPushButton):
    desk.part(kind, name).click()


def long_dream():
    desk.fill_form(**LONG)
    desk.trigger()
    yield from desk.until(lambda: desk.status().startswith("Octave "), "the dream runs")


# Appearance


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


def check_main_parameters_are_on_top_and_the_rest_is_folded():
    yield from desk.new_document()
    shown = [name for name in FORM_PARAMETERS if desk.part(QWidget, name).isVisible()]
    assert {*ON_TOP} <= {"preset", *shown}, shown
    assert len(shown) < len(FORM_PARAMETERS) / 2, shown
    click("more", QToolButton)
    yield from desk.until(
        lambda: all(desk.part(QWidget, name).isVisible() for name in FORM_PARAMETERS),
        "all fields are shown",
    )
    for name in ("guide", "strength_map", "dream_map", "selected_as"):
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


def check_texts_are_translated_by_krita():
    """Build a panel while Krita translates every text into the same word."""
    from dreamlayer_krita.ui.panel import open_panel

    original, builtins.i18n = builtins.i18n, lambda text: "Traum"
    try:
        other = open_panel(print)
    finally:
        builtins.i18n = original
    labels = [label.text() for label in other.findChildren(QLabel)]
    buttons = [button.text() for button in other.findChildren(QAbstractButton)]
    texts = {text for text in (*labels, *buttons) if text}
    assert texts == {"Traum"}, texts
    tips = {widget.toolTip() for kind in INTERACTIVE for widget in other.findChildren(kind)}
    assert tips <= {"", "Traum", "<p>Traum</p>"}, tips
    yield 0


def check_both_themes():
    """Texts and icons contrast with the background, also after a change of theme."""
    yield from desk.new_document()
    yield from long_dream()
    try:
        for theme, name in (("Krita bright", "light"), ("Krita dark", "dark")):
            choose_theme(theme)
            yield from desk.until(
                lambda name=name: not hidden(name), f"everything is visible in {theme}", 30
            )
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
    """Texts and icons that are too close in lightness to the theme's background."""
    sign = 1 if theme == "light" else -1
    background = panel().palette().color(QPalette.ColorRole.Window).lightness()
    inks = {
        label.text(): label.palette().color(QPalette.ColorRole.WindowText).lightness()
        for label in parts(QLabel)
    }
    for name in ("reroll", "cancel_job"):
        inks[name] = icon_lightness(desk.part(QToolButton, name))
    return {
        what: (ink, background) for what, ink in inks.items() if sign * (background - ink) <= 60
    }


def icon_lightness(button):
    """The mean lightness of an icon's opaque pixels."""
    image = button.icon().pixmap(32, 32).toImage()
    colours = [QColor(image.pixelColor(x, y))
               for x in range(image.width()) for y in range(image.height())]  # fmt: skip
    inked = [colour.lightness() for colour in colours if colour.alpha() > 200]
    assert inked, f"{button.objectName()} has no icon"
    return sum(inked) / len(inked)


def check_sizes_follow_the_font():
    """As on a high-resolution screen, or with a large font."""
    yield from desk.new_document()
    small = panel().font()
    large = panel().font()
    large.setPointSizeF(2 * small.pointSizeF())
    presets, dice = desk.part(QComboBox, "preset"), desk.part(QToolButton, "reroll")
    before = [presets.iconSize().height(), dice.iconSize().height()]
    panel().setFont(large)
    try:
        yield from desk.until(
            lambda: presets.iconSize().height() > 1.6 * before[0], "the icons grow"
        )
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
    yield from desk.until(lambda: presets.iconSize().height() == before[0], "they shrink again")


def check_docker_fits_a_small_screen():
    """With all of its content it needs no more height, and what appears is scrolled to."""
    document = yield from desk.new_document()
    source = document.activeNode()
    yield from desk.dream()
    sliders = desk.part(QWidget, "live")
    yield from desk.until(lambda: not sliders.visibleRegion().isEmpty(), "the sliders are visible")
    yield from desk.activate(document, source)
    look = desk.part(QWidget, "look")
    click("quick_look")
    yield from desk.until(lambda: not look.visibleRegion().isEmpty(), "the look is visible")
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


# Keyboard and mouse


def check_keyboard_reaches_everything():
    """Tab goes from top to bottom; the space bar presses Dream."""
    document = yield from desk.new_document()
    desk.part(QComboBox, "preset").setFocus()
    yield from desk.until(desk.part(QComboBox, "preset").hasFocus, "the presets have the focus")
    wanted = ["preset", "layer", "channels", "octaves", "steps", "seed", "reroll", "strength",
              "colour", "more", "dream"]  # fmt: skip
    reached = ["preset"]
    while reached[-1] != "dream" and len(reached) < 40:
        focus = QApplication.focusWidget()
        case.xdotool("key", "Tab")
        yield from desk.until(
            lambda focus=focus: QApplication.focusWidget() not in (focus, None),
            "the Tab key moves the focus",
        )
        reached.append(QApplication.focusWidget().objectName())
    assert [name for name in reached if name in wanted] == wanted, reached
    heights = [y_of(name) for name in wanted if name != "reroll"]
    assert heights == sorted(heights), (reached, heights)
    desk.part(QLabel, "message").clear()
    case.xdotool("key", "space")
    yield from desk.until(lambda: desk.message().startswith("Dreamed in "), "the dream is done")
    yield 200  # until Krita's list of layers knows the new one
    assert len(document.rootNode().childNodes()) == 2


def y_of(name):
    widget = desk.part(QWidget, name)
    return widget.mapTo(panel(), widget.rect().topLeft()).y()


def check_wheel_changes_only_a_focused_field():
    yield from desk.new_document()
    octaves = desk.part(QSpinBox, "octaves")
    octaves.setValue(3)
    desk.part(QPushButton, "dream").setFocus()
    yield from wheel_over(octaves)
    yield 300
    assert octaves.value() == 3, octaves.value()
    octaves.setFocus()
    yield from desk.until(octaves.hasFocus, "it has the focus")
    yield from wheel_over(octaves)
    yield from desk.until(lambda: octaves.value() == 4, "the wheel changes it")


def wheel_over(widget):
    point = widget.mapToGlobal(widget.rect().center())
    case.xdotool("mousemove", str(point.x()), str(point.y()))
    yield 200
    case.xdotool("click", "4")


def check_button_draws_a_new_seed():
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
    yield from name_is_offered("res.12", "features.12")


def check_kinds_of_things_are_offered():
    yield from name_is_offered("d:DOGS", "kind:dogs")


def name_is_offered(typed, whole):
    """Type a part, then choose from the list with the keyboard."""
    yield from desk.new_document()
    yield from connected()
    layer = desk.part(QLineEdit, "layer")
    yield from desk.until(layer.completer, "the names are known")
    layer.setFocus()
    yield from desk.until(layer.hasFocus, "it has the focus")
    layer.clear()
    case.xdotool("type", typed)
    popup = layer.completer().popup()
    yield from desk.until(popup.isVisible, "a list of names opens")
    case.xdotool("key", "Down", "Return")
    yield from desk.until(lambda: layer.text() == whole, "the name is entered")
    assert not popup.isVisible()


# The document's layers as guide and strength map


def check_strength_map_is_a_layer():
    """A map that is black in the left half: nothing is dreamed there."""
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
    assert bytes(layer.pixelData(*left)) == bytes(source.pixelData(*left)), (
        "it has dreamed where the map is black"
    )
    assert bytes(layer.pixelData(*right)) != bytes(source.pixelData(*right)), "nothing is dreamed"


def check_guide_is_a_layer():
    """Choosing one makes the network layer ask for it; another guide gives another dream."""
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
    """Open a list and choose an entry, as a user does."""
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
    choice = desk.part(QComboBox, "selected_as")
    choice.setCurrentText("A mask")
    choice.activated.emit(choice.currentIndex())
    try:
        desk.trigger()
        yield from desk.finish()
    finally:
        choice.setCurrentText("Transparency")
        choice.activated.emit(choice.currentIndex())
    layer = next(node for node in desk.nodes(document) if node.name().startswith("Dream of"))
    assert [child.type() for child in layer.childNodes()] == ["transparencymask"]


# The queue


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
    texts = [[label.text() for label in row.findChildren(QLabel) if label.isVisible()]
            for row in desk.rows()]  # fmt: skip
    assert ["waiting" in row for row in texts] == [False, True, True], texts
    desk.rows()[1].findChild(QToolButton, "cancel_job").click()
    assert len(desk.rows()) == 2 and "Cancelled" in desk.message(), desk.message()
    assert len(document.rootNode().childNodes()) == 1
    click("cancel")  # the current one
    yield from desk.finish()  # the other
    names = desk.children(document.rootNode())
    assert names == [source.name(), "Dream of Background (features.10, seed 12)"], names
    assert not desk.rows()


def check_progress_tells_octave_step_and_time():
    yield from desk.new_document()
    yield from long_dream()
    pattern = r"Octave \d+ of 4, step \d+ of 500, about .+ left"
    yield from desk.until(
        lambda: re.fullmatch(pattern, desk.status()), "the remaining time is shown"
    )
    bar = desk.rows()[0].findChild(QProgressBar)
    assert bar.isVisible() and bar.maximum() == 100 and bar.value() < 100
    before = desk.status()
    yield from desk.until(lambda: desk.status() != before, "it makes progress")
    click("cancel")
    yield from desk.until(lambda: not desk.busy(), "it is cancelled")


# The connection


def connection():
    return desk.part(QLabel, "connection").whole


def check_button_starts_the_daemon_and_shows_its_log():
    yield from desk.new_document()
    yield from connected()
    os.kill(desk.daemon(), signal.SIGKILL)
    yield from desk.until(lambda: "not connected" in connection(), "the lost daemon is noticed")
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


def check_daemon_that_failed_can_be_started_again():
    """The button shows the daemon's output, and the window can start it again."""
    yield from desk.new_document()
    yield from connected()
    launcher = discovery.home() / discovery.LAUNCHER_FILE
    original = launcher.read_text(encoding="utf-8")
    broken = ["sh", "-c", "echo no torch today; exit 1"]
    launcher.write_text(json.dumps({"command": broken}), encoding="utf-8")
    try:
        os.kill(desk.daemon(), signal.SIGKILL)
        yield from desk.until(lambda: "not connected" in connection(), "the lost daemon is noticed")
        click("mend")
        yield from desk.until(lambda: "not reached" in connection(), "it fails")
    finally:
        launcher.write_text(original, encoding="utf-8")
    assert "no torch today" in desk.message(), desk.message()
    click("mend")
    window = panel().findChild(QDialog, "log_window")
    yield from desk.until(window.isVisible, "the log is shown")
    assert "no torch today" in window.findChild(QPlainTextEdit, "log").toPlainText()
    window.findChild(QPushButton, "log_start").click()
    yield from desk.until(lambda: connection() == "Daemon: connected", "it is started")
    window.close()
