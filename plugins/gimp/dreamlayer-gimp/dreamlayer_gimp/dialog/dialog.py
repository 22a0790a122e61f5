"""The dialog of the filters: presets, controls, and a preview that follows them.

Imported for interactive calls only, because Gtk ends a process that has no display.
"""

from __future__ import annotations

import contextlib
from typing import Any

from gi.repository import GimpUi, GLib, Gtk

from dreamlink.picture import Region

from ..call import arguments, last_map
from ..call.errors import CallRefused
from .completions import EntryCompletions
from .controls import Controls
from .explore_dialog import ExploreDialog
from .installing import install_dialog
from .preset_chooser import PresetChooser
from .preview import DialogPreview
from .seeing_dialog import SeeingDialog

GAP = 12  # pixels


def show(procedure: Any, config: Any, image: Any, drawable: Any, box: Region | None = None) -> bool:
    """Show the dialog with the last values; False if the user cancels.

    Its preview shows the part of `drawable` in `box`, or else its selected part. What is not
    installed can be installed before.

    Raises:
        CallRefused: there is no display, or something is missing that can't be installed from here.
    """
    if not Gtk.init_check(None)[0]:  # GimpUi would end the process
        raise CallRefused(
            "There is no display to show the dialog: call Deep Dream with the run mode"
            " NONINTERACTIVE."
        )
    GimpUi.init("dreamlayer-gimp")
    if not install_dialog.make_sure():
        return False
    arguments.prepare_for_dialog(config)
    config.connect(f"notify::{arguments.FROM_DIALOG}", _on_reset)
    dialog = GimpUi.ProcedureDialog.new(procedure, config, _title(procedure))
    with (
        contextlib.closing(DialogPreview(config, image, drawable, box)) as preview,
        contextlib.closing(SeeingDialog(dialog, config, preview)) as seeing,
        contextlib.closing(ExploreDialog(dialog, config, preview)) as exploring,
    ):
        controls = Controls(dialog, config, preview.fail)
        presets = PresetChooser(config).row
        for button in (seeing.button, exploring.button):
            presets.pack_start(button, False, False, 0)
        column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=GAP)
        for widget in (presets, controls.main()):
            column.pack_start(widget, False, False, 0)
        column.pack_start(controls.more(), True, True, 0)
        EntryCompletions(dialog, config, preview.ask)
        columns = Gtk.Box(spacing=GAP, border_width=GAP)
        columns.pack_start(preview.box, False, False, 0)
        columns.pack_start(column, True, True, 0)
        columns.show_all()
        dialog.get_content_area().pack_start(columns, True, True, 0)
        dialog.get_content_area().reorder_child(columns, 0)
        confirmed: bool = dialog.run()
    last_map.remember(config)  # while the presets' list, which follows the config, is there
    dialog.destroy()
    return confirmed


def _on_reset(config: Any, _property: object) -> None:
    """After GIMP's own Reset, which knows the arguments' defaults only, show the default preset."""
    if not config.get_property(arguments.FROM_DIALOG):
        GLib.idle_add(arguments.prepare_for_dialog, config)  # once all arguments are reset


def _title(procedure: Any) -> str:
    """The filter's name as in the menu."""
    label: str = procedure.get_menu_label()
    return label.replace("_", "").rstrip("…")
