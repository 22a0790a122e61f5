"""Installing from a plug-in: what is offered, safe unpacking, and following the installer."""

import io
import json
import os
import signal
import stat
import sys
import time
import zipfile
from pathlib import Path

import pytest

from dreamlink.client import discovery
from dreamlink.client.setup import command, offer
from dreamlink.client.setup.output import BUSY, SetupOutput
from dreamlink.client.setup.setup_run import CANCELLED, DONE, NOTHING, SetupPhase, SetupRun
from dreamlink.client.setup.unpacking import FOLDER, UNFINISHED, UnpackError, unpacking

LAUNCHER = json.dumps({"command": ["dreamlayer", "serve"]})
SAID = "Go online, then run install.py again."
posix = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DREAMLAYER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(command.ARGUMENTS, raising=False)
    return tmp_path / "home"


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    (tmp_path / "plugin").mkdir()
    return tmp_path / "plugin"


def archive(folder: Path, script: str = "", **files: str) -> Path:
    """setup.zip with a start script, and other files by their paths."""
    path = folder / offer.ARCHIVE
    with zipfile.ZipFile(path, "w") as packed:
        for name in (*command.SCRIPTS.values(), command.OTHERS_SCRIPT):
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o100755 << 16
            packed.writestr(info, f"#!/bin/sh\n{script}\n")
        for name, text in files.items():
            packed.writestr(name, text)
    return path


def run(setup: SetupRun, path: Path, seconds: float = 20.0) -> SetupRun:
    setup.start(path)
    return wait(setup, seconds)


def wait(setup: SetupRun, seconds: float = 20.0) -> SetupRun:
    end = time.monotonic() + seconds
    while setup.is_busy:
        assert time.monotonic() < end, (setup.phase, setup.text, list(setup.lines))
        setup.poll()
        time.sleep(0.01)
    return setup


def unpack(path: Path, home: Path) -> Path:
    steps = unpacking(path, home)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


# What is offered


def test_nothing_is_offered_where_the_daemon_can_be_started(home: Path, plugin: Path):
    archive(plugin)
    home.mkdir()
    (home / discovery.LAUNCHER_FILE).write_text(LAUNCHER)
    assert offer.look(plugin) is None


def test_nothing_is_offered_while_a_daemon_runs(home: Path, plugin: Path):
    archive(plugin)
    info = discovery.DaemonInfo(1, "0", "tcp://127.0.0.1:1", "token", os.getpid())
    discovery.publish(info)
    assert offer.look(plugin) is None
    discovery.withdraw(os.getpid())
    assert offer.look(plugin) is not None


def test_a_plugin_with_the_archive_offers_it_and_another_says_where_to_get_it(home, plugin):
    without = offer.look(plugin)
    assert without is not None and without.archive is None
    assert "not installed" in without.sentence and "Download" in without.sentence
    path = archive(plugin)
    offered = offer.look(plugin)
    assert offered is not None and offered.archive == path
    assert "Install…" in offered.sentence
    assert str(home) in offer.what() and "0.4 GB" in offer.what() and "3 GB" in offer.what()


def test_in_a_sandbox_the_user_is_told_to_install_outside(home, plugin, monkeypatch):
    archive(plugin)
    monkeypatch.setattr(discovery, "is_sandboxed", lambda: True)  # a Flatpak
    offered = offer.look(plugin)
    assert offered is not None and offered.archive is None
    assert "sandbox" in offered.sentence


def test_nothing_is_offered_in_a_snap_which_cannot_see_what_is_installed(home, plugin, monkeypatch):
    archive(plugin)
    monkeypatch.setenv("SNAP_NAME", "krita")
    monkeypatch.setenv("SNAP_USER_COMMON", str(home))
    assert offer.look(plugin) is None


# Unpacking


def test_files_and_execute_bits_come_out(home: Path, plugin: Path):
    folder = unpack(archive(plugin, "true", **{"install/install.py": "print()"}), home)
    assert folder == home / FOLDER
    assert (folder / "install" / "install.py").read_text() == "print()"
    if os.name == "posix":
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert os.access(folder / "install.sh", os.X_OK)
        assert not os.access(folder / "install" / "install.py", os.X_OK)


def test_what_earlier_runs_left_is_replaced(home: Path, plugin: Path):
    for name in (FOLDER, UNFINISHED):
        (home / name).mkdir(parents=True)
        (home / name / "old").touch()
    folder = unpack(archive(plugin), home)
    assert not (folder / "old").exists()
    assert not (home / UNFINISHED).exists()


