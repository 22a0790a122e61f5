"""The dialog's list of presets: choosing one sets the controls below it."""

from __future__ import annotations

from typing import Any

from dreamlink import presets
from dreamlink.recipe import PARAMETERS, Recipe, RecipeError

OWN = ""  # the entry for settings that are no preset's


class PresetBox:
    """Says which preset the settings are, and makes them another one's."""

    def __init__(self, config: Any) -> None:
        from gi.repository import Gtk

        self._config = config
        self._changing = False
        self._box = Gtk.ComboBoxText()
        self._box.append(OWN, "Settings of your own")
        for preset in presets.PRESETS.values():
            model = preset.recipe().model
            own = model == PARAMETERS["model"].default
            self._box.append(preset.name, preset.title if own else f"{preset.title} ({model})")
        label = Gtk.Label.new_with_mnemonic("_Preset")
        label.set_mnemonic_widget(self._box)
        self._row = Gtk.Box(spacing=12)
        self._row.pack_start(label, False, False, 0)
        self._row.pack_start(self._box, True, True, 0)
        self._show()
        self._box.connect("changed", self._on_chosen)
        config.connect("notify", self._on_set)

    def put_into(self, dialog: Any) -> None:
        """Place the list above all else in the dialog."""
        area = dialog.get_content_area()
        area.pack_start(self._row, False, False, 0)
        area.reorder_child(self._row, 0)
        self._row.set_property("margin", 12)
        self._row.show_all()

    def _on_chosen(self, _box: object) -> None:
        name = self._box.get_active_id()
        if self._changing or not name:
            return
        recipe = presets.find(name).recipe()
        self._changing = True
        for row in PARAMETERS.values():
            if row.name not in presets.KEPT:
                self._config.set_property(row.name.replace("_", "-"), getattr(recipe, row.name))
        self._changing = False
        self._show()

    def _on_set(self, _config: object, _what: object) -> None:
        if not self._changing:
            self._show()

    def _show(self) -> None:
        """Show which preset the settings are."""
        values = {
            name: self._config.get_property(name.replace("_", "-")) or row.kind()
            for name, row in PARAMETERS.items()
        }
        try:
            preset = presets.of(Recipe.of(values))
        except RecipeError:  # half typed
            preset = None
        self._changing = True
        self._box.set_active_id(preset.name if preset else OWN)
        self._box.set_tooltip_text(preset.help if preset else "Choose what to dream.")
        self._changing = False
