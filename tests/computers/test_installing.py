"""Installing, using, updating and uninstalling as a person without rights and network does."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from install import roots
from tests.computers.conftest import CHECKOUT
from tests.computers.person import Person

ENVIRONMENT = ".local/share/dreamlayer/env"
KERNEL = "from dreamlayer.networks.executors.kernel import library; print(library.{})"
EVERY_WAY = pytest.mark.every_way
BOTH = pytest.mark.parametrize(
    "person", ["trixie-bare", pytest.param("bookworm-bare", marks=EVERY_WAY)], indirect=True
)
WITH_PYTHON = pytest.mark.parametrize("person", ["bookworm-bare"], indirect=True)
WITHOUT_PYTHON = pytest.mark.parametrize("person", ["trixie-bare"], indirect=True)
PATIENCE = 1800  # seconds for a test: ten installations
pytestmark = [pytest.mark.slow, pytest.mark.timeout(PATIENCE)]


@pytest.fixture
def unpacked(person: Person, archive: Path) -> Path:
    """The unpacked archive in the person's home."""
    return person.keep(archive, "Down loads")


@BOTH
def test_from_the_archive_to_a_dream_an_update_and_back(
    person: Person, unpacked: Path, wheelhouse: Path
) -> None:
    before = person.files()
    script = unpacked / "install.sh"
    shown = (wheelhouse.parent,)
    said = person.runs("sh", script, "--offline", wheelhouse, shown=shown).well()
    assert "Dreamlayer is installed. Its first dream:" in said
    assert (person.home / ".local/share/dreamlayer/sample-dream.png").stat().st_size > 100_000
    assert not (person.home / ".local/share/dreamlayer/dreamlayer-downloads").exists()
    command = person.home / ENVIRONMENT / "bin/dreamlayer"
    picture = person.keep(CHECKOUT / "tests/pictures/chelsea.png", "Ölbild.png")
    dream = person.home / "Träume.png"
    options = ("--preset", "swirls", "--steps", "2", "--octaves", "2")
    person.runs(command, "dream", picture, "-o", dream, *options).well()
    assert dream.is_file()
    python = command.with_name("python")
    assert person.runs(python, "-c", KERNEL.format("library().variant")).well().strip() in (
        "avx512",
        "avx2",
        "portable",
    )
    person.runs("sh", script, "--check").well()

    assert "is up to date" in person.runs("sh", script).well()
    news = unpacked / "plugins/link/dreamlink/picture.py"
    news.write_text(news.read_text() + "\n# news\n")
    said = person.runs("sh", script, "--offline", wheelhouse, shown=shown).well()
    assert "Installing Dreamlayer and its libraries" in said
    person.runs("sh", script, "--check").well()

    said = person.runs("sh", script, "--uninstall").well()
    assert "Dreamlayer is uninstalled." in said
    for own in (picture, dream):
        own.unlink()
    after = person.files()
    after[str(news.relative_to(person.home))] = before[str(news.relative_to(person.home))]
    assert after == before


@WITH_PYTHON
def test_from_a_checkout_without_wheel_and_uv(person: Person, wheelhouse: Path) -> None:
    """The wheel is built from the sources, without a compiler, where there is a Python."""
    cloned = person.home.parent / "clone"
    subprocess.run(["git", "clone", "-q", "--depth", "1", CHECKOUT.as_uri(), cloned], check=True)
    checkout = person.keep(cloned, "dreamlayer")
    packages = person.keep(wheelhouse, "packages")
    for own in packages.glob("dreamlayer-*.whl"):
        own.unlink()
    before = person.files()
    script = checkout / "install/install.py"
    person.runs("python3", script, "--offline", packages).well()
    python = person.home / ENVIRONMENT / "bin/python"
    assert (
        "The CPU is slower than it could be"
        in person.runs(python, "-c", KERNEL.format("description()")).well()
    )
    person.runs("python3", script, "--check").well()
    person.runs("python3", script, "--uninstall").well()
    assert person.files() == before


@WITHOUT_PYTHON
def test_without_python_and_network_there_is_a_sentence(person: Person, archive: Path) -> None:
    before = person.files()
    person.python["UV_PYTHON_DOWNLOADS_JSON_URL"] = "http://127.0.0.1:9/pythons.json"
    said = person.runs("sh", archive / "install.sh", shown=(archive,))
    assert said.code == 1
    assert "go online and run this again, or install Python" in said.text
    person.runs("rm", "-rf", person.home / ".local").well()
    assert person.files() == before


@EVERY_WAY
@BOTH
def test_killed_at_any_moment_it_continues(
    person: Person, unpacked: Path, wheelhouse: Path
) -> None:
    """Ten random moments of one installation after the other, then one to the end."""
    before = person.files()
    command = ("sh", unpacked / "install.sh", "--offline", wheelhouse)
    shown = (wheelhouse.parent,)
    began = time.monotonic()
    person.runs(*command, shown=shown).well()
    takes = time.monotonic() - began
    person.runs("sh", unpacked / "install.sh", "--uninstall").well()
    assert person.files() == before
    moments = random.Random(2026)
    for _ in range(10):
        process = person.starts(*command, shown=shown)
        time.sleep(takes * moments.random())
        person.kill(process)
        if moments.random() < 0.3:  # now and then it comes to its end, and is removed
            person.runs(*command, shown=shown).well()
            person.runs("sh", unpacked / "install.sh", "--check").well()
            person.runs("sh", unpacked / "install.sh", "--uninstall").well()
            assert person.files() == before
    person.runs(*command, shown=shown).well()
    person.runs("sh", unpacked / "install.sh", "--check").well()
    person.runs("sh", unpacked / "install.sh", "--uninstall").well()
    assert person.files() == before


@EVERY_WAY
@pytest.mark.parametrize("person", roots.SUITES, indirect=True)
def test_hosts_get_their_plugins_and_lose_them(
    person: Person, unpacked: Path, wheelhouse: Path
) -> None:
    """Debian's Krita and GIMP, whose own Python is not the one that is installed with."""
    before = person.files()
    script = unpacked / "install.sh"
    said = person.runs("sh", script, "--offline", wheelhouse, shown=(wheelhouse.parent,)).well()
    assert "Krita: the plug-in is in" in said
    assert "GIMP 3." in said
    person.runs("sh", script, "--check").well()
    person.runs("sh", script, "--uninstall").well()
    left = {path: what for path, what in person.files().items() if "GIMP" not in path}
    assert {path for path in left if what_is_a_file(left[path])} == {
        path for path in before if what_is_a_file(before[path])
    }
    shutil.rmtree(person.home / ".config", ignore_errors=True)


@EVERY_WAY
@pytest.mark.parametrize("person", [roots.OLD_HOSTS], indirect=True)
def test_a_gimp_that_is_too_old_is_told(person: Person, unpacked: Path, wheelhouse: Path) -> None:
    """Debian 12, whose Krita gets the plug-in, which then says what it needs."""
    before = person.files()
    script = unpacked / "install.sh"
    said = person.runs("sh", script, "--offline", wheelhouse, shown=(wheelhouse.parent,)).well()
    assert "Krita: the plug-in is in" in said
    assert "This GIMP is older than 3.0 and can't run the plug-in: install GIMP 3." in said
    assert "Filters ▸ Artistic" not in said
    person.runs("sh", script, "--check").well()
    person.runs("sh", script, "--uninstall").well()
    assert person.files() == before


def what_is_a_file(content: str) -> bool:
    """Whether `Person.files` tells of a file, not of a folder."""
    return bool(content)
