"""The default network classifies photographs; errors are clear."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load, save_file

from dreamlayer.networks.network import CLASS, extract
from dreamlayer.networks.registry import registry
from dreamlayer.networks.registry.catalogue import EMBEDDED
from dreamlayer.networks.registry.embedded.convert_squeezenet import ORIGIN

PICTURES = Path(__file__).parents[1] / "pictures"


def classify(picture: str) -> dict[str, float]:
    """The three most likely classes of a picture's central square, and their probabilities."""
    spec = registry.MODELS["squeezenet1_1"]
    image = Image.open(PICTURES / picture).convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize([round(side * scale) for side in image.size], Image.Resampling.BICUBIC)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    crop = image.crop((left, top, left + 224, top + 224))
    x = torch.from_numpy(np.asarray(crop, np.float32) / 255).permute(2, 0, 1)[None]
    network = extract(spec.name, [CLASS])
    best = network.logits(network(x)[0])[0].softmax(0).topk(3)
    names = registry.categories(spec.name)
    return {names[i]: p for p, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)}


def test_a_cat_is_classified_as_a_cat() -> None:
    assert set(classify("chelsea.png")) == {"Egyptian cat", "tabby", "tiger cat"}


def test_a_cup_of_coffee_is_classified_as_espresso() -> None:
    # Red and blue swapped, it is one still, but by less than 0.5.
    assert classify("coffee.png")["espresso"] > 0.9


def test_classes_are_selected_by_name_or_number() -> None:
    for text in ("castle", " Castle", "483"):
        assert registry.class_number("squeezenet1_1", text) == 483
    assert registry.class_number("squeezenet1_1", "egyptian_cat") == 285


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("castel", r"has no class 'castel'\. Did you mean castle "),
        ("cat", r"has no class 'cat'\. Did you mean .*tiger cat or .*Egyptian cat\?"),
        ("1000", r"has the classes 0 to 999, not 1000"),
        ("-1", r"no class '-1'"),
        ("", r"no class ''\.$"),
    ],
)
def test_a_wrong_class_is_quoted_and_similar_ones_offered(text: str, sentence: str) -> None:
    with pytest.raises(registry.UnknownClass, match=sentence):
        registry.class_number("squeezenet1_1", text)


def test_the_preprocessing_is_that_of_the_training() -> None:
    spec = registry.MODELS["squeezenet1_1"]
    mean = tuple(round(255 * value) for value in spec.mean)
    assert ORIGIN["input"] == f"RGB 0..255 less {mean}"
    assert [255 * value for value in spec.std] == pytest.approx([1, 1, 1])


def test_listing_networks_does_not_import_torch() -> None:
    imported = "from dreamlayer.networks.registry import registry"
    script = f"import sys; {imported}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_every_entry_is_complete() -> None:
    for name, spec in registry.MODELS.items():
        assert spec.name == name
        assert all((spec.title, spec.summary, spec.licence, spec.source))
        assert len(registry.categories(name)) == spec.classes
        assert spec.classes == (0 if name == "efficientnet-lite0" else 1000)
    embedded = [spec.name for spec in registry.MODELS.values() if spec.weights == EMBEDDED]
    assert embedded == ["squeezenet1_1", "efficientnet-lite0"]
    for name in embedded:
        assert (registry.WEIGHTS / f"{name}.safetensors").is_file()
        assert (registry.WEIGHTS / f"LICENSE-{name}").is_file()


def test_loading_freezes_the_network_and_keeps_the_random_state() -> None:
    before = torch.get_rng_state()
    network = registry.load("squeezenet1_1")
    assert torch.equal(torch.get_rng_state(), before)
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("wrong", ["squeezenet", "SqueezeNet1_1", "squeeznet1.1"])
def test_a_mistyped_network_is_quoted_and_a_similar_one_offered(wrong: str) -> None:
    with pytest.raises(registry.UnknownModel, match=rf"'{wrong}'.*Did you mean squeezenet1_1"):
        registry.load(wrong)


def test_the_error_for_an_unknown_network_lists_all() -> None:
    with pytest.raises(registry.UnknownModel, match=r"'zzz'\. Networks: squeezenet1_1"):
        registry.categories("zzz")


def test_the_error_for_missing_weights_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    with pytest.raises(registry.MissingWeights, match=r"squeezenet1_1\.safetensors is missing"):
        registry.load("squeezenet1_1")


@pytest.mark.parametrize("kind", ["a layer absent", "cut short", "no safetensors"])
def test_wrong_weights_are_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "squeezenet1_1.safetensors"
    real = (registry.WEIGHTS / path.name).read_bytes()
    if kind == "a layer absent":
        state = load(real)
        del state["features.12.squeeze.bias"]
        save_file(state, path)
    else:
        path.write_bytes(real[: len(real) // 2] if kind == "cut short" else b"<html>not found")
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    with pytest.raises(registry.MissingWeights, match="does not hold the weights of squeezenet1_1"):
        registry.load("squeezenet1_1")
