"""The roots have the hosts they promise, and nothing of a run stays behind."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from install import roots
from tests.hosts import warm
from tests.hosts.session import HostSession

KRITA_SCRIPT = """
import case
from krita import Krita


def run(document):
    yield lambda: document.activeNode() is not None
    yield 1000  # for Krita to paint
    case.screenshot("picture")
    case.verdict(version=Krita.instance().version(), name=document.activeNode().name())
"""

GIMP_SCRIPT = """
import time

import case
from gi.repository import Gimp, Gio

file = Gio.File.new_for_path(case.picture)
image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, file)
case.verdict(version=Gimp.version(), size=[image.get_width(), image.get_height()])
if case.arguments["window"]:
    Gimp.Display.new(image)
    time.sleep(2)  # for GIMP to paint
    case.screenshot("picture")
"""


# A program inside that is left behind, and one outside as a plug-in starts the daemon.
BEGIN_DAEMON = """
import subprocess
import case

wait = "import time; time.sleep(1000)"
mark = case.arguments["mark"]
subprocess.Popen(["python3", "-c", wait, mark, "inside"], start_new_session=True)
python = ["chroot", "/outer", case.arguments["python"]]
subprocess.Popen([*python, "-c", wait, mark, "outside"], start_new_session=True)
case.verdict(begun=True)
"""


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    from PIL import Image

    path = tmp_path / "green.png"
    Image.new("RGB", (320, 200), (40, 160, 60)).save(path)
    return path


def write(folder: Path, text: str) -> Path:
    script = folder / "inside_the_host.py"
    script.write_text(text, encoding="utf-8")
    return script


def processes(mark: str) -> list[str]:
    """The last arguments of the processes that have `mark` among their arguments."""
    found = []
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = cmdline.read_bytes().decode().split("\0")[:-1]
        except OSError:  # ended meanwhile
            continue
        if mark in words:
            found.append(words[-1])
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_krita_opens_a_picture_in_its_window(
    bare_host: HostSession, picture: Path, tmp_path: Path
) -> None:
    facts = bare_host.run_krita(write(tmp_path, KRITA_SCRIPT), picture).facts()
    assert facts["version"].startswith(bare_host.versions.krita)
    assert facts["name"] == "Background"


@pytest.mark.parametrize("window", [False, True], ids=["console", "window"])
def test_gimp_opens_a_picture(
    bare_host: HostSession, picture: Path, tmp_path: Path, window: bool
) -> None:
    run = bare_host.run_gimp if window else bare_host.run_gimp_console
    facts = run(write(tmp_path, GIMP_SCRIPT), picture, window=window).facts()
    assert facts["version"].startswith(bare_host.versions.gimp)
    assert facts["size"] == [320, 200]


def test_a_script_that_raises_is_no_success(bare_host: HostSession, tmp_path: Path) -> None:
    script = write(tmp_path, "def run(document):\n    raise ValueError('on purpose')\nrun(None)\n")
    for run in (bare_host.run_krita, bare_host.run_gimp_console, bare_host.run_gimp):
        result = run(script)
        assert result.rc > 0
        assert "ValueError: on purpose" in result.stdout


def test_a_host_that_hangs_is_ended_in_time(bare_host: HostSession, tmp_path: Path) -> None:
    script = write(tmp_path, "import time\ntime.sleep(1000)\n")
    result = bare_host.run_gimp_console(script, timeout=10)
    assert result.rc < 0
    assert result.seconds < 20
    assert script.name in result.stdout  # the traceback of where it hung


def test_a_daemon_outlives_the_host_but_not_the_session(
    bare_host: HostSession, tmp_path: Path
) -> None:
    mark = str(tmp_path)  # an argument that tells our processes from others
    script = write(tmp_path, BEGIN_DAEMON)
    template = warm.ensure(bare_host.suite, bare_host.root)
    with HostSession(bare_host.suite, bare_host.root, template) as session:
        session.run_gimp_console(script, mark=mark, python=sys.executable).facts()
        assert processes(mark) == ["outside"]
    assert processes(mark) == []


@pytest.mark.parametrize("status", [0, 7])
def test_a_command_gives_its_exit_status(bare_host: HostSession, status: int) -> None:
    argv = roots.command(bare_host.root, ["sh", "-c", f"exit {status}"])
    assert subprocess.run(argv, check=False).returncode == status


def test_a_killed_command_leaves_no_process_and_no_mount(
    bare_host: HostSession, tmp_path: Path
) -> None:
    mark = str(tmp_path)
    shell = ["sh", "-c", "sh -c 'sleep 1000; :' $0 & echo begun; sleep 1000; :", mark]
    argv = roots.command(bare_host.root, shell, {tmp_path: "rw"})
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.kill()
    wait_until(lambda: not processes(mark))
    mounts = Path("/proc/mounts").read_text(encoding="utf-8")
    assert str(bare_host.root) not in mounts
    assert mark not in mounts


def test_mounts_stay_inside_where_the_machine_shares_its_own(bare_host: HostSession) -> None:
    """As systemd has it; each mount would show up outside."""
    show = '"$@"; cat /proc/mounts'
    sharing = ["unshare", "--mount", "--propagation", "shared", "sh", "-c", show, "sh"]
    argv = [*sharing, *roots.command(bare_host.root, ["echo", "was inside"])]
    told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert told.startswith("was inside\n")
    assert str(bare_host.root) not in told


def test_a_root_is_used_only_once_it_is_complete(
    bare_host: HostSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DREAMLAYER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    maker = tmp_path / "mmdebstrap"  # its last argument but one is the folder
    begin = '#!/bin/sh\nwhile [ $# -gt 2 ]; do shift; done; mkdir "$1"\n'
    maker.write_text(begin + "echo no space left; exit 25\n", encoding="utf-8")
    maker.chmod(0o755)
    with pytest.raises(roots.RootError, match="no space left"):
        roots.ensure("trixie")
    maker.write_text(begin + 'touch "$1/complete"\n', encoding="utf-8")
    root = roots.ensure("trixie")
    assert (root / "complete").exists()
    maker.unlink()
    assert roots.ensure("trixie") == root


def test_without_rights_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    reason = roots.why_not()
    assert reason and ("root" in reason or "Debian" in reason)
    with pytest.raises(roots.RootError, match=re.escape(reason)):
        roots.ensure("trixie")
