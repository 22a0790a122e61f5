"""What starts the daemon besides programs: set up, shown, kept, and removed, on every system."""

from __future__ import annotations

import os
import plistlib
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from install import installer
from install.errors import InstallError
from install.hosts.places import Machine
from install.login import choice, setup, windows
from install.login.choice import StartPlan
from install.own import Own

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")

# Stands in for systemctl: does what `enable` and `disable` do to files, and writes down the rest.
SYSTEMCTL = """#!/bin/sh
PATH=/usr/bin:/bin
shift 2
echo "$@" >> "{log}"
units="{config}/systemd/user"
case "$1" in
{refused}) exit 1 ;;
enable) mkdir -p "$units/default.target.wants"; ln -sf x "$units/default.target.wants/$2" ;;
disable) rm -f "$units/default.target.wants/$2" ;;
is-enabled) test -L "$units/default.target.wants/$2" ;;
esac
"""


class UserComputer:
    """A computer of one system, with Dreamlayer's folder."""

    def __init__(self, top: Path, platform: str) -> None:
        self.top = top
        self.home = top / "home" / "zoe"
        self.own = Own(self.home / "dreamlayer")
        self.own.make()
        environ = {"PATH": str(top / "bin")}
        self.machine = Machine(platform, self.home, environ, top)
        self.config = self.home / ".config"
        self.log = top / "told"

    def has_program(self, name: str, text: str) -> None:
        program = self.top / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)

    def has_systemd(self, refused: str = "nothing") -> None:
        """systemd, which refuses some commands."""
        (self.top / "run/systemd/system").mkdir(parents=True, exist_ok=True)
        text = SYSTEMCTL.format(log=self.log, config=self.config, refused=refused)
        self.has_program("systemctl", text)

    def has_flatpak(self) -> None:
        (self.home / ".var/app/org.kde.krita").mkdir(parents=True)

    def told(self) -> list[str]:
        """What systemctl or launchctl was told since the last call."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return lines

    def files(self) -> set[str]:
        """Names of what lies in folders that start programs."""
        folders = (self.config, self.home / "Library")
        return {path.name for top in folders for path in top.rglob("*") if not path.is_dir()}

    def arrange(self, asked: bool | None = None) -> list[str]:
        return setup.arrange(self.own, self.machine, asked)

    def state(self) -> tuple[bool, str]:
        return setup.state(self.own, self.machine)

    def remove(self) -> bool:
        return setup.remove(self.machine)


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UserComputer:
    computer = UserComputer(tmp_path, "linux")
    monkeypatch.setenv("DREAMLAYER_HOME", str(computer.own.home))
    return computer


UNITS = {"dreamlayer.service", "dreamlayer.path"}
ENTRY = "dreamlayer.desktop"


@posix
class TestLinux:
    def test_on_demand_needs_nothing(self, linux: UserComputer, capsys):
        linux.has_systemd()
        assert linux.arrange() == []
        assert (linux.files(), linux.told()) == (set(), [])
        assert capsys.readouterr().out == ""
        assert linux.state() == (True, setup.ON_DEMAND)
        assert not linux.remove()

    def test_a_sandboxed_host_gets_units_that_are_watched_at_once(
        self, linux: UserComputer, capsys
    ):
        linux.has_systemd()
        linux.has_flatpak()
        assert linux.arrange() == []
        assert linux.files() == UNITS
        assert {path.name for path in linux.config.rglob("*.wants/*")} == {"dreamlayer.path"}
        assert "restart dreamlayer.path" in linux.told()
        assert "can start the daemon, through systemd\n" in capsys.readouterr().out
        assert linux.state() == (
            True,
            "Start: on demand, by systemd; also for Krita or GIMP in a Flatpak or Snap",
        )

    def test_autostart_is_kept_by_updates_and_undone(self, linux: UserComputer, capsys):
        linux.has_systemd()
        for asked in (True, None):
            assert linux.arrange(asked) == []
            assert linux.files() == {"dreamlayer.service"}
            assert linux.state() == (True, "Start: at login, by systemd")
        linux.told()
        assert linux.arrange(False) == []
        assert linux.files() == set()
        assert "stop dreamlayer.service" not in linux.told()  # it may be dreaming
        assert "no longer started at login" in capsys.readouterr().out
        assert linux.state() == (True, setup.ON_DEMAND)

    def test_no_autostart_leaves_a_sandboxed_host_what_it_needs(self, linux: UserComputer):
        linux.has_systemd()
        linux.has_flatpak()
        linux.arrange(True)
        linux.arrange(False)
        assert linux.files() == UNITS
        assert {path.name for path in linux.config.rglob("*.wants/*")} == {"dreamlayer.path"}

    def test_a_host_that_is_gone_needs_no_units_any_more(self, linux: UserComputer):
        linux.has_systemd()
        linux.has_flatpak()
        linux.arrange(True)
        (linux.home / ".var/app/org.kde.krita").rmdir()
        linux.arrange()
        assert linux.files() == {"dreamlayer.service"}

    def test_without_systemd_the_desktop_starts_the_daemon(self, linux: UserComputer, capsys):
        linux.has_flatpak()
        assert linux.arrange() == []
        assert linux.files() == {ENTRY}
        assert "systemd can't start it on demand here" in capsys.readouterr().out
        good, sentence = linux.state()
        assert good and sentence.startswith("Start: at login, by")
        assert linux.remove()
        assert linux.files() == set()

    def test_who_wants_no_autostart_gets_none_without_systemd_either(
        self, linux: UserComputer, capsys
    ):
        linux.has_flatpak()
        linux.arrange()
        assert linux.arrange(False) == []
        assert linux.files() == set()
        assert "run `dreamlayer serve` in a terminal after each login" in capsys.readouterr().out
        assert linux.state()[0]

    @pytest.mark.parametrize("refused", ["daemon-reload|restart|is-active|show-environment"])
    def test_where_nobody_is_logged_in_the_next_login_has_it(
        self, linux: UserComputer, capsys, refused: str
    ):
        linux.has_systemd(refused)
        linux.has_flatpak()
        assert linux.arrange() == []
        assert linux.files() == UNITS
        assert "from your next login on" in capsys.readouterr().out
        assert linux.state()[0]

    def test_a_systemd_that_refuses_is_done_without(self, linux: UserComputer):
        linux.has_flatpak()
        linux.has_systemd("enable")
        assert linux.arrange() == []
        assert linux.files() == {ENTRY}
        linux.has_systemd()
        assert linux.arrange() == []
        assert linux.files() == UNITS

    def test_what_is_missing_or_does_not_run_is_told_by_check(self, linux: UserComputer):
        linux.has_flatpak()
        linux.has_systemd()
        assert not linux.state()[0]
        linux.arrange(True)
        assert linux.state()[0]
        linux.has_systemd("is-active")
        good, sentence = linux.state()
        assert not good and sentence.startswith("Start: dreamlayer.path does not run")
        linux.has_systemd()
        (linux.config / "systemd/user/dreamlayer.path").write_text("damaged")
        good, sentence = linux.state()
        assert not good and sentence.endswith("run install.py again.")

    @pytest.mark.parametrize("link", [False, True], ids=["file", "mask"])
    def test_units_that_are_not_ours_stay_as_they_are(self, linux: UserComputer, link: bool):
        linux.has_systemd()
        linux.has_flatpak()
        theirs = linux.config / "systemd/user/dreamlayer.service"
        theirs.parent.mkdir(parents=True)
        if link:
            theirs.symlink_to("/dev/null")
        else:
            theirs.write_text("[Service]\nExecStart=/bin/true\n")
        (problem,) = linux.arrange()
        assert f"{theirs} is not Dreamlayer's" in problem
        linux.remove()
        assert theirs.is_symlink() if link else "true" in theirs.read_text()

    def test_a_folder_that_everybody_can_write_gets_nothing(self, linux: UserComputer):
        linux.has_systemd()
        linux.has_flatpak()
        folder = linux.config / "systemd/user"
        folder.mkdir(parents=True)
        folder.chmod(0o777)
        (problem,) = linux.arrange()
        assert "can be written by other users" in problem and "chmod go-w" in problem
        assert linux.files() == set()

    def test_uninstalling_stops_both_units(self, linux: UserComputer):
        linux.has_systemd()
        linux.has_flatpak()
        linux.arrange(True)
        linux.told()
        assert linux.remove()
        assert linux.told()[0] == "stop dreamlayer.path dreamlayer.service"
        assert linux.files() == set()
        assert not linux.remove()

    def test_what_systemctl_can_not_disable_any_more_is_removed(self, linux: UserComputer):
        linux.has_systemd()
        linux.arrange(True)
        (linux.top / "bin/systemctl").unlink()
        linux.remove()
        assert linux.files() == set()

    def test_a_damaged_record_is_none(self, linux: UserComputer):
        for text in ("", "[]", "{}", '{"at_login": "yes"}', "\xff"):
            linux.own.start_record.write_text(text)
            assert choice.read(linux.own) is None


@posix
def test_macos_has_a_launch_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DREAMLAYER_HOME", raising=False)
    mac = UserComputer(tmp_path, "darwin")
    mac.has_program("launchctl", f'#!/bin/sh\necho "$@" >> "{mac.log}"\nexit 5\n')
    agent = mac.home / "Library/LaunchAgents/dreamlayer.daemon.plist"
    assert mac.arrange() == [] and mac.files() == set()
    for asked in (True, None):
        assert mac.arrange(asked) == []
        told = plistlib.loads(agent.read_bytes())
        assert told["ProgramArguments"] == mac.own.start_command
        assert told["RunAtLoad"] is True
        assert mac.state() == (True, f"Start: at login, by {agent}")
    domain = f"gui/{os.getuid()}"
    once = [f"bootout {domain}/dreamlayer.daemon", f"bootstrap {domain} {agent}"]
    assert mac.told() == once  # an update changes nothing, and stops nothing
    assert mac.arrange(False) == []
    assert (mac.files(), mac.told()) == (set(), [])
    mac.arrange(True)
    agent.write_text("damaged")
    assert mac.state() == (
        False,
        f"Start: {agent} is missing or not up to date: run install.py again.",
    )
    assert mac.arrange() == [] and mac.state()[0]
    assert mac.remove() and not mac.remove()
    assert mac.files() == set()


class FakeRegistry:
    """winreg's functions that are used, for one key."""

    HKEY_CURRENT_USER, REG_SZ, KEY_SET_VALUE = "HKCU", 1, 2

    def __init__(self) -> None:
        self.values: dict[str, Any] | None = None

    @contextmanager
    def OpenKey(self, top: str, name: str, reserved: int = 0, access: int = 1):  # noqa: N802
        assert (top, name) == ("HKCU", r"Software\Microsoft\Windows\CurrentVersion\Run")
        if self.values is None:
            raise FileNotFoundError(2, "no such key")
        yield access

    @contextmanager
    def CreateKey(self, top: str, name: str):  # noqa: N802
        self.values = {} if self.values is None else self.values
        with self.OpenKey(top, name):
            yield self.KEY_SET_VALUE

    def SetValueEx(self, key: int, name: str, _: int, kind: int, value: str):  # noqa: N802
        assert (key, kind) == (self.KEY_SET_VALUE, self.REG_SZ) and self.values is not None
        self.values[name] = value

    def QueryValueEx(self, key: int, name: str):  # noqa: N802
        assert self.values is not None
        if name not in self.values:
            raise FileNotFoundError(2, "no such value")
        return self.values[name], self.REG_SZ

    def DeleteValue(self, key: int, name: str):  # noqa: N802
        assert key == self.KEY_SET_VALUE and self.values is not None
        del self.values[name]


