"""Extracted networks: the whole network's numbers, nothing behind the target, layer names."""

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dreamlayer.networks.graph import layers as layers_module
from dreamlayer.networks.graph import receptive_field
from dreamlayer.networks.network import (
    CLASS,
    Network,
    UnknownLayer,
    describe,
    extract,
    resolve_layer,
)
from dreamlayer.networks.registry import registry

NAME = "squeezenet1_1"
SPEC = registry.MODELS[NAME]


@cache
def network(*layers: str) -> Network:
    return extract(NAME, layers)


def only_map(layer: str, x: Tensor) -> Tensor:
    (cells,) = network(layer)(x)
    return cells


def whole_network_map(layer: str, x: Tensor) -> Tensor:
    """The layer's output in the whole network, without in-place operations."""
    whole = registry.load(NAME)
    for module in whole.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    caught = []
    whole.get_submodule(layer).register_forward_hook(lambda *call: caught.append(call[-1]))
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (SPEC.mean, SPEC.std))
    whole((x - mean) / std)
    return caught[0]


# Convolutions are followed by a ReLU that works in place: it must not reach the map.
@pytest.mark.parametrize("part", ["0", "1", "3.squeeze", "4.expand3x3", "10", "12"])
def test_map_and_gradient_are_those_of_the_whole_network(part: str) -> None:
    layer = f"features.{part}"
    torch.manual_seed(1)
    x = torch.rand(1, 3, 75, 91)
    maps, grads = [], []
    for forward in (only_map, whole_network_map):
        picture = x.clone().requires_grad_()
        maps.append(forward(layer, picture))
        grads.append(torch.autograd.grad((maps[-1] ** 2).mean(), picture)[0])
    torch.testing.assert_close(maps[0], maps[1], rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-3, atol=1e-4 * grads[1].abs().max())


def test_the_first_layer_is_the_raw_convolution() -> None:
    x = torch.rand(1, 3, 20, 20)
    assert (only_map("features.0", x) < 0).any()
    assert (only_map("features.1", x) >= 0).all()


def test_layers_behind_the_target_are_not_held() -> None:
    names = [name for name, _ in network("4").module.named_parameters()]
    assert names
    assert not [n for n in names if any(f"features.{i}." in n for i in range(5, 13))]
    assert not [n for n in names if "classifier" in n]
    part = [name for name, _ in network("features.10.squeeze").module.named_parameters()]
    assert not [n for n in part if "features.10.expand" in n]


def test_layers_behind_the_target_do_not_run() -> None:
    # 17 pixels give features.10 its one cell, and the pooling in front of features.3 needs fewer.
    assert network("2").minimum < network("10").minimum
    small = torch.rand(1, 3, network("2").minimum, network("2").minimum)
    assert only_map("2", small).shape[-2:] == (1, 1)
    with pytest.raises(RuntimeError):
        network("10")(small)


def test_the_network_is_frozen() -> None:
    extracted = network("10")
    assert not extracted.module.training
    x = torch.rand(1, 3, 40, 40, requires_grad=True)
    extracted(x)[0].sum().backward()
    assert x.grad is not None
    assert all(p.grad is None and not p.requires_grad for p in extracted.module.parameters())


def test_the_attributes_of_a_network() -> None:
    extracted = network("10")
    assert (extracted.name, extracted.layers) == (NAME, ("features.10",))
    assert (extracted.stride, extracted.local) == (16, True)
    (layer,) = extracted.maps
    assert (layer.stride, layer.channels, layer.receptive_field) == (16, 384, 143)
    assert only_map("10", torch.rand(1, 3, 50, 60)).shape == (1, 384, *extracted.grids(50, 60)[0])


