"""A plug-in that Krita's importer has put there installs the rest, and dreams, in one sitting."""

import sys
from pathlib import Path

import case
import desk
from krita import QLabel, QPlainTextEdit, QProgressBar, QPushButton, QWidget

from dreamlink.client import discovery
from dreamlink.recipe import presets

widths = []  # of the docker, before anything is installed


def run(_document):
    yield 1000
    yield from desk.run_checks(globals())


def text():
    return desk.part(QLabel, "install_text").whole


def button(name):
    return desk.part(QPushButton, name)


def lines_needed():
    """The docker's smallest height, in lines of text."""
    panel = desk.docker().widget()
    return panel.minimumSizeHint().height() / panel.fontMetrics().lineSpacing()


def window():
    return desk.part(QWidget, "install_window")


def check_docker_says_what_is_missing_and_offers_to_install():
    yield from desk.new_document()
    desk.trigger()  # which also shows the docker
    yield from desk.until(lambda: "Install…" in desk.message(), "the dream is refused")
    assert "is not installed" in desk.message(), desk.message()
    assert "not installed yet" in text() and "Install…" in text(), text()
    assert button("install").isVisible() and button("install").text() == "Install…"
    assert not button("install_cancel").isVisible()
    assert not button("install_details").isVisible()
    yield 500
    case.screenshot("install-before")
    assert lines_needed() < 24, lines_needed()  # as in docker.py, with nothing installed
    widths.append(desk.docker().width())


def check_first_it_says_what_will_be_fetched():
    yield from desk.new_document()
    button("install").click()
    yield 500
    what = desk.part(QLabel, "install_what")
    assert window().isVisible() and what.isVisible()
    assert "0.4 GB" in what.whole and str(discovery.home()) in what.whole, what.whole
    assert not desk.part(QPlainTextEdit, "install_log").isVisible()
    case.screenshot("install-what")
    desk.part(QPushButton, "install_close").click()
    assert not window().isVisible()
    assert "not installed yet" in text()


def check_failure_is_the_installers_sentence_and_is_tried_again():
    """Without network, as the stand-in has it; then it is cancelled."""
    yield from desk.new_document()
    button("install").click()
    yield 300
    desk.part(QPushButton, "install_start").click()
    yield from desk.until(lambda: "go online, then try again" in text(), "the sentence is shown")
    yield 300
    assert button("install").text() == "Try again" and button("install_details").isVisible()
    log = desk.part(QPlainTextEdit, "install_log")
    assert "0.3 GB to download" in log.toPlainText(), log.toPlainText()
    assert "--offline" in log.toPlainText(), "DREAMLAYER_SETUP_ARGUMENTS is lost"
    case.screenshot("install-failed")
    desk.part(QPushButton, "install_close").click()
    yield 300
    case.screenshot("install-failed-docker")
    button("install").click()
    yield from desk.until(lambda: text().startswith("No graphics card"), "it runs again")
    button("install_cancel").click()
    yield from desk.until(lambda: "was cancelled" in text(), "it is cancelled")
    assert button("install").text() == "Install…"


def check_install_then_dream_without_a_restart():
    (discovery.home() / "offline").unlink()
    yield from desk.new_document()
    button("install").click()
    yield 300
    desk.part(QPushButton, "install_start").click()
    yield from desk.until(lambda: text().startswith("Downloading torch-"), "it downloads")
    assert "(0:0" in text(), text()
    assert button("install_cancel").isVisible() and not button("install").isVisible()
    assert desk.docker().findChildren(QProgressBar)[0].isVisible()
    case.screenshot("install-running")
    desk.part(QPushButton, "install_close").click()
    yield 300
    case.screenshot("install-running-docker")
    assert lines_needed() < 24, lines_needed()
    assert desk.docker().width() == widths[0], "a long name has made the docker wider"
    yield from desk.until(
        lambda: not desk.part(QWidget, "install_box").isVisible(), "the box goes away"
    )
    yield from desk.until(
        lambda: desk.part(QLabel, "connection").text() == "Daemon: connected", "it connects"
    )
    assert "is installed" in desk.message(), desk.message()
    case.screenshot("install-after")
    layer = yield from desk.dream(**desk.QUICK)
    assert layer.name().startswith("Dream"), layer.name()
    case.screenshot("install-dreamed")


def check_plugin_that_was_replaced_under_krita_still_finds_its_files():
    """install.py has put the plug-in there anew; what is imported late comes from the new one."""
    plugin = Path(sys.modules["dreamlayer_krita"].__file__).parent
    assert not (plugin / "setup.zip").exists(), "the stand-in has not replaced the plug-in"
    thumbnail = presets.find("animals").thumbnail
    assert thumbnail.is_file() and plugin in thumbnail.parents, thumbnail
    document = yield from desk.new_document()
    desk.app.action("dreamlayer_film").trigger()
    yield 500
    assert desk.app.activeDocument() == document
