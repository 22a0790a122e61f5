"""Settings: the table, the file, the command and the environment; invalid values are ignored."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from dreamlayer.cli.main import main
from dreamlayer.server.config import settings
from dreamlayer.server.config.settings import SETTINGS, Settings, SettingsError
from tests.server.daemons import Daemon, ask


def write(home: Path, text: str | bytes) -> None:
    home.mkdir(exist_ok=True)
    (home / "settings.json").write_bytes(text.encode() if isinstance(text, str) else text)


def test_every_setting_has_a_valid_default_and_an_explanation() -> None:
    for name, row in SETTINGS.items():
        assert settings.check(name, row.default) == row.default == getattr(Settings(), name)
        assert row.help.endswith("."), name


def test_without_a_file_all_settings_have_their_defaults(home: Path) -> None:
    loaded = settings.load({})
    assert loaded.settings == Settings()
    assert not loaded.origins
    assert not loaded.problems


def test_the_environment_overrides_the_file(home: Path) -> None:
    write(home, '{"grace": 3, "threads": 2, "remote": ""}')
    loaded = settings.load({"DREAMLAYER_THREADS": " 4 ", "DREAMLAYER_HOME": "elsewhere"})
    assert loaded.settings == Settings(grace=3.0, threads=4)
    assert loaded.origins == {
        "grace": "settings.json", "threads": "DREAMLAYER_THREADS", "remote": "settings.json"
    }  # fmt: skip
    assert not loaded.problems


def test_a_file_with_a_byte_order_mark_is_read(home: Path) -> None:
    write(home, b'\xef\xbb\xbf{"threads": 2}')
    assert settings.load({}).settings.threads == 2


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "5", '{"threads": 2,}', "[" * 100_000, b"\xff\xfe{\0}\0", '{"a":' * 50_000,
     '{"threads": ' + "9" * 5000 + "}", " " * (1 << 20) + "{}"],
)  # fmt: skip
def test_an_unreadable_file_is_reported_and_ignored(home: Path, text: str | bytes) -> None:
    write(home, text)
    loaded = settings.load({})
    assert loaded.settings == Settings()
    (problem,) = loaded.problems
    assert str(home / "settings.json") in problem
    assert "correct" in problem
    with pytest.raises(SettingsError, match="delete"):  # never written over
        settings.change("threads", "2")


def test_a_folder_in_place_of_the_file_is_reported(home: Path) -> None:
    (home / "settings.json").mkdir(parents=True)
    assert settings.load({}).problems


@pytest.mark.parametrize(
    ("name", "value"),
    [("threads", "two"), ("threads", -1), ("threads", 1.5), ("threads", True), ("threads", None),
     ("threads", float("nan")), ("grace", float("inf")), ("grace", float("nan")), ("grace", -1),
     ("pixels_max", 0), ("message_max", 2**63), ("remote", 5), ("remote", "x" * 5000),
     ("remote", "a\nb"), ("colour", 1), ("", 1), ("threads", [[1]])],
)  # fmt: skip
def test_an_invalid_value_is_reported_and_the_others_apply(
    home: Path, name: str, value: object
) -> None:
    write(home, json.dumps({name: value, "duty": 50}))
    loaded = settings.load({})
    assert loaded.settings == Settings(duty=50.0)
    (problem,) = loaded.problems
    assert repr(name) in problem or f"{name} must be" in problem
    assert len(problem) < len(str(home)) + 1000


def test_an_invalid_variable_is_reported_by_name(home: Path) -> None:
    loaded = settings.load({"DREAMLAYER_DUTY": "a lot"})
    assert loaded.settings == Settings()
    assert "DREAMLAYER_DUTY" in loaded.problems[0]


def test_the_command_shows_changes_and_resets_settings(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["settings"]) == 0
    shown = capsys.readouterr().out
    assert all(f"{name} = " in shown for name in SETTINGS)
    assert main(["settings", "keep_memory", "256"]) == 0
    assert "keep_memory is now 256 MiB" in capsys.readouterr().out
    assert settings.load({}).settings == Settings(keep_memory=256)
    assert main(["settings", "keep_memory"]) == 0
    shown = capsys.readouterr().out
    assert "keep_memory = 256 MiB  (from settings.json; default 1024 MiB)" in shown
    assert "0 MiB to 1048576 MiB" in shown
    assert main(["settings", "keep_memory", "default"]) == 0
    assert settings.load({}).settings == Settings()
    assert sorted(p.name for p in home.iterdir()) == ["settings.json"]


def test_the_command_refuses_in_one_sentence(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, said in (
        (["threads", "many"], "threads must be a whole number"),
        (["threads", "5000"], "threads must be between 0 and 1024"),
        (["nonsense", "1"], "There is no setting 'nonsense'"),
        (["nonsense", "default"], "There is no setting 'nonsense'"),
        (["nonsense"], "There is no setting 'nonsense'"),
    ):
        assert main(["settings", *words]) == 1
        assert said in capsys.readouterr().err
    assert not (home / "settings.json").exists()


def test_the_command_says_that_a_variable_overrides_a_setting(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMLAYER_THREADS", "3")
    main(["settings", "threads", "2"])
    assert "DREAMLAYER_THREADS overrides it" in capsys.readouterr().out


def test_a_daemon_starts_despite_an_invalid_file_and_logs_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(home, '{"threads": "lots", "nonsense": 1}')
    daemon = Daemon(home)
    try:
        with contextlib.closing(daemon.connect()) as client:
            assert ask(client, "status")["op"] == "status"
    finally:
        daemon.kill()
    log = daemon.log.read_text()
    assert "threads must be a whole number, not 'lots'" in log
    assert "no setting 'nonsense'" in log
    assert main(["settings"]) == 0
    assert "Ignored: In " in capsys.readouterr().out
