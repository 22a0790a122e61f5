"""Nine buttons, each a look with its name below; the arrow keys go from one to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gi.repository import Gdk, GdkPixbuf, Gtk, Pango

from dreamlink.session.exploring.exploration import MIDDLE, Cell
from dreamlink.session.exploring.nine_cells import (
    CELL_SIDE,
    CELLS,
    COLUMNS,
    LOOK_HELP,
    NOT_HERE,
    beside,
    details,
)

from .pixbufs import pixbuf, thumbnail

NARROWEST = CELL_SIDE * 2 // 3  # pixels that a name has, also below an upright picture
NO_LOOK = 0x80808040
STEPS = {
    Gdk.KEY_Left: (-1, 0), Gdk.KEY_Right: (1, 0), Gdk.KEY_Up: (0, -1), Gdk.KEY_Down: (0, 1),
}  # fmt: skip
RETURNS = (Gdk.KEY_Return, Gdk.KEY_KP_Enter)
# The middle, and the look under the mouse or with the focus, have a frame around the picture.
STYLE = b"""
button.look { padding: 2px; border: none; background: none; box-shadow: none; outline: none; }
button.look image { border: 3px solid transparent; }
button.look.middle image { border-color: @theme_fg_color; }
button.look:hover image, button.look:focus image { border-color: @theme_selected_bg_color; }
"""


class LookGrid:
    """Shows the cells of a walk; the one in the middle has a frame.

    Attributes:
        widget: the grid.
    """

    def __init__(self, chosen: Callable[[int], None], used: Callable[[], None]) -> None:
        """`chosen` gets the number of a cell that is clicked.

        `used` is called at a double click, whose first click has made the cell the middle, and at
        Return in the middle.
        """
        self._chosen = chosen
        self._used = used
        self._size = CELL_SIDE, NARROWEST
        self._style = Gtk.CssProvider()
        self._style.load_from_data(STYLE)
        self._pictures: list[Any] = []
        self._names: list[Any] = []
        self.widget = Gtk.Grid(column_homogeneous=True, row_homogeneous=True)
        self._buttons = [self._button(index) for index in range(CELLS)]
        for index, button in enumerate(self._buttons):
            row, column = divmod(index, COLUMNS)
            self.widget.attach(button, column, row, 1, 1)

    def resize(self, size: tuple[int, int], room: tuple[int, int]) -> None:
        """Give the pictures the proportions of a look; the whole grid fits into `room` pixels.

        `size` is a look's width and height.
        """
        width, height = size
        name = self._names[MIDDLE].create_pango_layout("M").get_pixel_size().height
        across, down = (length // COLUMNS for length in room)
        scale = min(CELL_SIDE / max(size), across / width, (down - name) / height)
        self._size = max(1, round(width * scale)), max(1, round(height * scale))
        for button in self._buttons:
            button.set_size_request(max(NARROWEST, self._size[0]), -1)

    def show(self, cells: list[Cell]) -> None:
        """Show cells; none before there is a walk."""
        for index, button in enumerate(self._buttons):
            cell = cells[index] if cells else None
            text = "" if cell is None else cell.name
            text = NOT_HERE.format(text) if cell is not None and cell.text else text
            self._names[index].set_text(text)
            button.set_tooltip_text((details(cell) if cell is not None else "") or LOOK_HELP)
            button.get_accessible().set_name(text or LOOK_HELP)
            button.set_sensitive(cell is None or not cell.text)
            self._pictures[index].set_from_pixbuf(self._picture(cell))

    def focus_middle(self) -> None:
        self._buttons[MIDDLE].grab_focus()

    def press(self, key: int) -> bool:
        """Move by an arrow key, or go on by Return; False if the key is for something else."""
        focused = [index for index, button in enumerate(self._buttons) if button.is_focus()]
        if not focused:
            return False
        if key in STEPS:
            self._buttons[beside(focused[0], *STEPS[key])].grab_focus()
        elif key not in RETURNS:
            return False
        elif focused[0] == MIDDLE:
            self._used()
        else:
            self._chosen(focused[0])
        return True

    def _picture(self, cell: Cell | None) -> Any:
        if cell is not None and cell.picture is not None:
            layout, pixels = cell.picture
            return thumbnail(pixbuf(layout, bytes(pixels)), max(self._size))
        rgb = GdkPixbuf.Colorspace.RGB
        made = GdkPixbuf.Pixbuf.new(rgb, True, 8, *self._size)
        made.fill(NO_LOOK)
        return made

    def _button(self, index: int) -> Any:
        picture = Gtk.Image(halign=Gtk.Align.CENTER, valign=Gtk.Align.CENTER)
        # As wide as there is room: a long name must not widen its column.
        name = Gtk.Label(ellipsize=Pango.EllipsizeMode.END, width_chars=1, max_width_chars=1)
        name.set_hexpand(True)
        column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=2)
        column.pack_start(picture, True, True, 0)
        column.pack_start(name, False, False, 0)
        button = Gtk.Button(relief=Gtk.ReliefStyle.NONE)
        button.add(column)
        for widget in (button, picture):
            priority = Gtk.STYLE_PROVIDER_PRIORITY_APPLICATION
            widget.get_style_context().add_provider(self._style, priority)
        button.get_style_context().add_class("look")
        if index == MIDDLE:
            button.get_style_context().add_class("middle")
        button.connect("clicked", lambda _button: self._chosen(index))
        button.connect("button-press-event", self._on_press)
        self._pictures.append(picture)
        self._names.append(name)
        return button

    def _on_press(self, _button: object, event: Any) -> bool:
        if event.type != Gdk.EventType.DOUBLE_BUTTON_PRESS:
            return False
        self._used()
        return True
