"""Where a dream's progress is shown: a window of our own, GIMP's status bar, or nowhere."""

from __future__ import annotations

import time
from typing import Any

from gi.repository import Gimp

TITLE = "Dreaming"
WIDTH = 420  # pixels: the longest line of progress fits in
TURN = 0.05  # seconds between two looks at the window's events


class Progress:
    """Shows nothing: for scripts.

    Attributes:
        cancelled: whether the user wants to stop; stays False where nobody can say so.
    """

    cancelled = False

    def show(self, fraction: float, text: str) -> None:
        """Show that `fraction` (0 to 1) of the work is done, with one line of text."""

    def wait(self, seconds: float) -> None:
        """Wait while the window, if there is one, stays alive."""
        time.sleep(seconds)

    def close(self) -> None:
        """Show nothing any more."""


class StatusBar(Progress):
    """GIMP's own bar. Its Cancel kills this process; the daemon notices and stops too."""

    def __init__(self) -> None:
        Gimp.progress_init("Deep Dream")

    def show(self, fraction: float, text: str) -> None:
        Gimp.progress_set_text(text)
        Gimp.progress_update(fraction)

    def close(self) -> None:
        Gimp.progress_end()


class Window(Progress):
    """A dialog of our own, because only this lets Cancel end the dream cleanly."""

    def __init__(self) -> None:
        from gi.repository import GimpUi, Gtk, Pango

        GimpUi.init("dreamlayer-gimp")
        self._gtk = Gtk
        self._dialog = GimpUi.Dialog(title=TITLE, role="dreamlayer-progress")
        self._dialog.add_button("_Cancel", Gtk.ResponseType.CANCEL)
        self._dialog.connect("response", self._on_response)
        end = Pango.EllipsizeMode.END
        self._words = Gtk.Label(xalign=0.0, ellipsize=end)
        self._bar = Gtk.ProgressBar(show_text=True, width_request=WIDTH)
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6, margin=12)
        for widget in (self._words, self._bar):
            box.pack_start(widget, False, False, 0)
        self._dialog.get_content_area().add(box)
        GimpUi.window_set_transient(self._dialog)
        self._dialog.show_all()
        self._breathe()

    def show(self, fraction: float, text: str) -> None:
        self._bar.set_fraction(min(1.0, max(0.0, fraction)))
        self._words.set_text(text)
        self._breathe()

    def wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._breathe()
            time.sleep(TURN)

    def close(self) -> None:
        self._dialog.destroy()
        self._breathe()

    def _breathe(self) -> None:
        while self._gtk.events_pending():
            self._gtk.main_iteration_do(False)

    def _on_response(self, dialog: Any, _response: object) -> None:
        self.cancelled = True  # by the button, by Escape or by closing the window
        dialog.set_response_sensitive(self._gtk.ResponseType.CANCEL, False)


class Part(Progress):
    """The share of one of several dreams in the progress of the call."""

    def __init__(self, whole: Progress, index: int, count: int, noun: str = "Layer") -> None:
        self._whole = whole
        self._index = index
        self._count = count
        self._noun = noun

    def show(self, fraction: float, text: str) -> None:
        if self._count > 1:
            text = f"{self._noun} {self._index + 1} of {self._count}: {text}"
        self._whole.show((self._index + fraction) / self._count, text)
        self.cancelled = self._whole.cancelled


def progress_for(run_mode: Any, clean: bool = False) -> Progress:
    """Where the progress of a call is shown; `clean` if Cancel must never kill this process."""
    if run_mode == Gimp.RunMode.INTERACTIVE:
        return Window()
    if run_mode == Gimp.RunMode.WITH_LAST_VALS:
        return Window() if clean and _has_display() else StatusBar()
    return Progress()


def _has_display() -> bool:
    from gi.repository import Gtk

    return bool(Gtk.init_check(None)[0])
