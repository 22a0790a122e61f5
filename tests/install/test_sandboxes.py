"""After the computer was started anew: a plug-in in a Flatpak or Snap gets its daemon.

The sandboxes are bubblewrap's, systemd is the real one, the plug-in is installed as for Krita.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgpack
import pytest

from install.environment import Environment
from install.hosts import copying
from tests.install import borrowed, sandboxes
from tests.install.outside import INSTALL, REMOVE, outside
from tests.install.stand_ins import login, need
from tests.install.user_session import UserSession

CHECKOUT = Path(__file__).parents[2]
BOOT_BEFORE = "0123456789abcdef"  # the machine's identity before it was started anew
PATIENCE = 300.0  # seconds for torch to come from a cold disk of a busy machine, and a dream

Sandbox = Callable[[UserSession, Sequence[str]], list[str]]
DATA = {  # where Krita keeps its data there
    sandboxes.flatpak: ".var/app/org.kde.krita/data/krita",
    sandboxes.snap: "snap/krita/current/.local/share/krita",
}

# The plug-in, in a sandbox. Its arguments: the folder of the plug-in, then code to run before.
PLUG_IN = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from dreamlink.client import client, discovery, launch, wish
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream
from dreamlink.wire.messages import DreamRequest
exec(sys.argv[2])
told = {"sandboxed": discovery.is_sandboxed(), "hidden": not discovery.home().is_dir()}
said = []
try:
    link = launch.connect(show=said.append)
except client.LinkError as error:
    told["error"] = str(error)
else:
    picture = Picture(32, 32, "U8", "RGB")
    recipe = Recipe.of({"octaves": 1, "steps": 1})
    grey = bytes(range(256)) * 12
    dream = Dream(link, DreamRequest(recipe, picture, picture.region), grey)
    while not dream.over:
        dream.receive(*link.receive(300))
    told |= {"state": dream.state.value, "changed": bytes(dream.pixels) != grey}
    if "stop" in sys.argv:
        link.send({"op": "stop", "id": "x"})
        link.receive(20)
print(json.dumps(told | {"said": said}))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user with Krita as a Flatpak and a Snap, and Dreamlayer's environment."""
    home = tmp_path_factory.mktemp("users") / "Zoë Müller 100%"
    msgpack_folder = Path(msgpack.__file__).parent
    for data in DATA.values():
        copying.install_krita(CHECKOUT, home / data, msgpack_folder)
    (home / "snap/krita/common").mkdir()
    borrowed.make(Environment(home / ".local/share/dreamlayer/env"))
    return home


@pytest.fixture
def session(home: Path) -> Iterator[UserSession]:
    need("bwrap", "bubblewrap")
    with login(home) as session:
        yield session


