"""The Krita plug-in's session and observables, with stand-ins for Krita and the link."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dreamlink.recipe.presets import DEFAULT, PRESETS
from dreamlink.recipe.recipe import Recipe, RecipeError
from dreamlink.session.dream import State

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "krita"


class IdleLink:
    """A link that never connects; `status_changed` is the session's callback."""

    def __init__(self, _show: Callable[[str], None], status_changed: Callable[[], None]) -> None:
        self.status_changed = status_changed
        self.state: Any = None
        self.sentence = ""
        self.closed = False

    def open(self, listener: object) -> None:
        pass

    def leave(self, listener: object) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class FakeJob:
    """A job that does what the test says."""

    def __init__(self, state: State = State.RUNNING, text: str = "") -> None:
        self.state, self.text = state, text
        self.calls: list[str] = []

    @property
    def over(self) -> bool:
        return self.state in (State.DONE, State.CANCELLED, State.FAILED)

    def start(self) -> None:
        self.calls.append("start")

    def cancel(self) -> None:
        self.calls.append("cancel")

    def tell_daemon_to_stop(self) -> None:
        self.calls.append("stop")


class SessionSetup:
    """A session, Krita's stored settings, and the messages and calls so far."""

    def __init__(self, modules: SimpleNamespace, settings: dict[tuple[str, str], str]) -> None:
        self.modules = modules
        self.settings = settings
        self.soon: list[Callable[[], None]] = []
        self.session = modules.session.Session(IdleLink, self.soon.append)
        self.messages: list[tuple[str, bool]] = []
        self.session.message.subscribe(lambda message: self.messages.append(tuple(message)))


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch) -> Iterator[SessionSetup]:
    settings: dict[tuple[str, str], str] = {}
    app = SimpleNamespace(
        activeDocument=lambda: None,
        documents=list,
        readSetting=lambda group, name, default: settings.get((group, name), default),
        writeSetting=lambda group, name, value: settings.update({(group, name): value}),
    )
    krita: Any = ModuleType("krita")
    krita.Krita = SimpleNamespace(instance=lambda: app)
    krita.Selection = object
    monkeypatch.setitem(sys.modules, "krita", krita)
    qt: Any = SimpleNamespace(QtCore=None, QtGui=None)
    monkeypatch.setitem(sys.modules, "dreamlayer_krita.qt.qt", qt)
    monkeypatch.syspath_prepend(str(PLUGIN))
    from dreamlayer_krita.document import layer_io
    from dreamlayer_krita.model import live_layer, observable, repeat, session
    from dreamlayer_krita.qt import listener

    modules = SimpleNamespace(
        layer_io=layer_io, live_layer=live_layer, observable=observable, repeat=repeat,
        session=session, listener=listener,
    )  # fmt: skip
    yield SessionSetup(modules, settings)
    for name in [name for name in sys.modules if name.startswith("dreamlayer_krita")]:
        del sys.modules[name]


def test_subscribers_get_each_value_in_order(setup: SessionSetup) -> None:
    observable = setup.modules.observable.Observable(0)
    values: list[tuple[str, int]] = []
    observable.subscribe(lambda value: values.append(("first", value)))
    observable.subscribe(lambda value: values.append(("second", value)))
    observable.set(3)
    observable.set(3)
    assert observable.value == 3
    assert values == [("first", 3), ("second", 3)] * 2


def test_subscriber_that_sets_the_value_again_wins(setup: SessionSetup) -> None:
    observable = setup.modules.observable.Observable(0.0)
    values: list[float] = []
    observable.subscribe(lambda value: observable.set(1.0) if value != 1.0 else None)
    observable.subscribe(values.append)
    observable.set(1.004)
    assert observable.value == 1.0
    assert set(values) == {1.0}


def test_unknown_and_invalid_values_are_ignored(setup: SessionSetup) -> None:
    setup.session.show_recipe({"octaves": 2, "steps": -1, "glitter": 3})
    assert setup.session.recipe() == replace(PRESETS[DEFAULT].recipe(), octaves=2)


def test_half_typed_recipe_is_an_error_when_it_is_used(setup: SessionSetup) -> None:
    values = setup.session.recipe_values
    values.set({**values.value, "channels": "eyes"})
    with pytest.raises(RecipeError):
        setup.session.recipe()
    setup.session.dream()
    assert "eyes" in setup.messages[-1][0]


