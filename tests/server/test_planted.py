"""What somebody has planted in Dreamlayer's folder or the current one is not run or followed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from dreamlayer.daemon_client import start_command
from dreamlayer.server.config import settings
from dreamlayer.server.transport import keys
from dreamlink.client import discovery, launch, private_files
from dreamlink.client.client import LinkError
from dreamlink.client.private_files import PlantedFile, WrongOwner
from tests.server.daemons import FAKE, SOON, Daemon, ask

pytestmark = pytest.mark.skipif(os.name != "posix", reason="plants Unix' links, FIFOs and owners")
NOBODY = 65534  # a user's number that is not ours
ROOT_ONLY = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away"
)
MODULES = ("filelock", "zmq", "msgpack", "dreamlink", "dreamlayer", "sitecustomize", "contextlib")


@pytest.fixture
def launched(home: Path) -> Iterator[None]:
    """Ends the daemon that the test has started."""
    yield
    with contextlib.suppress(LinkError):
        client = launch.connect_to_running()
        if client is not None:
            with contextlib.closing(client):
                ask(client, "stop")
                while True:
                    client.receive(SOON)


def plant_modules(folder: Path, marker: Path) -> None:
    """Modules that tell in a file that they were imported."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in MODULES:
        (folder / f"{name}.py").write_text(f"open({str(marker)!r}, 'a').write({name!r})\n")


def imported(marker: Path) -> str:
    return marker.read_text() if marker.exists() else ""


# Modules.


def test_modules_in_dreamlayers_folder_are_not_imported(
    home: Path, launched: None, tmp_path: Path
) -> None:
    plant_modules(home, tmp_path / "marker")
    for command in (start_command(), [sys.executable, "-m", "dreamlayer", "serve"]):
        with contextlib.closing(launch.connect(command)) as client:
            assert psutil.Process(ask(client, "status")["pid"]).cwd() == "/"
            ask(client, "stop")
            with contextlib.suppress(LinkError):
                client.receive(SOON)
    assert imported(tmp_path / "marker") == ""


