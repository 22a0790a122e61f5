"""Explore: nine looks at the layer, from which one goes on by clicking."""

from __future__ import annotations

from typing import Any

from gi.repository import Gdk, Gtk, Pango

from dreamlink.session import map_colours
from dreamlink.session.exploring import nine_cells
from dreamlink.session.exploring.exploration import MIDDLE, Exploration
from dreamlink.session.exploring.explorer import Explorer
from dreamlink.session.seeing import ASKING

from ..call.arguments import argument_name, has_bindings
from ..call.guard import guarded
from .look_grid import LookGrid
from .preview import DialogPreview

GAP = 12  # pixels
TITLE = "Explore"
BACK, FORWARD, SURPRISE, USE = range(1, 5)  # responses
BUTTONS = (
    ("_Back", BACK, nine_cells.BACK_HELP),
    ("_Forward", FORWARD, nine_cells.FORWARD_HELP),
    ("_Surprise me", SURPRISE, nine_cells.SURPRISE_HELP),
    ("_Use this", USE, nine_cells.USE_HELP),
    ("_Close", Gtk.ResponseType.CLOSE, "Close this window"),
)
WAYS = {BACK: Explorer.back, FORWARD: Explorer.forward, SURPRISE: Explorer.surprise}
ALT_KEYS = {Gdk.KEY_Left: BACK, Gdk.KEY_Right: FORWARD}
AROUND = (120, 240)  # pixels beside and above the looks, with the names' gaps and a desktop's bars


class ExploreDialog:
    """A window beside the dialog, which can be used at the same time.

    Three rows of three looks; the middle one is the present choice.

    Attributes:
        button: opens the window and looks.
    """

    def __init__(self, parent: Any, config: Any, preview: DialogPreview) -> None:
        """`preview` asks over its connection, and follows what is chosen."""
        self._parent = parent
        self._config = config
        self._preview = preview
        self._explorer: Explorer | None = None
        self._hints = False  # whether the line is the hint
        self._handler = config.connect("notify::bind", self._on_map_changed)
        self._window: Any = None  # until it is opened
        # As wide as the looks: a long sentence takes more lines.
        self._line = Gtk.Label(wrap=True, max_width_chars=1, xalign=0.0)
        self._line.set_line_wrap_mode(Pango.WrapMode.WORD_CHAR)
        self._grid = LookGrid(self._choose, self._use)
        self.button = Gtk.Button.new_with_mnemonic("E_xplore…")
        self.button.set_tooltip_text(
            "Show nine looks at the layer or selection: these settings and neighbours of them, to"
            " go on from by clicking."
        )
        self.button.connect("clicked", self._on_open)

    def close(self) -> None:
        """Close the window, and stop looking."""
        self._config.disconnect(self._handler)
        self._stop()
        if self._window is not None:
            self._window.destroy()

    def fail(self, text: str) -> None:
        """Show what is wrong."""
        self._say(text)

    @property
    def _walk(self) -> Exploration | None:
        return self._explorer.walk if self._explorer is not None else None

    @guarded
    def _on_open(self, _button: object) -> None:
        if self._window is None:
            self._window = self._make_window()
            self._window.get_content_area().show_all()
        self._stop()
        self._show()
        try:
            self._begin()
        finally:  # also to tell why it can't begin
            self._window.present()
            self._grid.focus_middle()

    def _begin(self) -> None:
        """Begin a walk at the present settings. Raises CallRefused, RecipeError."""
        self._say("")
        explorer = self._preview.explorer(self._show, self._say)
        self._grid.resize(explorer.size, self._room())
        self._explorer = explorer
        self._show()
        self._say(ASKING)
        self._preview.explore(explorer)

    @guarded
    def _on_response(self, _window: object, response: int) -> None:
        if response in WAYS:
            self._go(response)
        elif response == USE:
            self._use()
        else:
            self._leave()

    @guarded
    def _on_key(self, _window: object, event: Any) -> bool:
        held = event.state & Gtk.accelerator_get_default_mod_mask()
        if held == Gdk.ModifierType.MOD1_MASK and event.keyval in ALT_KEYS:
            self._go(ALT_KEYS[event.keyval])
            return True
        return not held and self._grid.press(event.keyval)

    def _go(self, way: int) -> None:
        if self._explorer is not None:
            WAYS[way](self._explorer)
            self._preview.explore(self._explorer)

    @guarded
    def _choose(self, index: int) -> None:
        if self._explorer is not None and index != MIDDLE:
            self._explorer.choose(index)
            self._preview.explore(self._explorer)
            self._grid.focus_middle()

    @guarded
    def _use(self) -> None:
        """The middle becomes what the dialog dreams."""
        explorer = self._explorer
        if explorer is None or explorer.walk is None:
            return
        for name, value in explorer.chosen().items():
            self._config.set_property(argument_name(name), value)
        self._leave()

    def _leave(self) -> None:
        self._stop()
        self._window.hide()

    def _stop(self) -> None:
        explorer, self._explorer = self._explorer, None
        if explorer is not None:
            explorer.cancel()

    @guarded
    def _say(self, text: str) -> None:
        self._hints = not text
        if not text and self._walk is not None:
            text = nine_cells.HINT
            if has_bindings(self._config):
                text = f"{text} {map_colours.DECIDES}"
        self._line.set_text(text)

    @guarded
    def _on_map_changed(self, _config: object, _property: object) -> None:
        """A dream map was chosen or removed meanwhile: the hint says what a choice does."""
        if self._hints:
            self._say("")

    @guarded
    def _show(self) -> None:
        """Show the cells and what can be done."""
        walk = self._walk
        self._grid.show(walk.place.cells if walk is not None else [])
        can = {
            BACK: walk is not None and walk.can_go_back,
            FORWARD: walk is not None and walk.can_go_forward,
            SURPRISE: walk is not None,
            USE: walk is not None,
        }
        for response, possible in can.items():
            self._window.set_response_sensitive(response, possible)

    def _make_window(self) -> Any:
        window = Gtk.Dialog(title=TITLE, transient_for=self._parent, resizable=False)
        window.connect("delete-event", lambda *_: True)  # after the response, which hides it
        window.connect("response", self._on_response)
        window.connect("key-press-event", self._on_key)
        for label, response, text in BUTTONS:
            button = window.add_button(label, response)
            button.set_tooltip_text(text)
            if response in WAYS:  # at the left, as they go on in the window
                button.get_parent().set_child_secondary(button, True)
        content = window.get_content_area()
        content.set_spacing(GAP // 2)
        content.set_border_width(GAP)
        content.pack_start(self._line, False, False, 0)
        content.pack_start(self._grid.widget, True, True, 0)
        return window

    def _room(self) -> tuple[int, int]:
        """Pixels that the looks may take on the dialog's screen."""
        display = Gdk.Display.get_default()
        area = display.get_monitor_at_window(self._parent.get_window()).get_workarea()
        across, down = AROUND
        return area.width - across, area.height - down
