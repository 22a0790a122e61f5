"""Inside GIMP with its windows: a plug-in that was unpacked from its zip installs the rest."""

import sys
import time
from pathlib import Path

import case

sys.path.insert(0, case.arguments["scripts"])
from desk import CANCEL, FAST, PLUGIN, SUCCESS, deep_dream, photo_part, run_checks, snapshot
from screen import (
    DIALOG,
    beside_dialog,
    close_all,
    find,
    show,
    titles,
    type_into,
    until,
)

from dreamlink.client import discovery
from dreamlink.client.setup import output

WINDOW = "^Install Dreamlayer"


def said():
    """What the stand-in for the installer said."""
    path = discovery.home() / output.NAME
    return path.read_text(encoding="utf-8") if path.exists() else ""


def picture(name):
    time.sleep(0.7)
    case.screenshot(name)


def call(act):
    """Call Deep Dream as a user does; `act` works its windows. Also whether the image changed."""
    image, source = photo_part()
    show(image)
    image.clean_all()
    before = snapshot(image)
    answer = beside_dialog(act, image, [source], (WINDOW, DIALOG), **FAST)
    return answer, snapshot(image) != before


def check_it_says_what_is_missing_and_can_be_left():
    def act():
        picture("install-what")
        type_into(WINDOW, "Escape")

    answer, changed = call(act)
    assert answer.status == CANCEL, answer
    assert not changed and not said(), "something was begun without a click"
    assert not (discovery.home() / "dreamlayer-setup").exists()


def check_scripts_get_a_sentence():
    image, source = photo_part()
    answer = deep_dream(image, [source], **FAST)
    assert "not installed" in answer.text and "Install…" in answer.text, answer


def check_failure_can_be_tried_again_and_cancelled():
    """Without network, as the stand-in has it."""

    def act():
        type_into(WINDOW, "alt+i")
        until(lambda: "go online" in said(), "the installer fails")
        assert "--offline" in said(), "DREAMLAYER_SETUP_ARGUMENTS is lost"
        picture("install-failed")
        type_into(WINDOW, "alt+d")  # the details
        picture("install-details")
        type_into(WINDOW, "alt+t")
        until(lambda: "0.3 GB" in said() and "go online" not in said(), "it runs again")
        type_into(WINDOW, "Escape")  # cancels
        picture("install-cancelled")
        assert titles(WINDOW), "the window is gone before it was closed"
        type_into(WINDOW, "Escape")

    answer, changed = call(act)
    assert answer.status == CANCEL, answer
    assert not changed


def check_install_then_dream_in_the_same_call():
    (discovery.home() / "offline").unlink()

    def act():
        type_into(WINDOW, "alt+i")
        until(lambda: "Downloading" in said(), "it downloads")
        case.screenshot("install-running")
        find(DIALOG)
        assert not titles(WINDOW)
        picture("install-after")
        type_into(DIALOG, "Return")

    answer, changed = call(act)
    assert answer.status == SUCCESS, answer
    assert changed and answer.layer.get_name().startswith("Dream"), answer.layer.get_name()
    assert not (PLUGIN / "setup.zip").exists(), "the stand-in has not replaced the plug-in"
    assert Path(discovery.home(), discovery.LAUNCHER_FILE).exists()


run_checks(dict(globals()), after_each=close_all)
case.verdict(finished=True)
