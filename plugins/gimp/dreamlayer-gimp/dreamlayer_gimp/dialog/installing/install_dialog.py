"""Before the first dialog: what is missing, and a button that installs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gi.repository import GimpUi, GLib, Gtk, Pango

from dreamlink.client.setup import offer
from dreamlink.client.setup.setup_run import SetupPhase, SetupRun

from ...call.errors import CallRefused
from ...call.guard import guarded

PLUGIN = Path(__file__).resolve().parents[3]
TITLE = "Install Dreamlayer"
POLL = 150  # milliseconds
GAP = 12  # pixels
LETTERS, LOG_SIZE = 64, (540, 240)  # the text's width in characters; the details in pixels
INSTALL, DONE = 1, 2  # responses


def make_sure() -> bool:
    """Offer to install what is missing; False if the user leaves that.

    Raises:
        CallRefused: it is missing and can't be installed from here.
    """
    offered = offer.look(PLUGIN)
    if offered is None:
        return True
    if offered.archive is None:
        raise CallRefused(offered.sentence)
    dialog = InstallDialog(offered.archive)
    try:
        return dialog.run()
    finally:
        dialog.close()


class InstallDialog:
    """A window with its own main loop, as the filter's dialog has one."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._setup = SetupRun()
        self._dialog = GimpUi.Dialog(title=TITLE, role="dreamlayer-install")
        self._leave = self._dialog.add_button("_Close", Gtk.ResponseType.CANCEL)
        self._install = self._dialog.add_button("_Install", INSTALL)
        self._dialog.set_default_response(INSTALL)
        self._line = _label(offer.MISSING)
        self._what = _label(offer.what())
        self._bar = Gtk.ProgressBar(no_show_all=True)
        self._log = Gtk.TextView(editable=False, cursor_visible=False, monospace=True)
        self._log.set_wrap_mode(Gtk.WrapMode.WORD_CHAR)
        for side in ("left", "right", "top", "bottom"):
            self._log.set_property(f"{side}-margin", GAP // 2)
        width, height = LOG_SIZE
        scrolled = Gtk.ScrolledWindow(
            min_content_width=width, min_content_height=height, vexpand=True
        )
        scrolled.add(self._log)
        scrolled.show_all()
        self._details = Gtk.Expander(
            label="_Details", use_underline=True, no_show_all=True, resize_toplevel=True
        )
        self._details.add(scrolled)
        column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=GAP, border_width=GAP)
        for widget in (self._line, self._what, self._bar):
            column.pack_start(widget, False, False, 0)
        column.pack_start(self._details, True, True, 0)
        self._dialog.get_content_area().add(column)
        GimpUi.window_set_transient(self._dialog)
        self._dialog.show_all()
        self._timer = 0

    def run(self) -> bool:
        """Wait for the user, and for the installation; whether it ended well."""
        while True:
            response = self._dialog.run()
            if response == DONE:
                return True
            if response == INSTALL:
                self._start()
            elif self._setup.is_busy:
                self._setup.cancel()
                self._show()
            else:
                return False

    def close(self) -> None:
        """Remove the window; an installation that still runs is stopped."""
        if self._timer:
            GLib.source_remove(self._timer)
            self._timer = 0
        self._setup.cancel()
        self._dialog.destroy()

    def fail(self, text: str) -> None:
        """Show what is wrong."""
        self._timer = 0
        self._line.set_text(text)

    def _start(self) -> None:
        self._setup.start(self._archive)
        self._show()
        if not self._timer:
            self._timer = GLib.timeout_add(POLL, self._poll)

    @guarded
    def _poll(self) -> bool:
        self._setup.poll()
        self._show()
        if self._setup.phase is SetupPhase.DONE:
            self._dialog.response(DONE)
        if not self._setup.is_busy:
            self._timer = 0
        return bool(self._timer)

    def _show(self) -> None:
        setup = self._setup
        self._line.set_text(setup.text)
        self._what.hide()
        self._bar.set_visible(setup.is_busy)
        self._bar.pulse()
        self._leave.set_label("_Cancel" if setup.is_busy else "_Close")
        self._leave.set_sensitive(setup.phase is not SetupPhase.ENDING)
        self._install.set_visible(not setup.is_busy)
        failed = setup.phase is SetupPhase.FAILED
        self._install.set_label("_Try again" if failed else "_Install")
        self._details.set_visible(bool(setup.lines))
        said, log = "\n".join(setup.lines).strip("\n"), self._log.get_buffer()
        if said != log.get_property("text"):
            log.set_text(said)
            self._log.scroll_to_mark(log.get_insert(), 0.0, False, 0.0, 0.0)


def _label(text: str) -> Any:
    """A paragraph that can be copied into a report."""
    label = Gtk.Label(label=text, wrap=True, xalign=0.0, selectable=True, can_focus=False)
    label.set_line_wrap_mode(Pango.WrapMode.WORD_CHAR)
    label.set_width_chars(LETTERS)  # or the window would be as high as a narrow one has to be
    label.set_max_width_chars(LETTERS)
    return label