def test_modules_that_variables_name_are_not_imported(
    home: Path, launched: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_modules(tmp_path / "planted", tmp_path / "marker")
    for name in ("PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONPLATLIBDIR"):
        monkeypatch.setenv(name, str(tmp_path / "planted"))
    launch.connect(FAKE).close()
    assert imported(tmp_path / "marker") == ""


def test_modules_in_the_current_folder_are_not_imported(
    home: Path, launched: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_modules(tmp_path / "planted", tmp_path / "marker")
    monkeypatch.chdir(tmp_path / "planted")
    launch.connect(start_command()).close()
    assert imported(tmp_path / "marker") == ""


def test_a_daemon_started_by_hand_takes_its_libraries_from_elsewhere(
    home: Path, launched: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But dreamlayer itself: what `python -m dreamlayer` finds first, it runs."""
    plant_modules(tmp_path / "planted", tmp_path / "marker")
    for name in ("dreamlayer", "dreamlink", "contextlib", "sitecustomize"):
        (tmp_path / "planted" / f"{name}.py").unlink()
    monkeypatch.chdir(tmp_path / "planted")
    daemon = Daemon(home, program=[sys.executable, "-m", "dreamlayer", "serve"])
    daemon.kill()
    assert imported(tmp_path / "marker") == ""


@ROOT_ONLY
def test_in_a_folder_of_another_user_nothing_is_run_or_written(home: Path, tmp_path: Path) -> None:
    plant_modules(home, tmp_path / "marker")
    (home / "launcher.json").write_text(json.dumps({"command": ["touch", str(tmp_path / "ran")]}))
    for path in (home, *home.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    before = sorted(home.iterdir())
    for command in (FAKE, start_command(), None):
        with pytest.raises(LinkError, match=r"belongs to another user|not installed"):
            launch.connect(command)
    for arguments in (["serve"], ["status"], ["keys", "make"], ["settings", "threads", "1"]):
        command = [sys.executable, "-m", "dreamlayer", *arguments]
        subprocess.run(command, check=False, capture_output=True, timeout=SOON)
    assert sorted(home.iterdir()) == before
    assert imported(tmp_path / "marker") == ""
    assert not (tmp_path / "ran").exists()


# Links and FIFOs.


def symlink(path: Path, target: Path) -> None:
    path.symlink_to(target)


def dangling(path: Path, target: Path) -> None:
    path.symlink_to(target.with_name("new"))


def hard_link(path: Path, target: Path) -> None:
    os.link(target, path)


def fifo(path: Path, _target: Path) -> None:
    os.mkfifo(path)


KINDS: list[Callable[[Path, Path], None]] = [symlink, dangling, hard_link, fifo]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_written_through_what_was_planted(
    home: Path, launched: None, tmp_path: Path, kind: Callable[[Path, Path], None]
) -> None:
    home.mkdir()
    names = ("daemon.err", "daemon.log", "daemon.lock", "daemon.json", "daemon.machine")
    targets = [tmp_path / f"precious-{name}" for name in names]
    for name, target in zip(names, targets, strict=True):
        target.write_text("precious")
        kind(home / name, target)
    with contextlib.closing(launch.connect(FAKE)) as client:
        assert ask(client, "status")["op"] == "status"
        for name, target in zip(names, targets, strict=True):
            assert target.read_text() == "precious"
            assert (home / name).is_file()
            assert not (home / name).is_symlink()
            assert (home / name).stat().st_nlink == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_read_through_what_was_planted(
    home: Path, tmp_path: Path, kind: Callable[[Path, Path], None]
) -> None:
    """And a FIFO does not halt its reader."""
    (home / "keys").mkdir(parents=True)
    for name, text in (
        ("settings.json", '{"threads": 1}'),
        ("launcher.json", '{"command": ["evil"]}'),
        ("daemon.json", '{"protocol": 2, "version": "0", "endpoint": "tcp://127.0.0.1:5",'
                        ' "token": "t", "pid": 1}'),
        ("keys/allowed.json", json.dumps({"guest": "0" * 64})),
    ):  # fmt: skip
        target = tmp_path / name.replace("/", "-")
        target.write_text(text)
        kind(home / name, target)
    loaded = settings.load({})
    assert loaded.settings == settings.Settings()
    assert "delete it" in loaded.problems[0]
    assert discovery.launch_command() is None
    assert discovery.find() is None
    assert keys.name_of(bytes(32)) is None


def test_a_setting_is_not_written_through_a_link(home: Path, tmp_path: Path) -> None:
    home.mkdir()
    (tmp_path / "precious").write_text("precious")
    fresh = f"settings.json.{os.getpid()}"
    (home / fresh).symlink_to(tmp_path / "precious")
    settings.change("threads", "1")
    assert (tmp_path / "precious").read_text() == "precious"
    assert settings.load({}).settings.threads == 1


def test_the_folder_may_be_a_link_of_its_user(home: Path, launched: None, tmp_path: Path) -> None:
    """A disk with more room."""
    (tmp_path / "disk").mkdir()
    home.symlink_to(tmp_path / "disk")
    launch.connect(FAKE).close()
    assert (tmp_path / "disk" / "daemon.json").exists()


@ROOT_ONLY
def test_the_folder_is_no_link_of_another_user(home: Path, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    home.symlink_to(tmp_path / "private")
    os.lchown(home, NOBODY, NOBODY)
    with pytest.raises(LinkError, match="belongs to another user"):
        launch.connect(FAKE)
    assert not list((tmp_path / "private").iterdir())


@ROOT_ONLY
def test_a_file_of_another_user_is_neither_read_nor_written(tmp_path: Path) -> None:
    path = tmp_path / "daemon.log"
    path.write_text("theirs")
    os.chown(path, NOBODY, NOBODY)
    with pytest.raises(WrongOwner):
        private_files.read(path)
    with open(private_files.open_to_append(path), "ab") as file:
        file.write(b"ours")
    assert path.read_text() == "ours"
    assert path.stat().st_uid == os.geteuid()


def test_a_file_that_others_could_read_is_closed_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text("{}")
    path.chmod(0o644)
    assert private_files.read(path) == b"{}"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_without_end_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_files, "READ_MAX", 10)
    (tmp_path / "x").write_bytes(bytes(11))
    with pytest.raises(PlantedFile, match="too long"):
        private_files.read(tmp_path / "x")
    (tmp_path / "x").write_bytes(bytes(10))
    assert private_files.read(tmp_path / "x") == bytes(10)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    private_files.write(path, "old")
    with pytest.raises(UnicodeEncodeError):
        private_files.write(path, "new \udcff")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [(path.name, "old")]
