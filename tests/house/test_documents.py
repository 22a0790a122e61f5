"""The documents agree with the code: named files exist, links lead somewhere, pages are short."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests import marked
from tests.bench import record

ROOT = Path(__file__).parents[2]
WAY = ROOT / "docs" / "the-way-of-one-dream.md"
MEASUREMENTS = ROOT / "docs" / "measurements"
SKIPPED = {"build", "dist", "node_modules"}  # folders that hold no documents of ours
LINES_MAX = 400  # of a page
README_LINES_MAX = 60  # of a package's README
# The first lines of a README say what the package does and where to begin reading.
FIRST_LINES = 5
PACKAGES = (
    "daemon", "daemon/kernels",
    *(f"daemon/dreamlayer/{name}" for name in (
        "api", "atlas", "cli", "compositing", "doctor", "dreaming", "engine", "engine/tiling",
        "files", "filming", "networks", "networks/executors", "runtime", "server", "server/jobs",
        "studio", "thumbnails",
    )),
    "plugins/link", "plugins/krita", "plugins/gimp", "install", "tests",
)  # fmt: skip
# What a document calls a file of the project, by its path from the root.
PATH = re.compile(r"`((?:daemon|docs|install|plugins|tests)/[\w./-]+)`")
MODULE = re.compile(r"`((?:[\w-]+/)*[\w-]+\.py)`")
PLACEHOLDER = re.compile(r"NAME|HOST")  # in the name of a file that a reader is told to make
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```", re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@cache
def documents() -> tuple[Path, ...]:
    """All Markdown files of the project."""
    paths = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
    ours = [
        path
        for path in paths
        if not any(part.startswith(".") or part in SKIPPED for part in path.parts)
    ]
    return tuple(sorted(ours))


def text_of(document: Path) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = HEADING.findall(CODE.sub("", text_of(document)))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


def test_the_way_of_one_dream_names_existing_files() -> None:
    named = PATH.findall(WAY.read_text(encoding="utf-8"))
    assert len(named) > 50
    assert [path for path in named if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("document", documents(), ids=str)
def test_files_named_by_their_whole_path_exist(document: Path) -> None:
    named = [path for path in PATH.findall(text_of(document)) if not PLACEHOLDER.search(path)]
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", documents(), ids=str)
def test_relative_links_lead_to_existing_files_and_headings(document: Path) -> None:
    broken = []
    for link in LINK.findall(CODE.sub("", text_of(document))):
        if ":" in link:
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        if not target.exists() or (
            anchor and anchor not in anchors(target.resolve().relative_to(ROOT))
        ):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", documents(), ids=str)
def test_a_page_is_short(document: Path) -> None:
    if MEASUREMENTS not in (ROOT / document).parents:
        assert len(text_of(document).splitlines()) <= LINES_MAX


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_a_short_readme_that_says_where_to_begin(package: str) -> None:
    readme = Path(package) / "README.md"
    lines = text_of(readme).splitlines()
    assert len(lines) <= README_LINES_MAX
    assert "Begin with" in "\n".join(lines[:FIRST_LINES])


def test_every_package_of_the_daemon_has_a_readme() -> None:
    daemon = ROOT / "daemon" / "dreamlayer"
    packages = {path.parent.name for path in daemon.glob("*/__init__.py")}
    assert packages == {
        Path(name).name for name in PACKAGES if Path(name).parent.name == "dreamlayer"
    }


@pytest.mark.parametrize("document", documents(), ids=str)
def test_modules_named_by_a_document_exist(document: Path) -> None:
    """A module goes by the end of its path: `engine/dream.py`, or `dream.py`.

    A README names modules of its own package, or by their whole path.
    """
    package = (ROOT / document).parent
    own = document.name == "README.md" and str(document.parent) in PACKAGES
    paths = {f"/{path.relative_to(ROOT)}" for path in (package if own else ROOT).rglob("*.py")}
    named = [name for name in MODULE.findall(text_of(document)) if not PLACEHOLDER.search(name)]
    missing = [
        name
        for name in named
        if not (ROOT / name).exists()
        and not (package / name).exists()
        and not any(path.endswith(f"/{name}") for path in paths)
    ]
    assert missing == []


def test_each_bench_that_is_recorded_has_its_block() -> None:
    for name, bench in record.BENCHES.items():
        assert marked.read(MEASUREMENTS / bench.page, name)
    blocks = {name for page in MEASUREMENTS.glob("*.md") for name in marked.names(page)}
    assert blocks == set(record.BENCHES)


def test_a_block_is_replaced_and_the_text_around_it_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- x: begin -->\nold\n<!-- x: end -->\nafter\n", encoding="utf-8")
    block = record.block(["python", "-m", "x"], "a CPU", "| a |\n| --- |\n")
    marked.write(page, "x", block)
    assert marked.read(page, "x") == block == "`python -m x` on a CPU:\n\n| a |\n| --- |"
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- x: begin -->\n")
    assert text.endswith("\n<!-- x: end -->\nafter\n")
    with pytest.raises(marked.NoBlock):
        marked.write(page, "y", "new")