@pytest.fixture(params=[sandboxes.flatpak, sandboxes.snap], ids=["flatpak", "snap"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    chosen: Sandbox = request.param
    return chosen


def plug_in(session: UserSession, sandbox: Sandbox, *words: str, before: str = "") -> Any:
    """What the plug-in tells that connects from the sandbox, and dreams."""
    folder = Path(session.environ["HOME"], DATA[sandbox], "pykrita", copying.KRITA_LIBRARIES)
    argv = [str(sandboxes.PYTHON), "-I", "-c", PLUG_IN, str(folder), before, *words]
    done = subprocess.run(
        sandbox(session, argv), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["sandboxed"]
    assert told["hidden"] == (sandbox is sandboxes.snap)
    return told


def wishes(home: Path) -> list[Path]:
    return list(home.rglob("wanted*"))


def leave_files_of_the_boot_before(home: Path) -> None:
    """As of a daemon that ended with the computer: its address, which nobody listens at now."""
    info = {
        "protocol": 2, "version": "0", "endpoint": "tcp://127.0.0.1:9", "token": "t", "pid": 1,
    }  # fmt: skip
    for folder in (home / ".local/share/dreamlayer", home / "snap/krita/common/dreamlayer"):
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "daemon.json").write_text(json.dumps(info))
        (folder / "daemon.machine").write_text(BOOT_BEFORE)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.1)


def has_ended(session: UserSession) -> bool:
    return session.systemctl("is-active", "dreamlayer.service") == "inactive"


def test_the_daemon_is_started_and_dreams(session: UserSession, home: Path, sandbox: Sandbox):
    said = outside(session, INSTALL)
    assert "on demand, by systemd; also for Krita or GIMP in a Flatpak or Snap" in said
    leave_files_of_the_boot_before(home)
    for _ in range(2):  # also after it was stopped: the path unit watches again
        told = plug_in(session, sandbox, "stop")
        assert (told.get("state"), told.get("changed")) == ("done", True), told
        assert told["said"]
        wait_until(lambda: has_ended(session), "the end of the daemon")
        assert wishes(home) == []
        assert session.systemctl("is-active", "dreamlayer.path") == "active"
        assert (
            session.systemctl("show", "--value", "-p", "Result", "dreamlayer.service") == "success"
        )


def test_where_nothing_watches_the_user_is_told_what_to_do(
    session: UserSession, home: Path, sandbox: Sandbox
):
    outside(session, REMOVE)
    leave_files_of_the_boot_before(home)
    told = plug_in(session, sandbox, before="wish.TAKEN_WITHIN = 1.0")
    assert "run Dreamlayer's install.py again" in told["error"]
    assert "`dreamlayer serve`" in told["error"]
    assert wishes(home) == []


def test_a_daemon_that_does_not_start_is_told_and_tried_once(
    session: UserSession, home: Path, sandbox: Sandbox
):
    outside(session, INSTALL)
    environment = home / ".local/share/dreamlayer/env"
    environment.rename(environment.with_name("gone"))
    try:
        python = environment / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text('#!/bin/sh\necho >> "$0.count"\nexit 1\n')
        python.chmod(0o755)
        told = plug_in(session, sandbox, before="launch.START_TIMEOUT = 3.0")
        assert Path(f"{python}.count").read_text() == "\n"
    finally:
        shutil.rmtree(environment)
        environment.with_name("gone").rename(environment)
    assert "was started outside this program's sandbox, but does not answer" in told["error"]
    assert "`dreamlayer doctor`" in told["error"]
    assert wishes(home) == []
    assert session.systemctl("is-active", "dreamlayer.service") == "failed"


def test_at_the_next_login_the_daemon_runs_if_the_user_wants_that(home: Path):
    with login(home) as session:
        assert "at login, by systemd" in outside(session, INSTALL.replace("None", "True"))
        assert session.systemctl("is-active", "dreamlayer.service") == "inactive"
    file = home / ".local/share/dreamlayer/daemon.json"
    file.unlink(missing_ok=True)
    with login(home) as session:
        wait_until(file.exists, "the daemon of the second login")
        assert session.systemctl("is-active", "dreamlayer.service", "dreamlayer.path").split() == [
            "active", "active",
        ]  # fmt: skip
        outside(session, INSTALL.replace("None", "False"))
        assert session.systemctl("is-active", "dreamlayer.service") == "active"  # it may dream
    file.unlink(missing_ok=True)
    with login(home) as session:
        assert session.systemctl("is-active", "dreamlayer.service") == "inactive"
        assert session.systemctl("is-active", "dreamlayer.path") == "active"


def test_systemd_has_nothing_of_ours_after_it_was_removed(session: UserSession, home: Path):
    outside(session, INSTALL)
    assert session.systemctl("is-enabled", "dreamlayer.path") == "enabled"
    outside(session, REMOVE)
    assert "dreamlayer" not in session.systemctl("list-unit-files", "--all")
    assert "dreamlayer" not in session.systemctl("list-units", "--all")
    assert [path for path in (home / ".config").rglob("*") if "dreamlayer" in path.name] == []
