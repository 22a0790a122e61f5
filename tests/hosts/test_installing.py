"""The plug-ins' zips in real hosts: taken as a user takes them, they install the rest themselves.

The installer in them is a stand-in (`plugin_zips.py`); the daemon that then dreams is the real one.
With --every-way it is the real installer, from a folder with all packages, in a home without any.
"""

from __future__ import annotations

import ast
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from install import roots
from install.archives import packing
from tests.computers.conftest import archive, made, python, wheelhouse
from tests.hosts import plugin_zips, warm
from tests.hosts.session import CHECKOUT, HostSession, Result

__all__ = ["archive", "made", "python", "wheelhouse"]  # fixtures
HERE = Path(__file__).parent
PHOTO = CHECKOUT / "tests/pictures/chelsea.png"
ARGUMENTS = "--offline '/some folder'"
TIMEOUT = 300


def checks(host: str) -> list[str]:
    tree = ast.parse((HERE / host / "installing.py").read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [name for name in names if name.startswith("check_")]


def uninstall(host: HostSession) -> None:
    """Let Dreamlayer be not installed, and the stand-in without network at first."""
    host.run_outside([sys.executable, "-m", "dreamlayer", "stop"])
    shutil.rmtree(host.data / "dreamlayer-setup", ignore_errors=True)
    (host.data / "setup.log").unlink(missing_ok=True)
    launcher = host.data / "launcher.json"
    if launcher.exists():
        launcher.replace(host.data / "launcher.kept")
    (host.data / "offline").touch()


@pytest.fixture(scope="module")
def imported(bare_host: HostSession) -> dict[str, Any]:
    """What Krita's importer said to the zip."""
    if not (CHECKOUT / ".git").exists():
        pytest.skip("archives are made from a git checkout")
    uninstall(bare_host)
    archive = bare_host.folder / "dreamlayer-krita.zip"
    archive.write_bytes(plugin_zips.krita(bare_host))
    script = HERE / "krita" / "importing.py"
    return bare_host.run_krita(script, timeout=TIMEOUT, zip=str(archive)).facts()


@pytest.fixture(scope="module")
def in_krita(bare_host: HostSession, imported: dict[str, Any]) -> Result:
    script = HERE / "krita" / "installing.py"
    bare_host.variables["DREAMLAYER_SETUP_ARGUMENTS"] = ARGUMENTS
    folder = str(bare_host.folder)
    return bare_host.run_krita(script, PHOTO, timeout=TIMEOUT, folder=folder)


def test_krita_imports_and_enables_the_plugin(
    bare_host: HostSession, imported: dict[str, Any]
) -> None:
    (question,) = imported["said"]
    assert "<li>Dreamlayer</li>" in question and "Enable plugins now?" in question
    assert imported["enabled"] == "true"
    assert (bare_host.krita_data / "actions" / "dreamlayer_krita.action").is_file()


@pytest.mark.parametrize("check", checks("krita"))
def test_krita_installs(in_krita: Result, check: str) -> None:
    told = in_krita.verdict.get(check, "The check did not run:\n" + in_krita.stdout)
    assert told == ""


def test_krita_ends_well(in_krita: Result) -> None:
    in_krita.facts()


@pytest.mark.every_way
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("suite", roots.SUITES)
def test_the_real_installer_from_krita_to_the_first_dream(
    suite: str, archive: Path, wheelhouse: Path, python: dict[str, str]
) -> None:
    root = roots.ensure(suite)
    with HostSession(suite, root, warm.ensure(suite, root)) as session:
        uninstall(session)
        (zipped,) = archive.parent.glob("archives/*-krita-linux.zip")
        shutil.copy(zipped, session.folder / "krita.zip")
        shutil.copytree(wheelhouse, session.folder / "wheels")
        shutil.copytree(wheelhouse.parent / "python", session.folder / "python")
        told = session.folder / "python" / "pythons.json"
        told.write_text(told.read_text().replace(str(wheelhouse.parent), str(session.folder)))
        session.variables |= {
            "DREAMLAYER_SETUP_ARGUMENTS": f"--offline {session.folder / 'wheels'}",
            "DREAMLAYER_PYTHON": python["DREAMLAYER_PYTHON"],
            "UV_PYTHON_DOWNLOADS_JSON_URL": str(told),
        }
        script = HERE / "krita" / "importing.py"
        session.run_krita(script, timeout=TIMEOUT, zip=str(session.folder / "krita.zip")).facts()
        script = HERE / "krita" / "installing_for_real.py"
        facts = session.run_krita(script, PHOTO, timeout=1500, folder=str(session.folder)).facts()
        assert facts == {"check_install_and_the_first_dream": ""}
        assert (session.data / "env" / "dreamlayer.stamp").is_file()


@pytest.fixture(scope="module")
def in_gimp(bare_host: HostSession) -> Result:
    """GIMP with the zip's folder in its plug-ins, as a file manager unpacks it."""
    if not (CHECKOUT / ".git").exists():
        pytest.skip("archives are made from a git checkout")
    uninstall(bare_host)
    packing.write_folder(bare_host.gimp_profile / "plug-ins", plugin_zips.gimp(bare_host))
    bare_host.variables["DREAMLAYER_SETUP_ARGUMENTS"] = ARGUMENTS
    script = HERE / "gimp" / "installing.py"
    return bare_host.run_gimp(script, PHOTO, timeout=TIMEOUT, scripts=str(HERE / "gimp"))


@pytest.mark.parametrize("check", checks("gimp"))
def test_gimp_installs(in_gimp: Result, check: str) -> None:
    told = in_gimp.verdict.get(check, "The check did not run:\n" + in_gimp.stdout)
    assert told == "ok"


def test_gimp_ends_well(in_gimp: Result) -> None:
    in_gimp.facts()