def test_windows_has_a_value_of_the_key_run(tmp_path: Path):
    registry = FakeRegistry()
    python = tmp_path / "Zoë Müller" / "env" / "Scripts" / "python.exe"
    plan = StartPlan(python, ("-I", "-m", "dreamlayer", "serve"), at_login=True)
    assert not windows.state(plan, registry)[0]
    for _ in range(2):
        assert windows.arrange(plan, registry)
        assert registry.values == {
            "Dreamlayer": f'"{python.with_name("pythonw.exe")}" -I -m dreamlayer serve'
        }
        assert windows.state(plan, registry) == (True, "at login, by the registry's key Run")
    assert registry.values is not None
    registry.values["Theirs"] = "theirs.exe"
    on_demand = StartPlan(python, plan.arguments, at_login=False)
    assert "no longer" in windows.arrange(on_demand, registry)
    assert windows.arrange(on_demand, registry) == ""
    assert not windows.remove(registry)
    assert registry.values == {"Theirs": "theirs.exe"}


def test_what_windows_would_not_start_is_told():
    registry = FakeRegistry()
    plan = StartPlan(Path("C:/", "d" * 250, "python.exe"), ("-m", "dreamlayer"), at_login=True)
    with pytest.raises(InstallError, match=r"260 characters.* set DREAMLAYER_HOME to .* shorter"):
        windows.arrange(plan, registry)
    assert registry.values is None


@pytest.mark.parametrize("action", ["--check", "--uninstall"])
@pytest.mark.parametrize("option", ["--autostart", "--no-autostart"])
def test_the_choice_is_for_installing(action: str, option: str, capsys):
    with pytest.raises(SystemExit):
        installer.main(Path(), [action, option])
    assert "--autostart is for installing" in capsys.readouterr().err
