"""The tables of the hosts' documents name existing checks and leave none out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOSTS = ROOT / "tests" / "hosts"


def functions(script: Path, prefix: str) -> set[str]:
    tree = ast.parse(script.read_text(encoding="utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}


def checks_by_script(host: str) -> dict[str, set[str]]:
    """The names of each script's checks, without `check_`."""
    checks = {path.name: functions(path, "check_") for path in (HOSTS / host).glob("*.py")}
    return {script: names for script, names in checks.items() if names}


def named_by_script(host: str) -> dict[str, set[str]]:
    """The checks named by the table of a host's document, by script."""
    text = (ROOT / "docs" / "design" / f"{host}.md").read_text(encoding="utf-8")
    section = text.split("## What is verified")[1].split("\n## ")[0]
    table = [line.split("|")[2] for line in section.splitlines() if line.startswith("|")]
    named: dict[str, set[str]] = {}
    for cell in table[2:]:
        for script, names in re.findall(r"`(\w+\.py)`: ([^;]*)", cell):
            named.setdefault(script, set()).update(re.findall(r"\w+", names))
    return named


@pytest.mark.parametrize("host", ["krita", "gimp"])
def test_every_check_has_its_place_in_the_table(host: str) -> None:
    named = named_by_script(host)
    for script, checks in checks_by_script(host).items():
        if named[script] != {"all"}:
            assert named[script] - {"all"} <= checks, script
        if "all" not in named[script]:
            assert checks <= named[script], script


@pytest.mark.parametrize("host", ["krita", "gimp"])
def test_tests_named_in_the_table_exist(host: str) -> None:
    named = {name for name in named_by_script(host)[f"test_{host}.py"] if name.startswith("test_")}
    assert named <= {f"test_{name}" for name in functions(HOSTS / f"test_{host}.py", "test_")}