def test_several_layers_are_extracted_each_with_its_own_map() -> None:
    several = network("3", "features.0", "10", CLASS)
    x = torch.rand(1, 3, 75, 91)
    maps = several(x)
    for layer, cells in zip(several.layers, maps, strict=True):
        # The ReLU behind features.0 works in place in the network: it must not reach that map.
        torch.testing.assert_close(cells, only_map(layer, x), rtol=1e-5, atol=1e-4)
    assert several.layers == ("features.3", "features.0", "features.10", CLASS)
    assert [geometry.stride for geometry in several.maps] == [4, 2, 16, 16]
    assert (several.stride, several.minimum, several.local) == (16, 17, True)
    assert several.grids(75, 91) == tuple(tuple(cells.shape[-2:]) for cells in maps)


def test_scales_do_not_depend_on_the_number_of_threads() -> None:
    """One that loads a network for a look in one thread dreams the same pictures with it."""
    usual = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(extract("squeezenet1_1", ["features.10", "features.12"]).scales)
    finally:
        torch.set_num_threads(usual)
    assert found[0] == found[1] == found[2]


def test_scales_are_the_root_mean_squares_of_the_maps() -> None:
    noise = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(7))
    extracted = network("0", "10")
    sizes = [float(cells.square().mean().sqrt()) for cells in extracted(noise)]
    assert sizes == pytest.approx(extracted.scales, rel=0.05)
    assert sizes[0] / sizes[1] != pytest.approx(1.0, rel=0.5)


def test_logits_are_those_of_the_whole_network() -> None:
    x = torch.rand(1, 3, 120, 91)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (SPEC.mean, SPEC.std))
    extracted = network("5", CLASS)
    logits = extracted.logits(extracted(x)[1])
    torch.testing.assert_close(logits, registry.load(NAME)((x - mean) / std), rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="without its classifier"):
        network("5").logits(extracted(x)[1])


def test_average_pooling_keeps_the_geometry_and_lowers_the_values() -> None:
    smooth = extract(NAME, ["2", "10"], pooling="average")
    usual = network("2", "10")
    assert smooth.maps == usual.maps
    x = torch.rand(1, 3, 75, 90)  # of which ceil_mode leaves part of a window at the end
    for less, more in zip(smooth(x), usual(x), strict=True):
        assert less.shape == more.shape
        assert less.mean() < more.mean()
    (raw,) = network("1")(x)
    assert smooth(x)[0][0, 5, 3, 4] == pytest.approx(float(raw[0, 5, 6:9, 8:11].mean()), rel=1e-5)


@pytest.mark.parametrize("layer", ["0", "2", "5", "8", "12"])
def test_the_minimum_is_the_smallest_side_with_a_cell(layer: str) -> None:
    extracted = network(layer)
    side = extracted.minimum
    assert only_map(layer, torch.rand(1, 3, side, side)).shape[-2:] == (1, 1)
    less = side - 1
    with pytest.raises(ValueError, match=f"too small.*needs {extracted.minimum} pixels"):
        extracted.grids(less, less)
    with pytest.raises(RuntimeError):
        extracted(torch.rand(1, 3, less, less))


@settings(max_examples=40, deadline=None)
@given(
    layer=st.sampled_from(["0", "2", "4", "8", "10.squeeze", "12"]),
    height=st.integers(17, 150),
    width=st.integers(17, 150),
)
def test_grids_are_the_real_sizes_of_maps(layer: str, height: int, width: int) -> None:
    extracted = network(layer if layer.isdecimal() else f"features.{layer}")
    with torch.no_grad():
        (cells,) = extracted(torch.zeros(1, 3, height, width))
    assert extracted.grids(height, width) == (tuple(cells.shape[-2:]),)


@settings(max_examples=12, deadline=None)
@given(
    layer=st.sampled_from(["2", "5", "7", "10", "12"]),
    cell=st.integers(3, 12),
    across=st.booleans(),
)
def test_a_cell_sees_exactly_its_reach(layer: str, cell: int, across: bool) -> None:
    extracted = watchful(layer)
    first, last = (cell * extracted.stride + r for r in extracted.maps[0].reach)
    length = last + 3 * extracted.stride
    shape = (extracted.minimum + 8, length) if across else (length, extracted.minimum + 8)
    with torch.no_grad():
        still = torch.zeros(1, 3, *shape, dtype=torch.float64)
        before = line(extracted(still)[0], cell, across)
        for pixel, seen in [(first - 1, False), (first, True), (last, True), (last + 1, False)]:
            if pixel < 0:
                continue
            touched = still.clone()
            touched.select(-1 if across else -2, pixel).fill_(1e6)
            assert torch.equal(line(extracted(touched)[0], cell, across), before) is not seen