def test_recipe_of_the_last_dream_is_restored(setup: SessionSetup) -> None:
    setup.settings["dreamlayer", "recipe"] = json.dumps({"octaves": 3})
    setup.session.restore_recipe()
    assert setup.session.recipe() == Recipe(octaves=3), "stored before there were other methods"
    setup.settings["dreamlayer", "recipe"] = "no JSON"
    setup.session.restore_recipe()
    assert setup.session.recipe().octaves == 3


def test_first_recipe_is_the_default_preset(setup: SessionSetup) -> None:
    setup.session.restore_recipe()
    assert setup.session.recipe() == PRESETS[DEFAULT].recipe()


def test_dream_without_a_picture_says_why(setup: SessionSetup) -> None:
    setup.session.dream()
    assert setup.messages[-1][0].startswith("No picture is open")
    assert setup.session.jobs.value == []
    assert not setup.settings, "the recipe was stored without a dream"


def test_unexpected_error_becomes_a_sentence(
    setup: SessionSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup.session, "read", lambda _recipe: 1 // 0)
    setup.session.dream()
    assert "ZeroDivisionError" in setup.messages[-1][0]


def test_layer_being_edited_is_read_instead_of_the_active_one(
    setup: SessionSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup.modules.layer_io, "read", lambda *arguments: ("active", *arguments))
    session, recipe = setup.session, Recipe()
    session.guide.set("guide")
    session.strength_map.set("selection")
    session.dream_map.set("map")
    assert session.read(recipe) == ("active", recipe, "guide", "selection", None, "map")
    session.editing.set(SimpleNamespace(read=lambda *arguments: ("edited", *arguments)))
    assert session.read(recipe) == ("edited", recipe, "guide", "selection", None, "map")


def test_jobs_are_observed_until_they_are_over(setup: SessionSetup) -> None:
    lists: list[list[Any]] = []
    setup.session.jobs.subscribe(lists.append)
    first, second = FakeJob(), FakeJob()
    setup.session.enqueue(first)
    setup.session.enqueue(second)
    setup.session.cancel()
    assert (first.calls, second.calls) == (["start", "cancel"], ["start"])
    first.state, first.text = State.CANCELLED, "Cancelled: nothing was changed."
    setup.session.job_changed(first)
    second.state, second.text = State.DONE, "Dreamed in 1.0 s with seed 7."
    setup.session.job_changed(second)
    assert lists == [[first], [first, second], [second], []]
    assert setup.messages == [(first.text, False), (second.text, True)]


def test_closing_stops_all_jobs_without_calling_widgets(setup: SessionSetup) -> None:
    job = FakeJob()
    setup.session.enqueue(job)
    lists: list[list[Any]] = []
    setup.session.jobs.subscribe(lists.append)
    setup.session.close()
    setup.session.close()  # Krita quits, then the window is destroyed
    assert job.calls == ["start", "stop"]
    assert setup.session.link.closed
    assert lists == []


def test_connection_is_observed(setup: SessionSetup) -> None:
    statuses: list[Any] = []
    setup.session.connection.subscribe(statuses.append)
    state = setup.modules.listener.ConnectionState.FAILED
    setup.session.link.state, setup.session.link.sentence = state, "It did not start."
    setup.session.link.status_changed()
    assert statuses == [(state, "It did not start.")]


def test_error_in_a_later_call_becomes_a_sentence(setup: SessionSetup) -> None:
    setup.session.soon(lambda: 1 // 0)
    assert not setup.messages
    setup.soon[0]()
    assert "ZeroDivisionError" in setup.messages[-1][0]


def test_editing_without_a_layer_says_why(setup: SessionSetup) -> None:
    setup.modules.repeat.edit_dream(setup.session)
    assert setup.messages[-1][0].startswith("No layer is selected")
    assert setup.session.editing.value is None


def test_every_action_names_a_function_that_exists(setup: SessionSetup) -> None:
    """extension.py names them as texts, which are looked up when an action is triggered."""
    text = (PLUGIN / "dreamlayer_krita" / "extension.py").read_text(encoding="utf-8")
    targets = {word.strip('",)') for word in text.split() if word.startswith('"model.')}
    assert targets == {
        "model.session:Session.dream",
        "model.session:Session.request_film",
        "model.repeat:dream_again",
        "model.repeat:edit_dream",
    }
    for target in targets:
        module, _, name = target.removeprefix("model.").partition(":")
        function: Any = getattr(setup.modules, module)
        for part in name.split("."):
            function = getattr(function, part)
        assert callable(function)
