"""Displays of a dream's progress: a window of our own, GIMP's status bar, or none."""

from __future__ import annotations

import time
from typing import Any

from gi.repository import Gimp

TITLE = "Dreaming"
WIDTH = 420  # pixels: enough for the longest line of text
POLL_INTERVAL = 0.05  # seconds between handling the window's events


class ProgressDisplay:
    """Shows nothing: for scripts.

    Attributes:
        cancelled: whether the user has cancelled; always False without a Cancel button.
    """

    cancelled = False

    def show(self, fraction: float, text: str) -> None:
        """Show the fraction of the work that is done, 0 to 1, and one line of text."""

    def wait(self, seconds: float) -> None:
        """Wait, and keep the window responsive if there is one."""
        time.sleep(seconds)

    def close(self) -> None:
        """Remove the display."""


class StatusBarProgress(ProgressDisplay):
    """GIMP's status bar. Its Cancel kills this process; the daemon notices and stops the dream."""

    def __init__(self) -> None:
        Gimp.progress_init("Deep Dream")

    def show(self, fraction: float, text: str) -> None:
        Gimp.progress_set_text(text)
        Gimp.progress_update(fraction)

    def close(self) -> None:
        Gimp.progress_end()


class ProgressWindow(ProgressDisplay):
    """A window of our own, because only its Cancel can end the dream cleanly."""

    def __init__(self) -> None:
        from gi.repository import GimpUi, Gtk, Pango

        GimpUi.init("dreamlayer-gimp")
        self._gtk = Gtk
        self._dialog = GimpUi.Dialog(title=TITLE, role="dreamlayer-progress")
        self._dialog.add_button("_Cancel", Gtk.ResponseType.CANCEL)
        self._dialog.connect("response", self._on_response)
        end = Pango.EllipsizeMode.END
        self._label = Gtk.Label(xalign=0.0, ellipsize=end)
        self._bar = Gtk.ProgressBar(show_text=True, width_request=WIDTH)
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6, margin=12)
        for widget in (self._label, self._bar):
            box.pack_start(widget, False, False, 0)
        self._dialog.get_content_area().add(box)
        GimpUi.window_set_transient(self._dialog)
        self._dialog.show_all()
        self._process_events()

    def show(self, fraction: float, text: str) -> None:
        self._bar.set_fraction(min(1.0, max(0.0, fraction)))
        self._label.set_text(text)
        self._process_events()

    def wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._process_events()
            time.sleep(POLL_INTERVAL)

    def close(self) -> None:
        self._dialog.destroy()
        self._process_events()

    def _process_events(self) -> None:
        while self._gtk.events_pending():
            self._gtk.main_iteration_do(False)

    def _on_response(self, dialog: Any, _response: object) -> None:
        self.cancelled = True  # by the button, by Escape or by closing the window
        dialog.set_response_sensitive(self._gtk.ResponseType.CANCEL, False)


class PartialProgress(ProgressDisplay):
    """The progress of one of several dreams, as a part of the call's progress."""

    def __init__(
        self, parent: ProgressDisplay, index: int, count: int, noun: str = "Layer"
    ) -> None:
        self._parent = parent
        self._index = index
        self._count = count
        self._noun = noun

    def show(self, fraction: float, text: str) -> None:
        if self._count > 1:
            text = f"{self._noun} {self._index + 1} of {self._count}: {text}"
        self._parent.show((self._index + fraction) / self._count, text)
        self.cancelled = self._parent.cancelled


def progress_display(run_mode: Any, clean: bool = False) -> ProgressDisplay:
    """The display for a call; with `clean`, its Cancel never kills this process."""
    if run_mode == Gimp.RunMode.INTERACTIVE:
        return ProgressWindow()
    if run_mode == Gimp.RunMode.WITH_LAST_VALS:
        return ProgressWindow() if clean and _has_display() else StatusBarProgress()
    return ProgressDisplay()


def _has_display() -> bool:
    from gi.repository import Gtk

    return bool(Gtk.init_check(None)[0])
