"""systemd and desktops start exactly the daemon's command, wherever its folder is."""

import os
import string
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from install.errors import InstallError
from install.login import entry, units
from install.login.choice import StartPlan
from tests.install.stand_ins import login, need
from tests.install.user_session import UserSession

# Stands in for the daemon's Python: writes down how it was called, and where.
PYTHON = """#!/bin/sh
for word in "$0" "$@" "$DREAMLAYER_HOME" "$PWD"; do printf '%s\\0' "$word"; done > "$0.new"
mv "$0.new" "$0.called"
"""
ARGUMENTS = ("-I", "-m", "dreamlayer", "serve")
FOLDERS = [  # names for a home that mean something to systemd, a shell or a desktop
    "Zoë Müller 100%", "%h %n %%", "$HOME ${PATH} $$", "`id` $(id)", "it's", 'a"b', "\\",
    "\\x41\\n", " at both ends ", "a=b", "; # c", "-x", "~", "'", "{a,b}*?", "日本　語", "😀",
    "a:b|c&d",
]  # fmt: skip
letters = st.one_of(
    st.sampled_from(string.punctuation.replace("/", "") + " "),
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/"),
)
names = st.text(letters, min_size=1, max_size=20).filter(lambda name: name.strip("."))
SOON = 20.0  # seconds


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UserSession]:
    with login(tmp_path_factory.mktemp("user")) as session:
        yield session


@pytest.fixture
def config(session: UserSession) -> Path:
    return Path(session.environ["HOME"], ".config")


def make_plan(folder: Path, has_home: bool) -> StartPlan:
    """A plan for a Python below the folder, which is made."""
    python = folder / "env" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    wishes = (folder / "wanted", folder / "snap" / "wanted")
    return StartPlan(python, ARGUMENTS, folder if has_home else None, True, wishes)


def called(plan: StartPlan) -> list[str]:
    """How the plan's Python was called, and its folder; waits for that."""
    told = Path(f"{plan.python}.called")
    wait_until(told.exists, str(plan.python))
    return told.read_bytes().decode().split("\0")[:-1]


def as_planned(plan: StartPlan) -> list[str]:
    return [str(plan.python), *ARGUMENTS, str(plan.chosen_home or ""), "/"]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.02)


def plans(folder: Path, names: list[str]) -> list[StartPlan]:
    """A plan for each name, numbered to differ; the second of each two has a chosen folder."""
    parents = [folder / str(number) / name for number, name in enumerate(names)]
    return [make_plan(path, number % 2 == 1) for number, path in enumerate(parents)]


repeatedly = settings(
    max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@repeatedly
@example(FOLDERS)
@given(st.lists(names, min_size=2, max_size=12))
def test_a_wish_starts_exactly_the_command(
    session: UserSession, config: Path, tmp_path_factory: pytest.TempPathFactory, names: list[str]
):
    folder = config / "systemd" / "user"
    folder.mkdir(parents=True, exist_ok=True)
    made = plans(tmp_path_factory.mktemp("wishes"), names)
    for number, plan in enumerate(made):
        (folder / f"test{number}.service").write_text(units.service(plan))
        path = units.path(plan).replace(units.SERVICE, f"test{number}.service")
        (folder / f"test{number}.path").write_text(path)
    session.systemctl("daemon-reload")
    watching = [f"test{number}.path" for number in range(len(made))]
    session.systemctl("start", *watching)
    for number, plan in enumerate(made):
        wish = plan.wishes[number % 2]
        wish.parent.mkdir(exist_ok=True)
        wish.touch()
    for plan in made:
        assert called(plan) == as_planned(plan)
        assert not any(os.path.lexists(wish) for wish in plan.wishes)
    session.systemctl("stop", *watching)


@repeatedly
@example(FOLDERS)
@given(st.lists(names, min_size=2, max_size=12))
def test_the_desktops_entry_starts_exactly_the_command(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
):
    """As GLib understands it, which GNOME and Xfce use."""
    need("gio", "libglib2.0-bin")
    top = tmp_path_factory.mktemp("entries")
    for plan in plans(top, [name.replace("=", "") or "_" for name in names]):
        (top / "test.desktop").write_text(entry.text(plan))
        subprocess.run(["gio", "launch", top / "test.desktop"], check=True)
        assert called(plan) == as_planned(plan)


def test_systemd_understands_the_desktops_entry(session: UserSession, config: Path, tmp_path: Path):
    """Which starts such entries for some desktops."""
    (config / "autostart").mkdir(parents=True)
    plan = make_plan(tmp_path / FOLDERS[0], True)
    (config / "autostart" / entry.NAME).write_text(entry.text(plan))
    session.systemctl("daemon-reload")
    session.systemctl("start", "app-dreamlayer@autostart.service")
    assert called(plan) == as_planned(plan)


def test_the_desktops_entry_escapes_what_its_specification_says(tmp_path: Path):
    """Also what GLib takes as it is: once for the quotes, and each backslash twice as a string."""
    text = entry.text(StartPlan(tmp_path / 'a"b`c$d\\e', ()))
    assert r'/a\\"b\\`c\\$d\\\\e"' in text


def test_an_equals_sign_in_the_path_of_the_program_is_told(tmp_path: Path):
    with pytest.raises(InstallError, match=r"a=b/env.* equals sign: set DREAMLAYER_HOME"):
        entry.text(make_plan(tmp_path / "a=b", False))


def test_systemd_finds_nothing_to_complain_about(session: UserSession, tmp_path: Path):
    plan = make_plan(tmp_path / FOLDERS[0], True)
    for name, text in ((units.SERVICE, units.service(plan)), (units.PATH, units.path(plan))):
        (tmp_path / name).write_text(text)
    files = [str(tmp_path / name) for name in (units.SERVICE, units.PATH)]
    done = session.run("systemd-analyze", "--user", "verify", *files)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_wish_that_can_not_be_removed_does_not_start_the_daemon_again_and_again(
    session: UserSession, config: Path, tmp_path: Path
):
    plan = make_plan(tmp_path, False)
    plan.python.write_text('#!/bin/sh\necho >> "$0.count"\n')
    (plan.wishes[0] / "planted").mkdir(parents=True)
    folder = config / "systemd" / "user"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / units.SERVICE).write_text(units.service(plan))
    (folder / units.PATH).write_text(units.path(plan))
    session.systemctl("daemon-reload")
    session.systemctl("start", units.PATH)
    wait_until(lambda: session.systemctl("is-active", units.PATH) == "failed", "it gives up")
    assert len(Path(f"{plan.python}.count").read_text()) == 5


@pytest.mark.parametrize("name", ["line\nbreak", "\x1b[31m", "\udcff"])
def test_a_path_that_no_unit_can_name_is_told(name: str):
    plan = StartPlan(Path("/home", name, "python"), ARGUMENTS)
    for text in (units.service, entry.text):
        with pytest.raises(InstallError, match=r"control characters.*Set DREAMLAYER_HOME"):
            text(plan)
