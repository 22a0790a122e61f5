"""The plug-in in the real Kritas, with the real daemon and the embedded network.

Each script in krita/ is one start of Krita that answers many questions, and every answer is a test
here.
"""

import ast
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dreamlink import launch
from dreamlink.dream import Dream
from dreamlink.messages import DreamRequest
from dreamlink.picture import Picture, Region
from dreamlink.recipe import Recipe
from tests.hosts.session import CHECKOUT, HostSession, Result

DESK = Path(__file__).parent / "krita"
PHOTO = CHECKOUT / "tests/pictures/chelsea.png"
TIMEOUT = 900  # seconds for a script with all its dreams, beside other work on the machine
KEPT = (
    "whole_layer", "selection", "rgba_u8", "rgba_u16", "rgba_u16_linear", "rgba_f16_linear",
    "rgba_f32_linear", "graya_u8", "graya_f32_linear", "group", "vector", "clone", "larger",
)  # fmt: skip


def checks(script: str) -> list[str]:
    """The names of a script's checks; it can't be imported outside of Krita."""
    tree = ast.parse((DESK / script).read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [name for name in names if name.startswith("check_")]


def run(host: HostSession, script: str, picture: Path | None) -> Result:
    return host.run_krita(DESK / script, picture, timeout=TIMEOUT, folder=str(host.folder))


@pytest.fixture(scope="module")
def trouble(host: HostSession) -> Result:
    return run(host, "trouble.py", None)


@pytest.fixture(scope="module")
def dreams(host: HostSession, trouble: Result) -> Result:
    return run(host, "dreams.py", PHOTO)  # the daemon of the run before is there


@pytest.mark.parametrize("check", checks("trouble.py"))
def test_trouble(trouble: Result, check: str) -> None:
    assert trouble.verdict.get(check, "Krita did not get there:\n" + trouble.stdout) == ""


def test_quitting_krita_ends_its_dream(
    host: HostSession, trouble: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble.facts()
    assert "has been deleted" not in trouble.stdout, "the panel's widgets were used after their end"
    monkeypatch.setenv("DREAMLAYER_HOME", str(host.data))
    end = time.monotonic() + 20  # the tile in work is finished first
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


@pytest.fixture(scope="module")
def docker(host: HostSession, dreams: Result) -> Result:
    return run(host, "docker.py", None)


@pytest.mark.parametrize("check", checks("docker.py"))
def test_docker(docker: Result, check: str) -> None:
    assert docker.verdict.get(check, "Krita did not get there:\n" + docker.stdout) == ""


@pytest.mark.parametrize("check", checks("dreams.py"))
def test_dreams(dreams: Result, check: str) -> None:
    assert dreams.verdict.get(check, "Krita did not get there:\n" + dreams.stdout) == ""


@pytest.fixture(scope="module")
def store(host: HostSession, trouble: Result) -> Result:
    return run(host, "store.py", None)


@pytest.mark.parametrize("check", checks("store.py"))
def test_store(store: Result, check: str) -> None:
    assert store.verdict.get(check, "Krita did not get there:\n" + store.stdout) == ""


@pytest.fixture(scope="module")
def film(host: HostSession, trouble: Result) -> Result:
    return run(host, "film.py", None)


@pytest.mark.parametrize("check", checks("film.py"))
def test_film(film: Result, check: str) -> None:
    assert film.verdict.get(check, "Krita did not get there:\n" + film.stdout) == ""


@pytest.fixture(scope="module")
def pixels(host: HostSession, trouble: Result) -> Result:
    return run(host, "pixels.py", PHOTO)


@pytest.mark.parametrize("check", checks("pixels.py"))
def test_pixels(pixels: Result, check: str) -> None:
    assert pixels.verdict.get(check, "Krita did not get there:\n" + pixels.stdout) == ""


@pytest.fixture(scope="module")
def live(host: HostSession, trouble: Result) -> Result:
    return run(host, "live.py", PHOTO)


@pytest.mark.parametrize("check", checks("live.py"))
def test_live(live: Result, check: str) -> None:
    assert live.verdict.get(check, "Krita did not get there:\n" + live.stdout) == ""


@pytest.fixture(scope="module")
def fifty(host: HostSession, trouble: Result) -> Result:
    return run(host, "fifty.py", None)


@pytest.mark.parametrize("check", checks("fifty.py"))
def test_fifty(fifty: Result, check: str) -> None:
    assert fifty.verdict.get(check, "Krita did not get there:\n" + fifty.stdout) == ""


def test_krita_ends_well(
    trouble: Result, dreams: Result, pixels: Result, fifty: Result, store: Result, film: Result
) -> None:
    for told in (trouble, dreams, pixels, fifty, store, film):
        told.facts()


@pytest.mark.usefixtures("dreams")
@pytest.mark.parametrize("name", KEPT)
def test_layer_is_the_daemons_picture_byte_for_byte(
    host: HostSession, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon is asked again from outside, with what the layer and the selection were."""
    monkeypatch.setenv("DREAMLAYER_HOME", str(host.data))
    kept = json.loads((host.folder / f"{name}.json").read_text(encoding="utf-8"))
    source, layer = (Path(kept[kind]).read_bytes() for kind in ("source", "layer"))
    masks = [Path(kept["mask"]).read_bytes()] if "mask" in kept else []
    request = DreamRequest(
        recipe=Recipe.of(kept["recipe"]),
        picture=Picture.of(kept["picture"]),
        region=Region(*kept["region"]),
        mask=bool(masks),
        clip=bool(masks),
    )
    pixels = ask_daemon(request, source, *masks)
    assert pixels != source, "nothing was dreamed"
    assert pixels == layer


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
def incomplete(host: HostSession, dreams: Result) -> Iterator[dict[str, Any]]:
    """Krita with a plug-in from which msgpack is missing."""
    shutil.rmtree(host.krita_data / "pykrita/dreamlink/_vendor")
    yield run(host, "incomplete.py", None).facts()
    host.install_plugins()


def test_incomplete_plugin_says_so(incomplete: dict[str, Any]) -> None:
    assert incomplete["visible"]
    for what in ("without_msgpack", "without_dreamlink"):
        assert "incomplete" in incomplete[what]
        assert incomplete[what].endswith("Run Dreamlayer's install.py again.")
    assert "msgpack" in incomplete["without_msgpack"]
    assert "dreamlink" in incomplete["without_dreamlink"]
