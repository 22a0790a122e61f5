"""A program in a sandbox asks for the daemon by a file, and takes it back when nobody heard."""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path

import pytest

from dreamlink.client import discovery, launch, wish
from dreamlink.client.client import LinkError
from dreamlink.client.wish import Wish

posix = pytest.mark.skipif(os.name == "nt", reason="there are no sandboxes on Windows")
pytestmark = posix


@pytest.fixture(autouse=True)
def sandbox(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Flatpak in which Dreamlayer was installed, and short patience."""
    for name in ("SNAP_NAME", "SNAP_USER_COMMON", "SNAP_REAL_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(discovery, "is_sandboxed", lambda: True)
    monkeypatch.setattr(wish, "TAKEN_WITHIN", 0.3)
    home.mkdir(mode=0o700)
    (home / discovery.LAUNCHER_FILE).write_text('{"command": ["/bin/false"]}')


@pytest.fixture
def snap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Krita's Snap; returns its folder that the outside sees, too."""
    common = tmp_path / "snap" / "krita" / "common"
    common.mkdir(parents=True)
    monkeypatch.delenv("DREAMLAYER_HOME")
    monkeypatch.setenv("SNAP_NAME", "krita")
    monkeypatch.setenv("SNAP_USER_COMMON", str(common))
    monkeypatch.setenv("SNAP_REAL_HOME", str(tmp_path / "hidden"))
    return common


def test_a_wish_that_nobody_takes_is_taken_back_with_a_sentence(home: Path):
    began = time.monotonic()
    with pytest.raises(
        LinkError, match=r"sandbox: run .*install.py again .* `dreamlayer serve`, then"
    ):
        launch.connect()
    assert time.monotonic() - began < 10
    assert [path.name for path in home.iterdir()] == [discovery.LAUNCHER_FILE]


def test_a_snap_leaves_it_in_its_own_folder(snap: Path):
    steps = launch.connecting()
    assert next(steps) == launch.STARTING
    (left,) = (snap / "dreamlayer").iterdir()
    assert left.name == wish.WISH_FILE
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    assert stat.S_IMODE(left.parent.stat().st_mode) == 0o700
    steps.close()  # the user cancels
    assert list((snap / "dreamlayer").iterdir()) == []


def test_one_that_was_taken_is_waited_for_as_for_a_process(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(launch, "START_TIMEOUT", 1.5)
    threading.Timer(0.1, (home / wish.WISH_FILE).unlink).start()
    began = time.monotonic()
    with pytest.raises(LinkError, match=r"was started outside .* does not answer. Run `dreamlayer"):
        launch.connect()
    assert time.monotonic() - began >= 1.5


def test_another_programs_wish_is_left_alone(home: Path):
    first, second = Wish(), Wish()
    first.close()
    assert (home / wish.WISH_FILE).exists()
    second.close()
    assert not (home / wish.WISH_FILE).exists()


def test_a_folder_that_others_could_write_is_closed_first(snap: Path):
    folder = snap / "dreamlayer"
    folder.mkdir()
    folder.chmod(0o777)
    Wish()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give files away")
def test_a_folder_of_another_user_is_refused(snap: Path):
    folder = snap / "dreamlayer"
    folder.mkdir()
    os.chown(folder, 12345, -1)
    with pytest.raises(LinkError, match="belongs to another user"):
        launch.connect()
    assert list(folder.iterdir()) == []


def test_a_link_that_was_planted_is_replaced_and_its_target_stays(home: Path, tmp_path: Path):
    target = tmp_path / "target"
    target.write_text("theirs")
    (home / wish.WISH_FILE).symlink_to(target)
    Wish()
    assert target.read_text() == "theirs"
    assert not (home / wish.WISH_FILE).is_symlink()


def test_one_that_can_not_be_left_is_told(home: Path):
    (home / wish.WISH_FILE).mkdir()
    with pytest.raises(LinkError, match=r"can't ask for it from its sandbox .* `dreamlayer serve`"):
        launch.connect()


def test_what_was_not_installed_is_not_wished_for(home: Path):
    (home / discovery.LAUNCHER_FILE).unlink()
    with pytest.raises(LinkError, match="not installed for this user"):
        launch.connect()
    assert list(home.iterdir()) == []


def test_the_daemon_fulfils_all_wishes(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DREAMLAYER_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "snap" / "gimp" / "common" / "dreamlayer").mkdir(parents=True)
    watched = wish.watched()
    assert len(watched) == 2
    watched[0].parent.mkdir(parents=True)
    for path in watched:
        path.touch()
    wish.fulfil()
    assert not any(path.exists() for path in watched)


def test_variables_that_another_snap_hands_on_are_no_sandbox(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    monkeypatch.setenv("SNAP_USER_COMMON", "/home/zoe/snap/code/common")
    monkeypatch.setenv("SNAP_NAME", "code")  # as in the terminal of an editor
    assert not discovery.snap()
    monkeypatch.setenv("SNAP_NAME", "gimp")
    assert discovery.is_sandboxed()
