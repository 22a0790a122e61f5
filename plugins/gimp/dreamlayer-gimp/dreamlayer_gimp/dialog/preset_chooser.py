"""The dialog's list of presets: choosing one sets the controls below it."""

from __future__ import annotations

from typing import Any

from gi.repository import GdkPixbuf, GLib, Gtk

from dreamlink.recipe import presets
from dreamlink.recipe.recipe import FORM_PARAMETERS, Recipe, RecipeError

CUSTOM = ""  # the entry for settings that match no preset
COLUMNS = 3  # of the list when it is open
THUMBNAIL_SIDE = 48  # pixels


class PresetChooser:
    """Shows which preset the settings match, and sets them to another preset.

    Attributes:
        row: the widget with its label.
    """

    def __init__(self, config: Any) -> None:
        self._config = config
        self._changing = False
        self._box = Gtk.ComboBox(model=_entries(), id_column=0, wrap_width=COLUMNS)
        picture, title = Gtk.CellRendererPixbuf(), Gtk.CellRendererText(xpad=6)
        self._box.pack_start(picture, False)
        self._box.add_attribute(picture, "pixbuf", 2)
        self._box.pack_start(title, True)
        self._box.add_attribute(title, "text", 1)
        label = Gtk.Label.new_with_mnemonic("_Preset")
        label.set_mnemonic_widget(self._box)
        self.row = Gtk.Box(spacing=12)
        self.row.pack_start(label, False, False, 0)
        self.row.pack_start(self._box, True, True, 0)
        self._show()
        self._box.connect("changed", self._on_chosen)
        config.connect("notify", self._on_config_changed)

    def _on_chosen(self, _box: object) -> None:
        name = self._box.get_active_id()
        if self._changing or not name:
            return
        recipe = presets.find(name).recipe()
        self._changing = True
        for row in FORM_PARAMETERS.values():
            if row.name not in presets.KEPT:
                self._config.set_property(row.name.replace("_", "-"), getattr(recipe, row.name))
        self._changing = False
        self._show()

    def _on_config_changed(self, _config: object, _property: object) -> None:
        if not self._changing:
            self._show()

    def _show(self) -> None:
        """Show which preset the settings match."""
        values = {
            name: self._config.get_property(name.replace("_", "-")) or row.kind()
            for name, row in FORM_PARAMETERS.items()
        }
        try:
            preset = presets.of(Recipe.of(values))
        except RecipeError:  # an entry is half typed
            preset = None
        self._changing = True
        self._box.set_active_id(preset.name if preset else CUSTOM)
        self._box.set_tooltip_text(preset.help if preset else "Choose what to dream.")
        self._changing = False


def _entries() -> Any:
    """Name, title and thumbnail of each preset, after the entry for custom settings."""
    store = Gtk.ListStore(str, str, GdkPixbuf.Pixbuf)
    store.append((CUSTOM, "Custom settings", _blank()))
    for preset in presets.PRESETS.values():
        network = f" ({preset.recipe().model})" if preset.needs_download else ""
        store.append((preset.name, preset.title + network, _thumbnail(preset)))
    return store


def _thumbnail(preset: presets.Preset) -> Any:
    try:
        return GdkPixbuf.Pixbuf.new_from_file_at_size(
            str(preset.thumbnail), THUMBNAIL_SIDE, THUMBNAIL_SIDE
        )
    except GLib.Error:  # the file is missing
        return _blank()


def _blank() -> Any:
    """A transparent picture, so that all titles are aligned."""
    rgb = GdkPixbuf.Colorspace.RGB
    blank = GdkPixbuf.Pixbuf.new(rgb, True, 8, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    blank.fill(0)
    return blank
