#!/usr/bin/env python3
"""The plug-in that GIMP runs: registers the filters and passes each call on to dreamlayer_gimp.

At the top it imports only GIMP's own modules and the standard library, so the menu entries exist
even if a part of Dreamlayer is missing; the call then says what to do.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

import gi

# In each call babl would take 0.2 s and 350 MB to measure whether look-up tables of all colours pay
# off, and then up to 256 MB for each table. A call converts few pixels, most of them not at all.
os.environ.setdefault("BABL_LUT", "0")

gi.require_version("Gegl", "0.4")
gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, GLib, GObject  # noqa: E402

DREAM, AGAIN = "plug-in-dreamlayer", "plug-in-dreamlayer-again"
LABELS = {DREAM: "_Deep Dream…", AGAIN: "Dream _Again…"}
HELP = {
    DREAM: (
        "Let a neural network dream on a layer",
        "Amplifies what a layer of a neural network sees in the selected layers, or in their"
        " selected part, and adds each dream as a new layer above its source. The work is done by"
        " the Dreamlayer daemon, which is started if it is not running.",
    ),
    AGAIN: (
        "Dream again with the stored settings of a dream, or with changed ones",
        "Reads the recipe of the selected dream, or of the dream above the selected layer, and"
        " dreams on the same layer and in the same place. The new dream is added above the old"
        " one.",
    ),
}


def run(
    procedure: Any, run_mode: Any, image: Any, drawables: list[Any], config: Any, _data: object
) -> Any:
    """Dream on the drawables; called by GIMP, in a new process for each call."""
    try:
        from dreamlayer_gimp.run import run as action
    except Exception as error:  # whatever file is wrong, the advice is the same
        text = f"Dreamlayer's plug-in is incomplete ({error}). Run Dreamlayer's install.py again."
        failed = Gimp.PDBStatusType.EXECUTION_ERROR
        return procedure.new_return_values(failed, GLib.Error(text))
    return action.run(procedure, run_mode, image, drawables, config)


class Dreamlayer(Gimp.PlugIn):  # type: ignore[misc]  # GIMP's classes have no types
    """The plug-in's interface to GIMP."""

    def do_set_i18n(self, _name: str) -> bool:
        return False  # there are no translations yet

    def do_query_procedures(self) -> list[str]:
        return [DREAM, AGAIN]

    def do_create_procedure(self, name: str) -> Any:
        """Describe a procedure; GIMP calls this at its start and again before each call."""
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, None)
        # Always available: a greyed-out entry doesn't say what is wrong, but run() does.
        procedure.set_image_types("*")
        drawables = Gimp.ProcedureSensitivityMask
        procedure.set_sensitivity_mask(
            drawables.DRAWABLE | drawables.DRAWABLES | drawables.NO_DRAWABLES
        )
        procedure.set_menu_label(LABELS[name])
        procedure.add_menu_path("<Image>/Filters/Artistic")
        procedure.set_documentation(*HELP[name], None)
        procedure.set_attribution("Dreamlayer", "Dreamlayer", "2026")
        with contextlib.suppress(Exception):  # incomplete: run() says so
            from dreamlayer_gimp.call import arguments
            from dreamlayer_gimp.run import repeat

            arguments.add_arguments(procedure, *([repeat.ROWS] if name == AGAIN else []))
        # A list holds no references: GIMP would crash if the image was closed meanwhile.
        procedure.add_layer_return_value(
            "layer",
            "Layer",
            "The new layer, the topmost of several; all of them are the image's selected layers",
            True,
            GObject.ParamFlags.READWRITE,
        )
        return procedure


Gimp.main(Dreamlayer.__gtype__, sys.argv)
