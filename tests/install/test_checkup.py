"""install.py --check of installations that broke off or were damaged: it says what is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from install import checkup
from install.builds.cards import Computer
from install.environment import STAMP, Environment
from install.hosts.places import Machine
from install.own import Own
from install.packages.project import fingerprint

CHECKOUT = Path(__file__).parents[2]
Package = Callable[..., Path]
HERE = Computer("linux", "x86")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Own:
    """A folder with an environment without packages."""
    monkeypatch.setenv("DREAMLAYER_HOME", str(tmp_path / "home"))
    mine = Own.of_this_user()
    python = [sys.executable, "-m", "venv", "--without-pip", mine.environment.folder]
    subprocess.run(python, check=True)
    return mine


@pytest.fixture
def package(own: Own) -> Package:
    """Puts a package with one module into the environment."""

    def put(name: str, version: str = "1.0", requires: str = "", length: int = 10) -> Path:
        version_folder = f"python{sys.version_info.major}.{sys.version_info.minor}"
        site = own.environment.folder / "lib" / version_folder / "site-packages"
        info = site / f"{name}-{version}.dist-info"
        info.mkdir()
        lines = [f"Name: {name}", f"Version: {version}"]
        lines += [f"Requires-Dist: {line}" for line in requires.splitlines()]
        (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, "", ""]))
        (site / f"{name}.py").write_text("#" * 10)
        (info / "RECORD").write_text(f"{name}.py,sha256=x,{length}\n")
        return site / f"{name}.py"

    return put


def check(own: Own, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is not in order."""
    assert checkup.check(CHECKOUT, own, Machine("linux", tmp_path, {}, tmp_path), HERE) == 1
    out = capsys.readouterr().out
    assert "Traceback" not in out
    return [line for line in out.splitlines() if line.startswith("!!")]


def test_an_installation_that_broke_off_before_the_libraries(
    own: Own, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = check(own, tmp_path, capsys)
    assert "broke off: run install.py again." in wrong[0]
    assert "Libraries: dreamlayer is missing: delete " in wrong[1]
    assert "Launcher" in wrong[2]
    assert not any("Daemon" in line for line in wrong)  # it can't start without them


def test_libraries_that_are_missing_old_or_half_unpacked(own: Own, package: Package) -> None:
    package("dreamlayer", requires="here==1.0\nold==2.0\ngone==1.0\nany==3; python_version>'3'\n"
            "test==1; extra == 'test'\nhalf==1.0\ncut==1.0")  # fmt: skip
    package("here")
    package("any", "3.0")
    package("old")
    package("half").unlink()
    package("cut", length=11)
    assert checkup.library_problems(own.environment) == [
        "old 1.0 is not the required 2.0",
        "gone is missing",
        "half is damaged (half.py)",
        "cut is damaged (cut.py)",
    ]


def test_an_environment_that_is_whole_has_no_problems() -> None:
    class Mine(Environment):
        python = Path(sys.executable)  # type: ignore[assignment]

    assert checkup.library_problems(Mine(Path(sys.prefix))) == []


def test_a_complete_environment_of_other_sources_is_told_from_one_that_broke_off(
    own: Own, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own.environment.folder / STAMP).write_text("older sources")
    assert "was built from other sources" in check(own, tmp_path, capsys)[0]
    (own.environment.folder / STAMP).write_text(fingerprint(CHECKOUT))
    assert "Libraries: dreamlayer is missing" in check(own, tmp_path, capsys)[0]


@pytest.mark.parametrize("damage", ["gone", "not executable", "not a program", "another version"])
def test_a_python_that_does_not_start(
    own: Own, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    python = own.environment.python
    if damage == "another version":
        libraries_folder = next(own.environment.folder.glob("lib/python3*"))
        libraries_folder.rename(libraries_folder.with_name("python3.1"))
    else:
        python.unlink()
    if damage.startswith("not"):
        python.write_text("\0nonsense")
        python.chmod(0o644 if damage == "not executable" else 0o755)
    (wrong,) = check(own, tmp_path, capsys)
    assert "no longer works: run install.py again." in wrong


def test_an_environment_that_is_a_file(
    own: Own, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = own.environment.folder
    folder.rename(tmp_path / "elsewhere")
    folder.write_text("")
    assert "no longer works" in check(own, tmp_path, capsys)[0]


@pytest.mark.parametrize("launcher", ["", "{", '{"command": ["/nowhere/python"]}', "[]"])
def test_a_launcher_that_leads_nowhere(
    own: Own, tmp_path: Path, capsys: pytest.CaptureFixture[str], launcher: str
) -> None:
    own.launcher.write_text(launcher)
    assert any("Launcher: " in line for line in check(own, tmp_path, capsys))
