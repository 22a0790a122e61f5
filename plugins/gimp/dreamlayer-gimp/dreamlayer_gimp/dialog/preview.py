"""The dialog's preview: a part of the layer, dreamed on as the controls say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gi.repository import GdkPixbuf, Gegl, GLib, Gtk, Pango

from dreamlink.picture import Picture, Region
from dreamlink.recipe.recipe import Recipe, RecipeError
from dreamlink.session.look_size import LOOK_SEED
from dreamlink.session.quick_looks import live_parameters
from dreamlink.wire.messages import Frame

from ..call import arguments
from ..call.arguments import SHOW_PREVIEW
from ..call.errors import Refused
from ..call.guard import guarded
from ..call.options import Options
from .look_connection import LookConnection
from .preview_area import MIDDLE, SIDE, View

PATIENCE = 250  # milliseconds without a change before a new look is dreamed
CHECK, DARK, LIGHT = 8, 0x666666, 0x999999  # what is seen through transparent pixels
WORDS = 3  # lines of text below the picture
HINT = "Press to see the layer as it is."
DRAG = " Drag to look at another part."


class Preview:
    """Follows the settings: dreams when they rest, and at once blends what needs no dream.

    Attributes:
        box: the widget.
    """

    def __init__(self, config: Any, image: Any, drawable: Any, box: Region | None) -> None:
        self._config = config
        self._of = image, drawable, box
        self._at = MIDDLE
        self._view: View | None = None
        self._dreamed: tuple[Recipe, Options] | None = None  # what the newest look is of
        self._timer = 0
        self._grip: tuple[float, float] | None = None  # where the mouse was pressed
        self._looks = LookConnection(self._show)
        self._picture = Gtk.Image()
        self._words = Gtk.Label(wrap=True, max_width_chars=1, xalign=0.0, yalign=0.0)
        self.box = self._arrange()
        self._handler = config.connect("notify", self._on_set)
        self._start()

    def close(self) -> None:
        """Stop following and dreaming."""
        self._config.disconnect(self._handler)
        self._forget_timer()
        self._looks.close()

    def fail(self, text: str) -> None:
        """Say what is wrong instead of dreaming."""
        self._looks.cancel()
        self._dreamed = None
        self._say(text)

    def _arrange(self) -> Any:
        touched = Gtk.EventBox(width_request=SIDE, height_request=SIDE)
        touched.add(self._picture)
        touched.connect("button-press-event", self._on_press)
        touched.connect("motion-notify-event", self._on_move)
        touched.connect("button-release-event", self._on_release)
        self._touched = touched
        toggle = Gtk.CheckButton.new_with_mnemonic("Pre_view")
        toggle.set_active(self._config.get_property(SHOW_PREVIEW))
        toggle.connect("toggled", self._on_toggled)
        lines = self._words.create_pango_layout("\n" * (WORDS - 1))
        self._words.set_size_request(-1, lines.get_pixel_size().height)
        self._words.set_ellipsize(Pango.EllipsizeMode.END)
        self._words.set_lines(WORDS)
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        frame = Gtk.Frame(shadow_type=Gtk.ShadowType.IN)
        frame.add(touched)
        for widget in (frame, toggle, self._words):
            box.pack_start(widget, False, False, 0)
        return box

    # What the user does

    @guarded
    def _on_set(self, _config: object, what: Any) -> None:
        if what.name == SHOW_PREVIEW or not self._config.get_property(SHOW_PREVIEW):
            return
        if not self._blended():
            self._looks.cancel()
            self._soon()

    def _on_toggled(self, toggle: Any) -> None:
        self._config.set_property(SHOW_PREVIEW, toggle.get_active())
        self._looks.cancel()
        self._dreamed = None
        self._start()

    @guarded
    def _on_press(self, _widget: object, event: Any) -> None:
        if self._view is not None:
            self._grip = event.x, event.y
            self._draw(*self._view.source())

    @guarded
    def _on_move(self, _widget: object, event: Any) -> None:
        if self._grip is None or self._view is None:
            return
        moved = event.x - self._grip[0], event.y - self._grip[1]
        self._grip = event.x, event.y
        at = [
            min(1.0, max(0.0, place - step / room)) if room else place
            for place, step, room in zip(self._at, moved, self._view.movable, strict=True)
        ]
        if (at[0], at[1]) != self._at:
            self._at = at[0], at[1]
            self._view = self._look_at(self._settings()[0])
            self._dreamed = None
            self._draw(*self._view.source())

    @guarded
    def _on_release(self, _widget: object, _event: object) -> None:
        self._grip = None
        if self._dreamed is None:
            self._start()
        else:
            self._show()

    # What is dreamed

    def _settings(self) -> tuple[Recipe, Options]:
        """What decides about the look. Raises RecipeError, Refused."""
        options = arguments.options(self._config)
        helpers = Options(guide=options.guide, strength=options.strength)
        recipe = arguments.recipe(self._config)
        return replace(recipe, seed=recipe.seed or LOOK_SEED), helpers

    def _blended(self) -> bool:
        """Whether the newest look needs no new dream, or is already being blended anew."""
        try:
            recipe, options = self._settings()
        except (RecipeError, Refused):  # half typed, perhaps
            return False
        if self._view is None or self._dreamed is None or self._dreamed[1] != options:
            return False
        before = self._dreamed[0]
        if before == recipe:
            return True
        if replace(before, **live_parameters(recipe)) != recipe:
            return False
        self._dreamed = recipe, options
        return self._looks.blend(self._view.recipe(recipe))

    def _soon(self) -> None:
        self._forget_timer()
        self._timer = GLib.timeout_add(PATIENCE, self._on_rest)

    def _forget_timer(self) -> None:
        if self._timer:
            GLib.source_remove(self._timer)
        self._timer = 0

    def _on_rest(self) -> bool:
        self._timer = 0
        self._start()
        return False

    @guarded
    def _start(self) -> None:
        """Show the part of the layer, and let it dream if that is wanted."""
        recipe, options = self._settings()
        self._view = self._look_at(recipe)
        self._touched.set_tooltip_text(HINT + (DRAG if any(self._view.movable) else ""))
        if not self._config.get_property(SHOW_PREVIEW):
            self._draw(*self._view.source())
            self._say(self._manner())
            return
        if self._looks.picture is None:
            self._draw(*self._view.source())
        self._dreamed = recipe, options
        self._looks.dream(*self._view.request(recipe, options))

    def _look_at(self, recipe: Recipe) -> View:
        return View.of(*self._of, recipe, self._at)

    # What is shown

    def _show(self) -> None:
        """The newest look, or what there is to say."""
        if self._grip is None and self._looks.picture is not None and self._dreamed is not None:
            self._draw(*self._looks.picture)
        self._say(self._looks.text or self._manner())

    def _say(self, text: str) -> None:
        self._words.set_text(text)
        self._words.set_tooltip_text(text)  # it may be longer than its place

    def _manner(self) -> str:
        """How what is seen differs from what the layer will be."""
        if self._view is None:
            return ""
        words = []
        if any(self._view.movable):
            words.append("A part of it: drag to see others.")
        if self._view.reduced > 1.05:
            words.append(f"{self._view.reduced:.1f} times smaller than the dream.")
        return " ".join(words)

    def _draw(self, layout: Picture, pixels: Frame) -> None:
        self._picture.set_from_pixbuf(pixbuf(layout, bytes(pixels)))


def pixbuf(layout: Picture, pixels: bytes) -> Any:
    """A picture for the screen, on a chequered ground; U8 in any of the link's orders."""
    width, height, order = layout.width, layout.height, layout.order
    if order == "GA":
        buffer = Gegl.Buffer.new("Y'A u8", 0, 0, width, height)
        area = Gegl.Rectangle.new(0, 0, width, height)
        buffer.set(area, "Y'A u8", pixels)
        pixels, order = buffer.get(area, 1.0, "R'G'B'A u8", Gegl.AbyssPolicy.NONE), "RGBA"
    alpha = order == "RGBA"
    made = GdkPixbuf.Pixbuf.new_from_bytes(
        GLib.Bytes.new(pixels),
        GdkPixbuf.Colorspace.RGB,
        alpha,
        8,
        width,
        height,
        width * (4 if alpha else 3),
    )
    if not alpha:
        return made
    nearest = GdkPixbuf.InterpType.NEAREST
    return made.composite_color_simple(width, height, nearest, 255, CHECK, LIGHT, DARK)
