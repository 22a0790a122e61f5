"""The documents' examples as they stand there, and Python beside the command line, with the real
daemon and its network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dreamlayer

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PICTURES = ROOT / "tests" / "pictures"


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Dreamlayer folder, whose daemon the first example starts and the last one stops."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("examples") / "home"
        patch.setenv("DREAMLAYER_HOME", str(folder))
        yield folder
        subprocess.run([sys.executable, "-m", "dreamlayer", "stop"], check=True)
        assert "Traceback" not in (folder / "daemon.log").read_text()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with small pictures of the names that the documents use."""
    with Image.open(PICTURES / "chelsea.png") as chelsea:
        picture = chelsea.convert("RGB").crop((120, 60, 312, 204)).resize((96, 72))
    (tmp_path / "photos").mkdir()
    for i, name in enumerate(("cat.png", "coast.png", "tree.png")):
        picture.rotate(90 * i).resize((48, 40)).save(tmp_path / "photos" / name)
    for name in ("photo.jpg", "other.jpg", "fox.jpg"):
        picture.save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def blocks(document: str, language: str) -> list[str]:
    text = (DOCS / document).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def array(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are written for sh")
def test_the_commands_for_many_pictures_do_what_the_page_says(folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    first, again, few = blocks("batch.md", "sh")
    said = []
    for block in (first, again, few):
        done = subprocess.run(
            ["sh", "-ec", block], env={**os.environ, "PATH": path}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert "3 of 3 pictures are dreamed" in said[0]
    assert "1 of 1 pictures are dreamed" in said[1]
    assert "3 skipped" in said[1]
    dreams = sorted((folder / "dreams").iterdir())
    assert [path.name for path in dreams] == ["another.png", "cat.png", "coast.png", "tree.png"]
    # The same picture under another name, alone instead of among others.
    assert dreams[0].read_bytes() == dreams[2].read_bytes()
    for path in dreams:
        assert np.abs(array(path) - array(folder / "photos" / path.name).astype(int)).mean() > 2
    told = [json.loads(line) for line in Path("few.jsonl").read_text().splitlines()]
    assert [row["output"] for row in told] == [
        "few/1-cat.jpg", "few/2-coast.jpg", "few/3-fox.jpg",
    ]  # fmt: skip


def test_the_page_about_python_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for block in blocks("python.md", "python"):
        exec(compile(block, "python.md", "exec"), names)
    before = array(folder / "photo.jpg").astype(int)
    for result in (names["dreamed"], Image.open("photo-dream.png")):
        assert np.abs(np.asarray(result) - before).mean() > 2
    assert isinstance(floats := names["dreamed_array"], np.ndarray)
    assert (floats.dtype, floats.shape) == (np.float32, before.shape)
    changed = (np.asarray(names["part"]) != before).any(axis=2)
    assert changed[20:60, 30:90].mean() > 0.9
    assert changed.sum() == changed[20:60, 30:90].sum()
    # The same recipe on the same picture under another name.
    assert Path("again.png").read_bytes() == Path("photo-dream.png").read_bytes()
    assert len(list(Path("dreams").iterdir())) == 3
    assert "100% Done." in capsys.readouterr().out


def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells in their order in one namespace, which is what a kernel does with plain Python.

    A notebook is JSON, and these cells use no magic and only show images, so Jupyter and what it
    needs, fifty packages, would test nothing more.
    """
    monkeypatch.chdir(DOCS)
    notebook = json.loads(Path("python.ipynb").read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells):
        exec(compile("".join(cell["source"]), f"python.ipynb, cell {number}", "exec"), names)
        assert cell["outputs"] == [], "the outputs are cleared before it is committed"
    before = np.asarray(names["photo"]).astype(int)
    assert np.abs(np.asarray(names["dreamed"]) - before).mean() > 2
    assert isinstance(sheet := names["sheet"], Image.Image)
    assert len(sheet.getcolors(1 << 16) or []) > 1000


def test_python_writes_what_the_command_line_writes(folder: Path) -> None:
    """Single, many, and in memory: the same recipe gives the same bytes."""
    Image.linear_gradient("L").resize((96, 72)).save("mask.png")
    command = [
        sys.executable, "-m", "dreamlayer", "dream", "photo.jpg", "-o", "cli.png", "--layer=3:5",
        "--octaves=2", "--steps=2", "--seed=7", "--select=10,10,60,50", "--mask=mask.png",
    ]  # fmt: skip
    subprocess.run(command, check=True)
    same = {
        "layer": "3:5", "octaves": 2, "steps": 2, "seed": 7, "select": (10, 10, 60, 50),
        "mask": "mask.png",
    }  # fmt: skip
    dreamlayer.dream("photo.jpg", output="python.png", **same)
    list(dreamlayer.dream_all(["photo.jpg", "other.jpg"], output="{name}-all.png", **same))
    expected = Path("cli.png").read_bytes()
    for name in ("python.png", "photo-all.png", "other-all.png"):
        assert Path(name).read_bytes() == expected
    pixels = array(folder / "photo.jpg")
    assert np.array_equal(dreamlayer.dream(pixels, **same), array(folder / "cli.png"))
    with Image.open("photo.jpg") as image:
        assert np.array_equal(np.asarray(dreamlayer.dream(image, **same)), array(Path("cli.png")))