def test_an_interrupted_unpacking_leaves_the_earlier_folder(home: Path, plugin: Path):
    (home / FOLDER).mkdir(parents=True)
    (home / FOLDER / "old").touch()
    steps = unpacking(archive(plugin, **{"a": "x" * 10}), home)
    next(steps)
    steps.close()
    assert (home / FOLDER / "old").exists()


@pytest.mark.parametrize(
    "name", ["../out", "a/../../out", "/out", "C:out", "a\\..\\..\\out", "C:/out", "\\\\host\\out"]
)
def test_nothing_gets_outside_of_the_folder(home: Path, plugin: Path, name: str):
    path = archive(plugin, **{name: "planted"})
    with pytest.raises(UnpackError, match="damaged"):
        unpack(path, home)
    assert not (home / FOLDER).exists()
    assert not [found for found in home.parent.rglob("*") if found.name.endswith("out")]


def test_a_link_in_the_archive_is_refused(home: Path, plugin: Path):
    path = plugin / "setup.zip"
    with zipfile.ZipFile(path, "w") as packed:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(info, "/etc")
        packed.writestr("link/passwd", "planted")
    with pytest.raises(UnpackError, match="damaged"):
        unpack(path, home)


@posix
def test_of_a_link_in_place_of_the_folder_only_the_link_is_removed(home, plugin, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "file").touch()
    home.mkdir()
    (home / FOLDER).symlink_to(theirs)
    (home / UNFINISHED).symlink_to(theirs)
    unpack(archive(plugin), home)
    assert (theirs / "file").exists() and not (home / FOLDER).is_symlink()


@pytest.mark.parametrize("cut", [0, 100])
def test_a_damaged_archive_is_a_sentence(home: Path, plugin: Path, cut: int):
    path = archive(plugin, **{"a": "x" * 1000})
    data = bytearray(path.read_bytes())
    if cut:
        path.write_bytes(data[:-cut])
    else:
        data[data.index(b"xxxx")] = 0
        path.write_bytes(data)
    setup = run(SetupRun(), path)
    assert setup.phase is SetupPhase.FAILED
    assert setup.text == f"{path} is damaged: download the plug-in again."


# The installer


@posix
def test_a_run_that_ends_well_is_followed_line_by_line(home, plugin, monkeypatch):
    monkeypatch.setenv(command.ARGUMENTS, "--offline '/a folder/wheels'")
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("LD_PRELOAD", "")
    path = archive(
        plugin,
        'printf "\\033[1mZoë\\033[0m %s|%s\\n" "$1" "$2"; printf "1 %%\\r2 %%\\r"; pwd\n'
        'echo "$PYTHONHOME$PYTHONUTF8$DREAMLAYER_NO_PAUSE" >&2\n'
        'echo \'{"command": ["d"]}\' > ../launcher.json',
    )
    setup = run(SetupRun(), path)
    assert setup.phase is SetupPhase.DONE and setup.text == DONE
    said = [line for line in setup.lines if line]
    assert said == ["Zoë --offline|/a folder/wheels", "1 %", "2 %", str(home / FOLDER), "11"]
    assert discovery.launch_command() == ["d"]


@posix
def test_the_present_line_is_shown_with_the_time(home: Path, plugin: Path):
    setup = SetupRun()
    setup.start(archive(plugin, "echo Fetching PyTorch; echo ' ━━━ 2/2 MB'; sleep 60"))
    end = time.monotonic() + 20
    while not setup.text.startswith("Fetching PyTorch (0:"):
        assert time.monotonic() < end, setup.text
        setup.poll()
    assert setup.lines[-1] == " ━━━ 2/2 MB"
    setup.cancel()
    wait(setup)


@posix
def test_a_long_line_is_cut_while_it_is_the_present_one(home: Path, plugin: Path):
    setup = SetupRun()
    setup.start(archive(plugin, f"echo '{'package, ' * 100}'; sleep 60"))
    end = time.monotonic() + 20
    while not setup.lines:
        assert time.monotonic() < end, setup.text
        setup.poll()
    assert len(setup.text) < 140 and "… (0:" in setup.text
    assert len(setup.lines[0]) > 700
    setup.cancel()
    wait(setup)


@posix
def test_a_failure_is_the_installers_own_sentence_and_can_be_tried_again(home, plugin):
    setup = run(SetupRun(), archive(plugin, f"echo more; echo '{SAID}' >&2; exit 1"))
    assert (setup.phase, setup.text) == (SetupPhase.FAILED, "Go online, then try again.")
    assert list(setup.lines)[:2] == ["more", SAID]
    run(setup, archive(plugin, 'echo \'{"command": ["d"]}\' > ../launcher.json'))
    assert setup.phase is SetupPhase.DONE
    assert "more" not in setup.lines


