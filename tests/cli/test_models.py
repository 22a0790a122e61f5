"""`dreamlayer models …` as users type it."""

from pathlib import Path

import pytest
import torch

from dreamlayer.cli import main
from dreamlayer.dreaming import recipes
from dreamlayer.networks.registry import user_store
from dreamlayer.networks.registry.catalogue import MODELS
from tests.networks.random_states import random_state

ARCH = "squeezenet1_1"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(user_store, "_current", user_store.current())  # restored at the end
    monkeypatch.setenv("DREAMLAYER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.save(random_state(ARCH, 3), tmp_path / "mine.pth")
    return tmp_path / "mine.pth"


def test_the_list_says_what_is_ready_and_how_to_get_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in ("squeezenet1_1", "efficientnet-lite0"):
        assert any(line.startswith(f"{name} ") and line.endswith("ready") for line in lines)
    assert any(line.endswith("get it with: dreamlayer models get vgg16") for line in lines)
    assert any("resnet18" in line for line in lines)


def test_adding_and_removing(
    file: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("cat\ndog\nbird\n")
    options = ["--classes", str(names), "--mean", "0,0,0", "--std", "1,1,1"]
    assert main.main(["models", "add", "mine", "--arch", ARCH, str(file), *options]) == 0
    assert "mine is ready: mine is a squeezenet1_1 with 3 classes." in capsys.readouterr().out
    assert (home / "models" / "mine.safetensors").is_file()
    main.main(["models"])
    assert "Your own: SqueezeNet 1.1 from mine.pth, 3 classes." in capsys.readouterr().out
    assert main.main(["models", "remove", "mine"]) == 0
    assert not list((home / "models").iterdir())


def test_a_dream_takes_the_default_layer_of_a_network_that_the_user_added(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main.main(["models", "add", "mine", "--arch", ARCH, str(file)]) == 0
    monkeypatch.setattr(user_store, "_current", user_store.UserStore(None))  # as in a new process
    recipe = recipes.changed({"model": "mine"}, stored={})
    assert (recipe.model, recipe.layer) == ("mine", MODELS[ARCH].default_layer)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["add", "../x", "--arch", ARCH, "FILE"], "letters, digits, - and _"),
        (["add", "x", "--arch", "vgg16", "FILE"], "does not fit vgg16"),
        (["add", "x", "--arch", ARCH, "nix.pth"], "is not there"),
        (["add", "x", "--arch", ARCH, "FILE", "--std", "0,1,1"], "--std takes three numbers"),
        (["add", "x", "--arch", ARCH, "FILE", "--mean", "0.5"], "--mean takes three numbers"),
        (["get", "vgg17"], "Did you mean vgg"),
        (["get", "vgg16", "--file", "FILE"], "is not torchvision's file"),
        (["remove", "nix"], "There is no network 'nix'"),
    ],
)
def test_an_error_is_one_sentence(
    arguments: list[str], sentence: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["models", *(str(file) if a == "FILE" else a for a in arguments)]) == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert said.startswith("dreamlayer: ")
    assert said.count("\n") == 1
