"""A grid of pictures, each dark where a thing, channel or layer does not answer.

In the corner of each is what its row answers to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gi.repository import Gtk, Pango

from dreamlink.session import seen_list
from dreamlink.session.seeing import Seeing
from dreamlink.session.seen_list import COLUMNS, SIDE
from dreamlink.wire.seeing import Seen, SeenRow

from .pixbufs import pixbuf, shaded, thumbnail, with_inset

GAP = 12  # pixels between two pictures
NAME_LENGTH = 18  # characters of a line below a picture


class SeenGrid:
    """Shows the rows of an answer, the strongest first.

    Attributes:
        widget: what scrolls.
        empty: whether nothing is shown.
    """

    def __init__(self, chosen: Callable[[Sequence[SeenRow]], None]) -> None:
        """`chosen` gets the rows that are chosen, after each change; none if no row is."""
        self._chosen = chosen
        self._rows: list[SeenRow] = []
        self._flow = Gtk.FlowBox(
            homogeneous=True,
            selection_mode=Gtk.SelectionMode.MULTIPLE,
            max_children_per_line=2 * COLUMNS,
            row_spacing=GAP // 2,
            column_spacing=GAP // 2,
            border_width=GAP // 2,
            valign=Gtk.Align.START,
        )
        self._flow.connect("selected-children-changed", self._on_selected)
        self._flow.get_accessible().set_name("What the networks see, strongest first")
        self.widget = Gtk.ScrolledWindow(
            hscrollbar_policy=Gtk.PolicyType.NEVER, shadow_type=Gtk.ShadowType.IN
        )
        self.widget.add(self._flow)

    @property
    def empty(self) -> bool:
        return not self._rows

    def show(self, question: Seeing | None, which: str) -> None:
        """Show one of the lists of an answer, or all of them; nothing before there is one."""
        self._flow.unselect_all()  # else each that goes would change what is chosen
        for child in self._flow.get_children():
            child.destroy()
        seen = question.seen if question is not None else None
        self._rows = seen_list.rows(seen, which)
        if question is None or seen is None:
            return
        layout, pixels = question.picture
        small = thumbnail(pixbuf(layout, bytes(pixels)), SIDE)
        for row in self._rows:
            self._flow.add(_entry(row, picture_of(row, small, seen)))
        self._flow.show_all()
        self.widget.get_vadjustment().set_value(0)

    def choose_none(self) -> None:
        """Mark no picture as the chosen one."""
        self._flow.unselect_all()

    def _on_selected(self, flow: Any) -> None:
        chosen = sorted(child.get_index() for child in flow.get_selected_children())
        self._chosen([self._rows[index] for index in chosen])


def picture_of(row: SeenRow, small: Any, seen: Seen) -> Any:
    """The picture `small`, dark where the row does not answer, and what it answers to."""
    dark = shaded(small, seen_list.shade(row.heat), seen.heat_size)
    return with_inset(dark, row.thumbnail, seen.thumbnail_side) if row.thumbnail else dark


def _entry(row: SeenRow, picture: Any) -> Any:
    """A picture with its name below."""
    name = Gtk.Label(
        label=seen_list.short_name(row),
        justify=Gtk.Justification.CENTER,
        ellipsize=Pango.EllipsizeMode.MIDDLE,
        max_width_chars=NAME_LENGTH,
    )
    entry = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=2, margin=GAP // 4)
    entry.pack_start(Gtk.Image.new_from_pixbuf(picture), False, False, 0)
    entry.pack_start(name, False, False, 0)
    entry.set_tooltip_text(seen_list.details(row))
    return entry
