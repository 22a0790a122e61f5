"""Completes the names of networks, network layers and kinds of things in the dialog's entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gi.repository import GimpUi, Gtk

from dreamlink.session.names import names
from dreamlink.wire.messages import Header

Ask = Callable[[Header, Callable[[Header], None]], None]


class EntryCompletions:
    """Offers the names that contain what is typed; they come while the preview is connected."""

    def __init__(self, dialog: Any, config: Any, ask: Ask) -> None:
        """`ask` sends a request to the daemon, and calls back with its answer."""
        self._config = config
        self._ask = ask
        self._models, self._layers = (_complete(dialog, name) for name in ("model", "layer"))
        ask({"op": "models"}, lambda header: _offer(self._models, header))
        config.connect("notify::model", self._on_model_changed)
        self._on_model_changed()

    def _on_model_changed(self, *_: object) -> None:
        model = (self._config.get_property("model") or "").strip()
        self._ask({"op": "layers", "model": model}, lambda header: _offer(self._layers, header))


def _complete(dialog: Any, name: str) -> Any:
    """Complete the entry of a text argument; returns the list of names, which is empty."""
    store = Gtk.ListStore(str)
    completion = Gtk.EntryCompletion(model=store)
    completion.set_text_column(0)  # as a property it would show no text
    completion.set_match_func(_contains)
    dialog.get_widget(name, GimpUi.LabelEntry.__gtype__).get_entry().set_completion(completion)
    return store


def _contains(completion: Any, typed: str, row: Any) -> bool:
    """Whether the row's name contains what is typed, which GTK gives without its case."""
    name: str = completion.get_model()[row][0]
    return typed in name.casefold()


def _offer(store: Any, header: Header) -> None:
    store.clear()
    for name in names(header):
        store.append([name])
