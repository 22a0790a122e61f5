"""The field for the colours of a dream map, with a button that takes them from the map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gi.repository import GimpUi, Gtk

from dreamlink.recipe.recipe import Recipe
from dreamlink.session.map_colours import bound_text, flat_colours

from ..call.arguments import BIND, MAP
from ..call.errors import CallRefused
from ..call.guard import guarded
from ..layers import dream_map

TAKE = "Take colours from the map"


class MapColoursRow:
    """The text of the argument `bind`, and a button below it.

    Attributes:
        row: the widget.
        label: the field's label.
    """

    def __init__(self, dialog: Any, config: Any, say: Callable[[str], None]) -> None:
        """`say` shows a sentence about what is wrong."""
        self._config = config
        self._say = say
        field = dialog.get_widget(BIND, GimpUi.LabelEntry.__gtype__)
        self.label = field.get_label()
        button = Gtk.Button.new_with_label(TAKE)
        button.set_halign(Gtk.Align.END)
        button.set_tooltip_text(
            "Write the flat colours of the dream map into the field, each with something to dream"
            " there, for you to change. What the field says about a colour stays."
        )
        button.connect("clicked", self._on_clicked)
        self.row = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self.row.pack_start(field, False, False, 0)
        self.row.pack_start(button, False, False, 0)
        self.row.show_all()

    def fail(self, text: str) -> None:
        """Show what is wrong; the field stays as it is."""
        self._say(text)

    @guarded
    def _on_clicked(self, _button: object) -> None:
        layer = self._config.get_property(MAP)
        if layer is None:
            raise CallRefused("Choose the layer with the colours as the dream map first.")
        colours = flat_colours(dream_map.sample(layer))
        if not colours:
            raise CallRefused(
                f"There are no flat colours on “{layer.get_name()}”: paint areas with a hard brush"
                " or fill them, each with a colour of its own."
            )
        model, named, channels = (
            (self._config.get_property(name) or "").strip()
            for name in ("model", "layer", "channels")
        )
        recipe = Recipe(model=model, layer=named, channels=channels)
        text = bound_text(self._config.get_property(BIND) or "", colours, recipe)
        self._config.set_property(BIND, text)