@posix
@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Free some space, then run install.sh again.", "Free some space, then try again."),
        ("No Python:\\ngo online and run this again.", "No Python: go online and try again."),
        ("Trying again\\nThe disk is full.", "The disk is full."),
    ],
)
def test_the_sentence_says_what_to_do_here(home, plugin, said, shown):
    setup = run(SetupRun(), archive(plugin, f"printf '{said}\\n'; exit 1"))
    assert setup.text == shown


@posix
@pytest.mark.parametrize(
    ("script", "words"), [("exit 7", "without a word (status 7)"), ("echo Fine", NOTHING)]
)
def test_an_end_without_success_is_a_failure(home, plugin, script, words):
    setup = run(SetupRun(), archive(plugin, script))
    assert setup.phase is SetupPhase.FAILED and words in setup.text


@posix
def test_cancel_ends_the_installer_and_its_children(home: Path, plugin: Path):
    setup = SetupRun()
    setup.start(archive(plugin, "sleep 77 & echo $!; wait"))
    end = time.monotonic() + 20
    while not setup.lines:
        assert time.monotonic() < end
        setup.poll()
    child = int(setup.lines[0])
    setup.cancel()
    wait(setup)
    assert (setup.phase, setup.text) == (SetupPhase.CANCELLED, CANCELLED)
    end = time.monotonic() + 10
    while is_alive(child):
        assert time.monotonic() < end, "the child goes on"
        time.sleep(0.05)


@posix
def test_an_installer_that_ignores_cancel_is_killed(home, plugin, monkeypatch):
    monkeypatch.setattr("dreamlink.client.setup.setup_run.PATIENCE", 0.2)
    setup = SetupRun()
    setup.start(archive(plugin, "trap '' TERM; echo begun; while :; do sleep 0.1; done"))
    while not setup.lines:
        setup.poll()
    setup.cancel()
    assert wait(setup).phase is SetupPhase.CANCELLED


def test_cancel_while_unpacking_ends_at_once(home: Path, plugin: Path):
    setup = SetupRun()
    setup.start(archive(plugin))
    setup.cancel()
    assert setup.phase is SetupPhase.CANCELLED
    assert not (home / FOLDER).exists()


def test_a_second_installation_has_to_wait(home: Path, plugin: Path):
    output = SetupOutput(home)
    setup = run(SetupRun(), archive(plugin))
    assert (setup.phase, setup.text) == (SetupPhase.FAILED, BUSY)
    output.close()
    assert run(setup, archive(plugin, "echo x")).text == NOTHING


@posix
def test_the_lock_is_the_installers_also_when_the_host_has_ended(home: Path, plugin: Path):
    setup = SetupRun()
    setup.start(archive(plugin, "echo begun; sleep 60"))
    while not setup.lines:
        setup.poll()
    setup._output.close()  # as the host's end does
    assert run(SetupRun(), archive(plugin)).text == BUSY
    os.killpg(setup._process.pid, signal.SIGKILL)
    setup._process.wait()


def test_an_odd_quote_in_the_arguments_is_a_sentence(home, plugin, monkeypatch):
    monkeypatch.setenv(command.ARGUMENTS, "'")
    setup = run(SetupRun(), archive(plugin))
    assert setup.phase is SetupPhase.FAILED
    assert "can't be started" in setup.text


def test_on_windows_cmd_gets_no_path_that_it_could_misread(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("COMSPEC", "C:\\Windows\\cmd.exe")
    monkeypatch.setenv(command.ARGUMENTS, '--offline "C:\\Zoë Müller\\wheels"')
    assert command.command() == [
        "C:\\Windows\\cmd.exe", "/d", "/c", ".\\Install-Windows.cmd",
        "--offline", "C:\\Zoë Müller\\wheels",
    ]  # fmt: skip


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return ") Z" not in state


def test_the_output_is_read_in_lines_whatever_its_blocks(home: Path):
    output = SetupOutput(home)
    data = "Zoë\r\nein halber ".encode()
    for part in (data[:3], data[3:], b"Satz\n"):
        os.write(output.descriptor, part)
        got = output.read(to_the_end=False)
    assert got == ["ein halber Satz"]
    os.write(output.descriptor, b"last")
    assert output.read(to_the_end=False) == []
    assert output.read(to_the_end=True) == ["last"]
    output.close()


def test_what_is_no_zip_is_damaged(home: Path, plugin: Path):
    (plugin / "setup.zip").write_bytes(io.BytesIO(b"nothing").getvalue())
    assert "damaged" in run(SetupRun(), plugin / "setup.zip").text
