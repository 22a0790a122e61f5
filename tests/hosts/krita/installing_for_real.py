"""A plug-in that Krita's importer has put there installs the real thing, and dreams at once."""

import case
import desk
from krita import QLabel, QPushButton, QWidget

INSTALLED_WITHIN = 900  # seconds; without network, from a folder


def run(_document):
    yield 1000
    yield from desk.run_checks(globals())


def check_install_and_the_first_dream():
    yield from desk.new_document()
    desk.trigger()
    desk.part(QPushButton, "install").click()
    yield 300
    desk.part(QPushButton, "install_start").click()
    yield from desk.until(lambda: "Fetching Python" in said(), "a Python is fetched")
    yield from desk.until(lambda: "PyTorch for the processor" in said(), "it says what it fetches")
    case.screenshot("real-installing")
    yield from desk.until(
        lambda: not desk.part(QWidget, "install_box").isVisible(), "it ends", INSTALLED_WITHIN
    )
    assert "is installed" in desk.message(), desk.message()
    yield from desk.until(
        lambda: desk.part(QLabel, "connection").text() == "Daemon: connected", "it connects"
    )
    layer = yield from desk.dream(**desk.QUICK)
    assert layer.name().startswith("Dream"), layer.name()
    case.screenshot("real-dreamed")


def said():
    return desk.part(QWidget, "install_log").toPlainText()
