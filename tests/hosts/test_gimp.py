"""Deep Dream in the real GIMP 3.0 and 3.2, with the real daemon and the embedded network.

The scripts in gimp/ run inside GIMP; each of their functions check_… is a test here, all of one
script in one start of GIMP.
"""

import ast
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.session import CHECKOUT, HostSession

SCRIPTS = Path(__file__).parent / "gimp"
PHOTO = CHECKOUT / "tests" / "pictures" / "chelsea.png"
FAST = {"layer": "features.5", "octaves": 2, "steps": 2, "seed": 7, "context": 40}  # as in desk.py


def checks(script: str) -> list[str]:
    """The names of a script's checks; it can't be imported outside GIMP."""
    tree = ast.parse((SCRIPTS / script).read_text(encoding="utf-8"))
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [name for name in functions if name.startswith("check_")]


def verdicts(host: HostSession, script: str, **arguments: Any) -> dict[str, Any]:
    result = host.run_gimp_console(
        SCRIPTS / script, PHOTO, timeout=240, scripts=str(SCRIPTS), **arguments
    )
    assert result.rc == 0 or result.verdict, result.stdout
    return {"output": result.stdout, **result.verdict}


def assert_ok(facts: dict[str, Any], check: str) -> None:
    told = facts.get(check, f"GIMP ended before this check and said:\n{facts['output'][-3000:]}")
    if told != "ok":
        pytest.fail(told, pytrace=False)


@pytest.fixture(scope="module")
def dreams(host: HostSession) -> dict[str, Any]:
    return verdicts(host, "dreams.py")


@pytest.fixture(scope="module")
def refusals(host: HostSession) -> dict[str, Any]:
    return verdicts(host, "refusals.py")


@pytest.mark.parametrize("check", checks("dreams.py"))
def test_dream(dreams: dict[str, Any], check: str) -> None:
    assert_ok(dreams, check)


@pytest.mark.parametrize("check", checks("refusals.py"))
def test_refusal(refusals: dict[str, Any], check: str) -> None:
    assert_ok(refusals, check)
