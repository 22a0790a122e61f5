"""The plug-in in real Krita, with the real daemon and the embedded network.

Each script in krita/ runs in one start of Krita, and each of its checks is a test here.
"""

import ast
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dreamlink.client import launch
from dreamlink.picture import Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream
from dreamlink.wire.messages import DreamRequest
from install.hosts import copying
from tests.hosts.session import CHECKOUT, HostSession, Result

DESK = Path(__file__).parent / "krita"
PHOTO = CHECKOUT / "tests/pictures/chelsea.png"
SCRIPTS = {  # in this order, with the picture that each opens
    "trouble.py": None,
    "dreams.py": PHOTO,
    "docker.py": None,
    "live.py": PHOTO,
    "pixels.py": PHOTO,
    "painted.py": PHOTO,
    "store.py": None,
    "map.py": None,
    "see.py": PHOTO,
    "explore.py": PHOTO,
    "film.py": None,
    "fifty.py": None,
    "looks.py": None,
    "stacks.py": None,
}
TIMEOUT = 420  # seconds for a script with all its dreams; a Krita that hung is started once more
STORED = (
    "whole_layer", "selection", "rgba_u8", "rgba_u16", "rgba_u16_linear", "rgba_f16_linear",
    "rgba_f32_linear", "graya_u8", "graya_f32_linear", "group", "vector", "clone", "larger",
)  # fmt: skip


def checks(script: str) -> list[str]:
    """The names of a script's checks; it can't be imported outside of Krita."""
    tree = ast.parse((DESK / script).read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [name for name in names if name.startswith("check_")]


class Runs:
    """The results of the scripts in this Krita; each script runs when it is first needed."""

    def __init__(self, host: HostSession) -> None:
        self._host = host
        self._results: dict[str, Result] = {}

    def __getitem__(self, script: str) -> Result:
        if script not in self._results:
            self._results[script] = self._host.run_krita(
                DESK / script, SCRIPTS.get(script), timeout=TIMEOUT, folder=str(self._host.folder)
            )
        return self._results[script]


@pytest.fixture(scope="module")
def runs(host: HostSession) -> Runs:
    return Runs(host)


def test_quitting_krita_ends_its_dream(
    host: HostSession, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Must run first: later the script's last dream would have ended by itself."""
    trouble = runs["trouble.py"]
    trouble.facts()
    assert "has been deleted" not in trouble.stdout, (
        "the panel's widgets were used after their destruction"
    )
    monkeypatch.setenv("DREAMLAYER_HOME", str(host.data))
    end = time.monotonic() + 20  # the current tile is finished first
    while jobs := daemons_jobs():
        assert time.monotonic() < end, jobs
        time.sleep(0.2)


def daemons_jobs() -> list[dict[str, Any]]:
    client = launch.connect_to_running()
    assert client is not None, "the daemon is gone"
    client.send({"op": "status", "id": "status"})
    answer = client.receive(20)
    client.close()
    assert answer is not None, "the daemon is silent"
    return list(answer[0]["jobs"])


@pytest.mark.parametrize(
    ("script", "check"), [(script, check) for script in SCRIPTS for check in checks(script)]
)
def test_krita(runs: Runs, script: str, check: str) -> None:
    result = runs[script]
    assert result.verdict.get(check, "The check did not run:\n" + result.stdout) == ""


@pytest.mark.parametrize("script", SCRIPTS)
def test_krita_ends_well(runs: Runs, script: str) -> None:
    runs[script].facts()


@pytest.mark.parametrize("name", STORED)
def test_layer_is_the_daemons_picture_byte_for_byte(
    host: HostSession, runs: Runs, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same request from outside, with the stored layer and selection, has the same result."""
    runs["dreams.py"].facts()
    monkeypatch.setenv("DREAMLAYER_HOME", str(host.data))
    stored = json.loads((host.folder / f"{name}.json").read_text(encoding="utf-8"))
    source, layer = (Path(stored[kind]).read_bytes() for kind in ("source", "layer"))
    masks = [Path(stored["mask"]).read_bytes()] if "mask" in stored else []
    request = DreamRequest(
        recipe=Recipe.of(stored["recipe"]),
        picture=Picture.of(stored["picture"]),
        region=Region(*stored["region"]),
        mask=bool(masks),
        clip=bool(masks),
    )
    pixels = ask_daemon(request, source, *masks)
    assert pixels != source, "nothing was dreamed"
    pairs = zip(pixels, layer, strict=True)
    apart = [place for place, (asked, stored) in enumerate(pairs) if asked != stored]
    assert not apart, f"{len(apart)} bytes differ, the first at {apart[0]}"


def ask_daemon(request: DreamRequest, *frames: bytes) -> bytearray | None:
    client = launch.connect_to_running()
    assert client is not None, "the daemon is gone"
    dream = Dream(client, request, *frames)
    while not dream.over:
        message = client.receive(60)
        assert message is not None, "the daemon is silent"
        dream.receive(*message)
    client.close()
    assert dream.pixels is not None, dream.text
    return dream.pixels


@pytest.fixture(scope="module")
def incomplete(host: HostSession, runs: Runs) -> Iterator[dict[str, Any]]:
    """Krita with a plug-in from which msgpack is missing."""
    shutil.rmtree(host.krita_data / "pykrita" / copying.KRITA_LIBRARIES / "dreamlink" / "_vendor")
    yield runs["incomplete.py"].facts()
    host.install_plugins()


def test_incomplete_plugin_says_so(incomplete: dict[str, Any]) -> None:
    assert incomplete["visible"]
    for what in ("without_msgpack", "without_dreamlink"):
        assert "incomplete" in incomplete[what]
        assert incomplete[what].endswith("Run Dreamlayer's install.py again.")
    assert "msgpack" in incomplete["without_msgpack"]
    assert "dreamlink" in incomplete["without_dreamlink"]
