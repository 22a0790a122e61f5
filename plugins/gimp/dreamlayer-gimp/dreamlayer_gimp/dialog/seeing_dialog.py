"""What the networks see in the layer: things, channels and layers, to be chosen by eye."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gi.repository import Gdk, Gtk, Pango

from dreamlink.session import map_colours, seen_list
from dreamlink.session.mixing import CannotMix
from dreamlink.session.seeing import Seeing
from dreamlink.session.seen_list import COLUMNS, LINES, SIDE
from dreamlink.wire.seeing import Seen, SeenRow

from ..call.arguments import has_bindings
from ..call.guard import guarded
from .mix_weights import MixWeightFields
from .preview import DialogPreview
from .seen_grid import SeenGrid

GAP = 12  # pixels
AGAIN = 1  # the response of the button "Look again"


class SeeingDialog:
    """A window beside the dialog, which can be used at the same time.

    A click on a picture makes its row what is dreamed; several that are chosen are mixed, each with
    a weight.

    Attributes:
        button: opens the window and looks.
    """

    def __init__(self, parent: Any, config: Any, preview: DialogPreview) -> None:
        """`preview` asks over its connection, and follows what is chosen."""
        self._parent = parent
        self._config = config
        self._preview = preview
        self._question: Seeing | None = None
        self._window: Any = None  # until it is opened
        self._choosing = False
        self._line = Gtk.Label(wrap=True, max_width_chars=1, xalign=0.0, hexpand=True)
        self._note = Gtk.Label(xalign=0.0, ellipsize=Pango.EllipsizeMode.END)
        self._filter = Gtk.ComboBoxText(tooltip_text=seen_list.FILTER_HELP)
        for label, which in seen_list.FILTERS:
            self._filter.append(which, label)
        self._filter.set_active(0)
        self._filter.connect("changed", self._on_filter)
        self._weights = MixWeightFields(self._choose)
        self._grid = SeenGrid(self._on_selected)
        self.button = Gtk.Button.new_with_mnemonic("_What it sees…")
        self.button.set_tooltip_text(
            "List the things, channels and layers that answer to the layer or selection, to choose"
            " by eye what to dream."
        )
        self.button.connect("clicked", self._on_open)
        self._handlers = [
            config.connect("notify::layer", self._on_layer_changed),
            config.connect("notify::bind", self._on_map_changed),
        ]

    def close(self) -> None:
        """Close the window, and stop looking."""
        for handler in self._handlers:
            self._config.disconnect(handler)
        self._stop()
        if self._window is not None:
            self._window.destroy()

    def fail(self, text: str) -> None:
        """Show what is wrong instead of a list."""
        self._line.set_text(text)

    @guarded
    def _on_open(self, _button: object) -> None:
        if self._window is None:
            self._window = self._make_window()
            self._window.show_all()
            self._place()
        self._window.present()
        self._see()

    @guarded
    def _on_response(self, _window: object, response: int) -> None:
        if response == AGAIN:
            self._see()
        else:
            self._stop()
            self._window.hide()

    @guarded
    def _on_filter(self, _box: object) -> None:
        self._fill()

    @guarded
    def _on_layer_changed(self, _config: object, _property: object) -> None:
        """When something else is dreamed, e.g. of a preset, none of the pictures is chosen."""
        if not self._choosing:
            self._note.set_text("")
            self._grid.choose_none()

    def _see(self) -> None:
        """Look at the selection, or at the whole layer. Raises CallRefused."""
        self._stop()
        self._note.set_text("")
        self._fill()
        self._question = self._preview.see(self._changed)
        self._line.set_text(self._question.text)

    def _stop(self) -> None:
        question, self._question = self._question, None
        if question is not None:
            question.cancel()

    @guarded
    def _changed(self) -> None:
        question = self._question
        if question is None:  # this one was stopped
            return
        self._line.set_text(question.text)
        if question.seen is None:
            return
        self._fill()
        self._tell(question.seen)

    def _tell(self, seen: Seen) -> None:
        """Say what the layer is most like, and what a choice does."""
        classes = seen_list.classes(seen)
        most_like = [seen_list.MOST_LIKE.format(classes)] if classes else []
        help_text = map_colours.DECIDES if has_bindings(self._config) else seen_list.HELP
        text = "\n".join([*most_like, help_text])
        self._line.set_text(seen_list.NONE if self._grid.empty else text)

    @guarded
    def _on_map_changed(self, _config: object, _property: object) -> None:
        """A dream map was chosen or removed meanwhile: then a choice does something else."""
        if self._question is not None and self._question.seen is not None:
            self._tell(self._question.seen)
        if self._note.get_text() and self._weights.parts:
            self._tell_choice()

    def _fill(self) -> None:
        self._grid.show(self._question, self._filter.get_active_id())

    @guarded
    def _on_selected(self, rows: Sequence[SeenRow]) -> None:
        self._weights.offer(rows)
        self._choose()

    @guarded
    def _choose(self) -> None:
        parts = self._weights.parts
        if not parts:
            return
        try:
            values = seen_list.chosen(parts)
        except CannotMix as error:
            self._note.set_text(str(error))
            return
        self._choosing = True
        for name, value in values.items():
            self._config.set_property(name, value)
        self._choosing = False
        self._tell_choice()

    def _tell_choice(self) -> None:
        text = map_colours.OVERRULED if has_bindings(self._config) else seen_list.CHOSEN
        self._note.set_text(text.format(seen_list.names(self._weights.parts)))

    def _make_window(self) -> Any:
        window = Gtk.Dialog(title=seen_list.TITLE, transient_for=self._parent)
        window.set_default_size(COLUMNS * (SIDE + 2 * GAP) + 3 * GAP, (LINES + 2) * SIDE)
        window.connect("delete-event", lambda *_: True)  # after the response, which hides it
        window.connect("response", self._on_response)
        window.add_button("_Look again", AGAIN).set_tooltip_text("Look at the layer as it is now")
        window.add_button("_Close", Gtk.ResponseType.CLOSE)
        label = Gtk.Label.new_with_mnemonic("_Show")
        label.set_mnemonic_widget(self._filter)
        top = Gtk.Box(spacing=GAP)
        top.pack_start(self._line, True, True, 0)
        for widget in (label, self._filter):
            widget.set_valign(Gtk.Align.CENTER)
            top.pack_start(widget, False, False, 0)
        content = window.get_content_area()
        content.set_spacing(GAP // 2)
        content.set_border_width(GAP)
        content.pack_start(top, False, False, 0)
        content.pack_start(self._grid.widget, True, True, 0)
        content.pack_start(self._weights.widget, False, False, 0)
        content.pack_start(self._note, False, False, 0)
        return window

    def _place(self) -> None:
        """Leave the preview at the dialog's left side free, where the desktop lets windows move."""
        area = Gdk.Display.get_default().get_monitor_at_window(self._parent.get_window())
        screen, (_, top) = area.get_workarea(), self._parent.get_position()
        width, height = self._window.get_size()
        right, bottom = screen.x + screen.width, screen.y + screen.height
        self._window.move(
            max(screen.x, right - width - GAP), max(screen.y, min(top, bottom - height))
        )
