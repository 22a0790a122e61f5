"""Krita in a stand-in for its Flatpak: after a reboot, a dream starts the daemon outside."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import msgpack

from install.environment import Environment
from install.hosts import copying, kritarc
from tests.hosts.session import CHECKOUT, DRIVER, INSIDE, SCREENSHOTS, HostSession
from tests.install import borrowed, sandboxes
from tests.install.outside import INSTALL, outside
from tests.install.stand_ins import login, need

TIMEOUT = 300.0  # seconds
SCRIPT = """
import case
import desk
from dreamlink.client import discovery
from dreamlink.recipe.recipe import Recipe


def run(_document):
    desk.docker().setVisible(True)
    yield from desk.new_document()
    desk.session().show_recipe(Recipe.of({**desk.QUICK, **desk.PLAIN}))
    case.verdict(sandboxed=discovery.is_sandboxed(), running=discovery.find() is not None)
    desk.trigger()
    yield from desk.until(lambda: not desk.busy(), "the dream is done", 200)
    case.verdict(message=desk.message(), layers=len(desk.app.activeDocument().topLevelNodes()))
"""


def make_home(home: Path) -> None:
    """A user whose Krita is a Flatpak, with our plug-in and the tests' driver, both enabled."""
    box = home / ".var/app/org.kde.krita"
    copying.install_krita(CHECKOUT, box / "data/krita", Path(msgpack.__file__).parent)
    pykrita = box / "data/krita/pykrita"
    shutil.copy(INSIDE / f"{DRIVER}.desktop", pykrita)
    shutil.copytree(INSIDE / DRIVER, pykrita / DRIVER)
    (box / "config").mkdir()
    (box / "config/kritarc").write_text(f"[python]\nenable_{DRIVER}=true\n", encoding="utf-8")
    kritarc.enable(box / "config/kritarc")
    borrowed.make(Environment(home / ".local/share/dreamlayer/env"))


def test_krita_dreams_in_a_flatpak_though_no_daemon_runs(
    bare_host: HostSession, tmp_path: Path
) -> None:
    need("bwrap", "bubblewrap")
    home = tmp_path / "Zoë 100%"
    make_home(home)
    work = home / "work"
    (work / "run").mkdir(mode=0o700, parents=True)
    (work / "script.py").write_text(SCRIPT, encoding="utf-8")
    case = {
        "script": str(work / "script.py"),
        "picture": None,
        "arguments": {"folder": str(work)},
        "verdict": str(work / "verdict.json"),
        "screenshots": str(SCREENSHOTS),
        "prefix": f"{bare_host.suite}-flatpak",
        "end": time.time() + TIMEOUT,
    }
    (work / "case.json").write_text(json.dumps(case), encoding="utf-8")
    variables = {
        "LC_ALL": "C.UTF-8",
        "XDG_RUNTIME_DIR": str(work / "run"),
        "DREAMLAYER_TEST_INSIDE": str(INSIDE),
        "DREAMLAYER_TEST_CASE": str(work / "case.json"),
        "PYTHONPATH": str(CHECKOUT / "tests/hosts/krita"),
        "PYTHONWARNINGS": "ignore::SyntaxWarning",
    }
    argv = ["sh", str(INSIDE / "desktop.sh"), "krita", "--nosplash"]
    checkout = ["--ro-bind", str(CHECKOUT), str(CHECKOUT)]
    with login(home) as session:
        outside(session, INSTALL)
        command = sandboxes.flatpak(session, argv, *checkout, root=bare_host.root, **variables)
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert session.systemctl("is-active", "dreamlayer.service") == "active"
    told = json.loads((work / "verdict.json").read_text(encoding="utf-8"))
    assert (told["sandboxed"], told["running"], told["layers"]) == (True, False, 2), told
    assert told["message"].startswith("Dreamed in ")
