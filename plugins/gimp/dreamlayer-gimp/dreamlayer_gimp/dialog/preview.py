"""The dialog's preview: a dream on a part of the layer, with the settings of the controls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gi.repository import GLib, Gtk, Pango

from dreamlink.picture import Picture, Region
from dreamlink.recipe.recipe import Recipe, RecipeError
from dreamlink.session.exploring.explorer import Explorer
from dreamlink.session.exploring.nine_cells import LOOK_SIDE, WHOLE
from dreamlink.session.look_size import LOOK_SEED
from dreamlink.session.quick_looks import live_parameters
from dreamlink.session.seeing import Seeing
from dreamlink.wire.messages import Frame, Header

from ..call import arguments
from ..call.arguments import SHOW_PREVIEW
from ..call.errors import CallRefused
from ..call.guard import guarded
from ..call.options import CallOptions
from ..layers.look import LayerLook
from .look_connection import LookConnection
from .pixbufs import pixbuf
from .preview_area import CENTRE, SIDE, PreviewArea, check_still_there

SETTLE_TIME = 250  # milliseconds without a change before a new look is asked for
CAPTION_LINES = 3  # below the picture
HINT = "Press to see the layer without the dream."
DRAG = " Drag to see another part."


class DialogPreview:
    """Follows the settings: blends at once if possible, else dreams when they stop changing.

    Attributes:
        box: the widget.
    """

    def __init__(self, config: Any, image: Any, drawable: Any, box: Region | None) -> None:
        self._config = config
        self._target = image, drawable, box
        self._look: LayerLook | None = None  # as it was when the newest dream began
        self._position = CENTRE
        self._area: PreviewArea | None = None
        self._dreamed: tuple[Recipe, CallOptions] | None = None  # what the newest look shows
        self._timer = 0
        self._drag_position: tuple[float, float] | None = None  # the pointer's last position
        self._looks = LookConnection(self._show)
        self._picture = Gtk.Image()
        self._caption = Gtk.Label(wrap=True, max_width_chars=1, xalign=0.0, yalign=0.0)
        self.box = self._arrange()
        self._handler = config.connect("notify", self._on_config_changed)
        self._start()

    def close(self) -> None:
        """Stop following and dreaming."""
        self._config.disconnect(self._handler)
        self._stop_timer()
        self._looks.close()

    def ask(self, request: Header, answered: Callable[[Header], None]) -> None:
        """Ask the daemon over the preview's connection, as `LookConnection.ask` says."""
        self._looks.ask(request, answered)

    def see(self, changed: Callable[[], None]) -> Seeing:
        """Ask over the preview's connection what the networks see in all of the area to dream in.

        `changed` is called with each change of what is returned. Raises CallRefused.
        """
        question = self._whole_area(SIDE).question(changed)
        self._looks.follow("see", question)
        return question

    def explorer(self, changed: Callable[[], None], say: Callable[[str], None]) -> Explorer:
        """A walk from the present settings in all of the area to dream in; nothing is asked yet.

        Raises RecipeError, CallRefused.
        """
        recipe = arguments.read_recipe(self._config)
        seen = self._whole_area(SIDE)
        small = self._whole_area(LOOK_SIDE, seen.look)
        sources = seen.seen_source(), small.look_source()
        return Explorer(*sources, small.reduced, recipe, changed, say)

    def explore(self, explorer: Explorer) -> None:
        """Ask over the preview's connection what the walk wants to know."""
        self._looks.follow("explore", explorer)

    def fail(self, text: str) -> None:
        """Show what is wrong instead of a dream."""
        self._looks.cancel()
        self._dreamed = None
        self._set_caption(text)

    def _arrange(self) -> Any:
        event_box = Gtk.EventBox(width_request=SIDE, height_request=SIDE)
        event_box.add(self._picture)
        event_box.connect("button-press-event", self._on_press)
        event_box.connect("motion-notify-event", self._on_move)
        event_box.connect("button-release-event", self._on_release)
        self._event_box = event_box
        toggle = Gtk.CheckButton.new_with_mnemonic("Pre_view")
        toggle.set_active(self._config.get_property(SHOW_PREVIEW))
        toggle.connect("toggled", self._on_toggled)
        lines = self._caption.create_pango_layout("\n" * (CAPTION_LINES - 1))
        self._caption.set_size_request(-1, lines.get_pixel_size().height)
        self._caption.set_ellipsize(Pango.EllipsizeMode.END)
        self._caption.set_lines(CAPTION_LINES)
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        frame = Gtk.Frame(shadow_type=Gtk.ShadowType.IN)
        frame.add(event_box)
        for widget in (frame, toggle, self._caption):
            box.pack_start(widget, False, False, 0)
        return box

    # Input

    @guarded
    def _on_config_changed(self, _config: object, what: Any) -> None:
        if what.name == SHOW_PREVIEW or not self._config.get_property(SHOW_PREVIEW):
            return
        if not self._blend_if_possible():
            self._looks.cancel()
            self._schedule()

    def _on_toggled(self, toggle: Any) -> None:
        self._config.set_property(SHOW_PREVIEW, toggle.get_active())
        self._looks.cancel()
        self._dreamed = None
        self._start()

    @guarded
    def _on_press(self, _widget: object, event: Any) -> None:
        if self._area is not None:
            self._drag_position = event.x, event.y
            self._draw(*self._area.source())

    @guarded
    def _on_move(self, _widget: object, event: Any) -> None:
        if self._drag_position is None or self._area is None:
            return
        moved = event.x - self._drag_position[0], event.y - self._drag_position[1]
        self._drag_position = event.x, event.y
        at = [
            min(1.0, max(0.0, place - step / room)) if room else place
            for place, step, room in zip(self._position, moved, self._area.movable, strict=True)
        ]
        if (at[0], at[1]) != self._position:
            self._position = at[0], at[1]
            self._area = self._make_area(self._settings()[0])
            self._dreamed = None
            self._draw(*self._area.source())

    @guarded
    def _on_release(self, _widget: object, _event: object) -> None:
        self._drag_position = None
        if self._dreamed is None:
            self._start()
        else:
            self._show()

    # Dreaming

    def _settings(self) -> tuple[Recipe, CallOptions]:
        """The settings that determine the look. Raises RecipeError, CallRefused."""
        options = arguments.read_options(self._config)
        helpers = CallOptions(options.guide, options.strength, options.dream_map)
        recipe = arguments.read_recipe(self._config)
        return replace(recipe, seed=recipe.seed or LOOK_SEED), helpers

    def _blend_if_possible(self) -> bool:
        """Blend the newest look anew if that is enough; False if it takes a new dream."""
        try:
            recipe, options = self._settings()
        except (RecipeError, CallRefused):  # half typed, perhaps
            return False
        if self._area is None or self._dreamed is None or self._dreamed[1] != options:
            return False
        before = self._dreamed[0]
        if before == recipe:
            return True
        if replace(before, **live_parameters(recipe)) != recipe:
            return False
        self._dreamed = recipe, options
        return self._looks.blend(self._area.recipe(recipe))

    def _schedule(self) -> None:
        self._stop_timer()
        self._timer = GLib.timeout_add(SETTLE_TIME, self._on_timeout)

    def _stop_timer(self) -> None:
        if self._timer:
            GLib.source_remove(self._timer)
        self._timer = 0

    def _on_timeout(self) -> bool:
        self._timer = 0
        self._start()
        return False

    @guarded
    def _start(self) -> None:
        """Show the part of the layer, and dream on it if the preview is on."""
        recipe, options = self._settings()
        self._look = None  # it may have been painted on
        self._area = self._make_area(recipe)
        self._event_box.set_tooltip_text(HINT + (DRAG if any(self._area.movable) else ""))
        if not self._config.get_property(SHOW_PREVIEW):
            self._draw(*self._area.source())
            self._set_caption(self._difference_text())
            return
        if self._looks.picture is None:
            self._draw(*self._area.source())
        self._dreamed = recipe, options
        self._looks.dream(*self._area.request(recipe, options))

    def _make_area(self, recipe: Recipe) -> PreviewArea:
        image, drawable, box = self._target
        check_still_there(image, drawable)
        look = self._look = self._look or LayerLook.of(drawable)
        return PreviewArea.of(image, drawable, look, box, recipe, self._position)

    def _whole_area(self, side: int, look: LayerLook | None = None) -> PreviewArea:
        """All of the area to dream in on `side` pixels, as it is now. Raises CallRefused."""
        image, drawable, box = self._target
        check_still_there(image, drawable)
        look = look or LayerLook.of(drawable)
        return PreviewArea.of(image, drawable, look, box, WHOLE, CENTRE, side)

    # Display

    def _show(self) -> None:
        """Show the newest look and the caption."""
        if (
            self._drag_position is None
            and self._looks.picture is not None
            and self._dreamed is not None
        ):
            self._draw(*self._looks.picture)
        self._set_caption(self._looks.text or self._difference_text())

    def _set_caption(self, text: str) -> None:
        self._caption.set_text(text)
        self._caption.set_tooltip_text(text)  # all of it, if it is cut off

    def _difference_text(self) -> str:
        """How the preview differs from the dream that the layer will get."""
        if self._area is None:
            return ""
        words = []
        if any(self._area.movable):
            words.append("This is a part: drag to see others.")
        if self._area.reduced > 1.05:
            words.append(f"Reduced {self._area.reduced:.1f} times.")
        return " ".join(words)

    def _draw(self, layout: Picture, pixels: Frame) -> None:
        self._picture.set_from_pixbuf(pixbuf(layout, bytes(pixels)))
