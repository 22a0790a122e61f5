"""Inside GIMP, with windows: what the networks see, chosen by eye in a window of the dialog."""

import sys
import time

import case

sys.path.insert(0, case.arguments["scripts"])
from desk import open_photo, run_checks
from gi.repository import Gegl
from screen import (
    DIALOG,
    beside_dialog,
    close_all,
    find,
    type_into,
)

Gegl.init(None)  # else it can't read reduced pixels
QUICK = {"layer": "features.5", "octaves": 2, "steps": 2, "seed": 7}
WINDOW = "^What it sees here$"


def check_a_cat_is_seen():
    image, source = open_photo()

    def act():
        time.sleep(3)
        type_into(DIALOG, "alt+w")
        find(WINDOW)
        time.sleep(8)
        case.screenshot("see")
        type_into(WINDOW, "Escape")
        time.sleep(1)
        type_into(DIALOG, "Escape")

    beside_dialog(act, image, [source], **QUICK)


run_checks(dict(globals()), after_each=close_all)
case.verdict(finished=True)
