"""`dreamlayer atlas`: pages from disk that name every channel and lead to each other."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image, ImageStat

from dreamlayer import networks
from dreamlayer.cli.main import main
from dreamlayer.cli.seeing import channel_pictures
from dreamlayer.networks.kinds import kinds, usual
from dreamlayer.thumbnails import sheets
from dreamlayer.thumbnails.own import OwnThumbnails
from dreamlink.recipe.recipe import Recipe

EMBEDDED = Path(networks.__file__ or ".").parent / "weights"
VOID = {"meta", "link", "input", "rect", "br"}


class Page(HTMLParser):
    """What a page refers to; fails where tags are not closed in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self._open: list[str] = []
        self.feed(path.read_text("utf-8"))
        assert not self._open

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append(tag)
        self.links += [values[name] for name in ("href", "src") if name in values]
        self.links += re.findall(r"url\(([^)]*)\)", values.get("style", ""))
        self.ids += [values["id"]] if "id" in values else []
        self.addresses += [values["data-address"]] if "data-address" in values else []

    def handle_endtag(self, tag: str) -> None:
        assert tag in VOID or self._open.pop() == tag


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("atlas") / "pages"
    assert main(["atlas", "-o", str(folder)]) == 0
    return folder


def test_every_link_leads_somewhere_on_the_disk(atlas: Path) -> None:
    paths = sorted(atlas.rglob("*.html"))
    pages = {path.resolve(): Page(path) for path in paths}
    assert len(pages) == 1 + sum(len(usual.layers(model)) for model in usual.models())
    for path, page in pages.items():
        assert len(page.ids) == len(set(page.ids))
        for link in page.links:
            name, _, anchor = link.partition("#")
            target = (path.parent / name).resolve() if name else path
            assert target.is_relative_to(atlas.resolve()), link
            assert target.is_file(), (path, link)
            if anchor:
                assert anchor in pages[target].ids


def test_every_channel_and_kind_has_its_address(atlas: Path) -> None:
    """Each is what a recipe takes as a layer, and has the picture that other front ends show."""
    found = [address for path in atlas.rglob("*.html") for address in Page(path).addresses]
    for model in usual.models():
        for layer in usual.layers(model):
            silent = usual.find(model, layer).silent.tolist()
            wanted = {f"{model}/{layer}/{n}" for n, off in enumerate(silent) if not off}
            assert wanted == {each for each in found if each.startswith(f"{model}/{layer}/")}
        assert {f"{model}/kind:{name}" for name in kinds.seen(model)} <= set(found)
    for address in found:
        assert Recipe.of({"layer": address}).model == address.partition("/")[0]
        assert sheets.find(address) is not None


def test_what_is_searched_is_valid(atlas: Path) -> None:
    script = (atlas / "search.js").read_text("utf-8")
    content = json.loads(script.removeprefix("const ATLAS = ").removesuffix(";\n"))
    assert [network["name"] for network in content["networks"]] == usual.models()
    names = dict(content["networks"][0]["kinds"])
    assert "beagle" in names["dogs"]


def test_an_atlas_of_one_network_replaces_another(atlas: Path) -> None:
    assert main(["atlas", "efficientnet-lite0", "-o", str(atlas)]) == 0
    page = Page(atlas / "index.html")
    assert not any("squeezenet" in link for link in page.links)
    assert main(["atlas", "-o", str(atlas)]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["googlenet"], "weights of googlenet are not on this computer. Get them with:"),
        (["squeezenet"], "squeezenet1_1"),
    ],
)
def test_other_networks_are_a_sentence(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DREAMLAYER_HOME", str(tmp_path / "home"))
    assert main(["atlas", *arguments, "-o", str(tmp_path / "new")]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_other_files_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "index.html").write_text("<p>mine</p>", "utf-8")
    assert main(["atlas", "-o", str(tmp_path)]) == 1
    assert "holds other files" in capsys.readouterr().err
    assert main(["atlas", "-o", str(tmp_path / "index.html")]) == 1
    assert "is a file" in capsys.readouterr().err
    assert main(["atlas", "-o", str(tmp_path / "none" / "atlas")]) == 1
    assert "there is no folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_pictures_of_another_network_are_dreamed_once_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, folder = tmp_path / "home", tmp_path / "pages"
    monkeypatch.setenv("DREAMLAYER_HOME", str(home))
    weights = EMBEDDED / "squeezenet1_1.safetensors"
    assert main(["models", "add", "mine", "--arch", "squeezenet1_1", str(weights)]) == 0
    command = ["atlas", "mine", "--layer", "3", "--channels", "1", "-o", str(folder)]
    try:
        assert main(command) == 0
    finally:
        main(["stop"])
    pictures = {path: path.stat().st_mtime_ns for path in home.rglob("*.webp")}
    assert {path.stem for path in pictures} == {"0", "whole"}
    page = Page(folder / "mine" / "features.3.html")
    assert page.addresses == ["mine/features.3/0"]
    with Image.open(folder / "mine" / "features.3.webp") as image:
        square = image.convert("RGB").crop((0, 0, sheets.SIDE, sheets.SIDE))
        assert max(ImageStat.Stat(square).stddev) > 20
    capsys.readouterr()
    assert main(command) == 0
    assert "Starting" not in capsys.readouterr().err  # nothing was missing, so no daemon
    assert pictures == {path: path.stat().st_mtime_ns for path in home.rglob("*.webp")}
    assert main(["models", "remove", "mine"]) == 0
    assert not list(home.rglob("*.webp"))


def test_an_interrupted_atlas_shows_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after the first picture of a thousand."""
    monkeypatch.setenv("DREAMLAYER_HOME", str(tmp_path / "home"))

    def make(made: OwnThumbnails, model: str, *_: object) -> None:
        made.save(model, "features.3", 5, Image.effect_noise((64, 64), 90))
        raise KeyboardInterrupt

    monkeypatch.setattr(channel_pictures, "make", make)
    assert main(["atlas", "vgg16", "-o", str(tmp_path / "pages")]) == 0
    assert "goes on where it stopped" in capsys.readouterr().err
    assert Page(tmp_path / "pages" / "vgg16" / "features.3.html").addresses == [
        "vgg16/features.3/5"
    ]
