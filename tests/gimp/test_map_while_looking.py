"""The dialog's windows follow a dream map that is chosen or removed while they are open."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from dreamlink.session import map_colours
from dreamlink.wire.seeing import Seen
from tests.link.test_seeing import ANSWER

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "gimp" / "dreamlayer-gimp"
WINDOWS = ["seeing_dialog", "explore_dialog"]


class Label:
    def __init__(self, **_properties: object) -> None:
        self.text = ""

    def set_line_wrap_mode(self, _mode: object) -> None:
        pass

    def set_text(self, text: str) -> None:
        self.text = text

    def get_text(self) -> str:
        return self.text


class Config:
    """GIMP's arguments, as far as they are asked for."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {"bind": ""}
        self.handlers: dict[int, tuple[str, Any]] = {}

    def connect(self, signal: str, handler: Any) -> int:
        self.handlers[len(self.handlers)] = signal, handler
        return len(self.handlers) - 1

    def disconnect(self, number: int) -> None:
        del self.handlers[number]

    def get_property(self, name: str) -> Any:
        return self.values[name]

    def set_property(self, name: str, value: Any) -> None:
        self.values[name] = value
        for signal, handler in list(self.handlers.values()):
            if signal == f"notify::{name}":
                handler(self, None)


@pytest.fixture
def dialogs(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """Both modules, with Gtk's labels only."""
    repository = MagicMock()
    repository.Gtk.Label = Label
    gi = MagicMock(repository=repository)
    monkeypatch.setitem(sys.modules, "gi", gi)
    monkeypatch.setitem(sys.modules, "gi.repository", repository)
    monkeypatch.syspath_prepend(str(PLUGIN))
    before = set(sys.modules)
    from dreamlayer_gimp.dialog import explore_dialog, seeing_dialog

    monkeypatch.setattr(explore_dialog, "LookGrid", MagicMock())
    yield SimpleNamespace(seeing_dialog=seeing_dialog, explore_dialog=explore_dialog)
    for name in set(sys.modules) - before:
        if name.startswith("dreamlayer_gimp"):
            del sys.modules[name]


def opened(dialogs: SimpleNamespace, name: str, config: Config) -> Any:
    """A window that has looked."""
    if name == "seeing_dialog":
        window = dialogs.seeing_dialog.SeeingDialog(None, config, MagicMock())
        window._question = SimpleNamespace(text="", seen=Seen.of(ANSWER, [bytes(12)]))
        window._grid = MagicMock(empty=False)
        window._changed()
    else:
        window = dialogs.explore_dialog.ExploreDialog(None, config, MagicMock())
        window._explorer = MagicMock()
        window._say("")
    return window


@pytest.mark.parametrize("name", WINDOWS)
def test_the_line_says_whether_a_map_overrules(dialogs: SimpleNamespace, name: str) -> None:
    config = Config()
    window = opened(dialogs, name, config)
    said = []
    for bind in ("", "#ff0000=10:30", ""):
        config.set_property("bind", bind)
        said.append(window._line.text)
    assert map_colours.DECIDES in said[1]
    assert map_colours.DECIDES not in said[0]
    assert said[2] == said[0]


@pytest.mark.parametrize("name", WINDOWS)
def test_another_sentence_stays_and_a_closed_window_is_left_alone(
    dialogs: SimpleNamespace, name: str
) -> None:
    config = Config()
    window = opened(dialogs, name, config)
    window._question = None
    if name == "explore_dialog":
        window._say("No picture.")
    else:
        window.fail("No picture.")
    config.set_property("bind", "#ff0000=10:30")
    assert window._line.text == "No picture."
    window.close()
    assert not config.handlers


def test_what_was_chosen_is_said_to_be_dreamed_once_the_map_is_gone(
    dialogs: SimpleNamespace,
) -> None:
    config = Config()
    config.values["bind"] = "#ff0000=10:30"
    window = opened(dialogs, "seeing_dialog", config)
    window._weights = SimpleNamespace(parts=[(window._question.seen.channels[0], 1.0)])
    window._tell_choice()
    assert window._note.text.startswith("Chosen, but not dreamed")
    config.set_property("bind", "")
    assert window._note.text
    assert not window._note.text.startswith("Chosen, but not dreamed")
