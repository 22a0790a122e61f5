"""The page about films: its commands as they stand there, and its job files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"
PHOTO = Path(__file__).parents[1] / "pictures" / "chelsea.png"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the examples are written for sh")
def test_the_commands_do_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    with Image.open(PHOTO) as photo:
        pictures = [
            photo.convert("RGB").crop((100 + 2 * n, 60, 164 + 2 * n, 108)) for n in range(4)
        ]
    for number, picture in enumerate(pictures):
        picture.save(tmp_path / "frames" / f"{number}.png")
    pictures[0].save(tmp_path / "photo.jpg")
    pictures[0].save(
        tmp_path / "cat.gif", save_all=True, append_images=pictures[1:], duration=90, loop=0
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "DREAMLAYER_HOME": str(tmp_path / "home")}
    text = (DOCS / "films.md").read_text(encoding="utf-8")
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        done = subprocess.run(
            ["sh", "-ec", block], env=environ, cwd=tmp_path, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "dreamed").glob("*.png"))) == 4
    counts = {}
    for name in ("dream.webp", "dive.gif", "farm.gif"):
        with Image.open(tmp_path / name) as film:
            counts[name] = film.n_frames
    assert counts == {"dream.webp": 4, "dive.gif": 6, "farm.gif": 4}


def test_opencue_gets_a_frame_a_shot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls are those of pyoutline's README."""
    made, sent = [], []

    class Layer:
        def __init__(self, name: str, **values: object) -> None:
            self.name, self.values, self.after = name, values, None
            made.append(self)

        def depend_all(self, other: Layer) -> None:
            self.after = other

    class Outline:
        def __init__(self, name: str, **values: object) -> None:
            self.layers = []

        def add_layer(self, layer: Layer) -> None:
            self.layers.append(layer)

    names = ("outline", "outline.cuerun", "outline.modules", "outline.modules.shell")
    modules = {name: types.ModuleType(name) for name in names}
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
    modules["outline"].Outline = Outline
    modules["outline.modules.shell"].Shell = Layer
    modules["outline.cuerun"].launch = lambda job, **_options: sent.append(job)
    words = ["opencue_film.py", "testing", "in.mp4", "out.mp4", "48,96", "--seed", "7"]
    monkeypatch.setattr(sys, "argv", words)
    source = (DOCS / "farms" / "opencue_film.py").read_text(encoding="utf-8")
    exec(compile(source, "opencue_film.py", "exec"), {"__name__": "__main__"})
    dream, whole = made
    assert sent[0].layers == [dream, whole]
    assert whole.after is dream
    assert dream.values["range"] == "1-3"
    assert dream.values["command"] == [
        "dreamlayer film in.mp4 -o out.mp4 --cuts 48,96 --resume --seed 7 --shot #IFRAME# --of 3"
    ]


def test_flamenco_gets_a_task_a_shot() -> None:
    """The script runs in a JavaScript engine, with what Flamenco gives a job type."""
    core = pytest.importorskip("PyQt6.QtCore")
    qml = pytest.importorskip("PyQt6.QtQml")
    application = core.QCoreApplication.instance() or core.QCoreApplication([])
    engine = qml.QJSEngine()
    script = (DOCS / "farms" / "dreamlayer-film.js").read_text(encoding="utf-8")
    flamenco = """
        var tasks = [];
        const author = {
            Task: (name, type) => ({name, type, after: [], args: [],
                addCommand(c) { this.args.push(c.args.join(" ")); },
                addDependency(t) { this.after.push(t.name); }}),
            Command: (name, values) => values,
        };
    """
    call = """
        compileJob({settings: {film: "in.mp4", output: "out.mp4", cuts: "48,96",
                               options: "--seed 7", dreamlayer: "dreamlayer"},
                    addTask(t) { tasks.push(t); }});
        JSON.stringify(tasks.map(t => [t.name, t.after.join(" "), t.args.join(";")]))
    """
    found = engine.evaluate(flamenco + script + call)
    assert not found.isError(), found.toString()
    start = "film in.mp4 -o out.mp4 --cuts 48,96 --resume --seed 7"
    assert found.toString().count(f"{start} --shot") == 3
    assert f'["film","shot-1 shot-2 shot-3","{start}"]' in found.toString()
    del application