def line(cells: Tensor, cell: int, across: bool) -> Tensor:
    return cells.select(-1 if across else -2, cell)


@cache
def watchful(layer: str) -> Network:
    """The network with positive weights: a bright pixel anywhere in a field changes the cell."""
    extracted = extract(NAME, [layer]).to("cpu", torch.float64)
    for weight in extracted.module.parameters():
        weight.abs_()
    return extracted


def test_a_network_can_change_its_number_format() -> None:
    extracted = extract(NAME, ["3", CLASS]).to("cpu", torch.float64)
    maps = extracted(torch.rand(1, 3, 30, 30, dtype=torch.float64))
    assert extracted.logits(maps[1]).dtype == maps[0].dtype == torch.float64
    assert (extracted.device, extracted.dtype) == (torch.device("cpu"), torch.float64)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("10", "features.10"),
        (" 0 ", "features.0"),
        ("features.12", "features.12"),
        ("features.10.expand3x3", "features.10.expand3x3"),
    ],
)
def test_names_and_numbers_resolve_to_layers(text: str, name: str) -> None:
    assert resolve_layer(NAME, text) == name


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("27", r"squeezenet1_1 has no layer '27'.*features\.0 … features\.12"),
        ("feature.10", r"'feature\.10'\. Did you mean features\.10 "),
        ("features.10.expand3", r"Did you mean features\.10\.expand3x3 "),
        ("-1", r"has no layer '-1'"),
        ("", r"has no layer ''"),
        ("classifier.1", r"'classifier\.1' of squeezenet1_1 is not a spatial layer.*Choose one of"),
        ("classifier", r"is not a spatial layer"),
        ("features", r"'features' of squeezenet1_1 is not one layer"),
    ],
)
def test_a_wrong_layer_is_quoted_and_similar_ones_offered(text: str, sentence: str) -> None:
    with pytest.raises(UnknownLayer, match=sentence):
        extract(NAME, [text])


def test_a_wrong_network_is_distinguished_from_a_wrong_layer() -> None:
    with pytest.raises(registry.UnknownModel):
        resolve_layer("squeeznet", "10")


def test_describe_lists_the_numbered_layers() -> None:
    layers = {info.name: info for info in describe(NAME)}
    assert [info.index for info in layers.values()] == list(range(13))
    assert SPEC.default_layer in layers
    fire = layers["features.10"]
    assert (fire.kind, fire.channels, fire.stride, fire.halo) == ("Fire", 384, 16, 80)
    assert (fire.receptive_field, fire.exact) == (143, True)
    assert all(info.exact for info in layers.values())


def test_describe_lists_parts_of_layers_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    # Measuring takes seconds and is tested elsewhere; here every layer gets one known geometry.
    known = receptive_field.Geometry(
        stride=16, reach=(-40, 70), channels=48, minimum=17, local=True
    )
    monkeypatch.setattr(layers_module, "geometry_of", lambda *_: known)
    layers = {info.name: info for info in describe(NAME, parts=True)}
    part = layers["features.10.squeeze"]
    assert (part.index, part.kind, part.receptive_field) == (None, "Conv2d", 111)
    assert [i.index for i in layers.values() if i.index is not None] == list(range(13))
    assert all(resolve_layer(NAME, name) == name for name in layers)


def test_describe_says_where_no_tile_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = receptive_field.Geometry(
        16, receptive_field.UNBOUNDED, channels=8, minimum=1, local=False
    )
    monkeypatch.setattr(layers_module, "geometry_of", lambda *_: wide)
    first = describe(NAME)[0]
    assert (first.receptive_field, first.halo, first.exact) == (None, None, False)
