"""Stride and receptive field are measured correctly for all kinds of networks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dreamlayer.networks.graph import known_geometry, receptive_field
from dreamlayer.networks.graph.extract import TracedNetwork
from dreamlayer.networks.graph.layers import _FirstMap
from dreamlayer.networks.kinds import usual
from dreamlayer.networks.registry import registry
from dreamlayer.networks.registry.torchvision_import import import_torchvision
from tests.bench import geometry as bench


def measure(name: str, layer: str, **options: bool) -> receptive_field.Geometry:
    """The geometry of one of torchvision's networks, without weights."""
    with torch.device("meta"):
        network = import_torchvision().models.get_model(name, weights=None, **options)
    network.eval()
    return receptive_field.measure(_FirstMap(TracedNetwork(network).up_to(network, [layer])))


# Strides and receptive fields from the literature, or by arithmetic on kernels and strides.
@pytest.mark.parametrize(
    ("name", "layer", "stride", "field"),
    [
        ("vgg16", "features.2", 1, 5),
        ("vgg16", "features.7", 2, 14),
        ("vgg16", "features.14", 4, 40),
        ("vgg16", "features.21", 8, 92),
        ("vgg16", "features.25", 16, 132),
        ("vgg16", "features.27", 16, 164),
        ("squeezenet1_1", "features.7", 8, 63),
        ("squeezenet1_1", "features.10", 16, 143),
        ("squeezenet1_1", "features.12", 16, 207),
        ("alexnet", "features.10", 16, 163),
        ("resnet50", "layer3", 16, 267),
        ("densenet121", "features.denseblock2", 8, 255),
        ("convnext_tiny", "features.3", 8, 224),
        ("shufflenet_v2_x0_5", "stage2", 8, 63),
    ],
)
def test_known_receptive_fields(name: str, layer: str, stride: int, field: int) -> None:
    measured = measure(name, layer)
    assert (measured.stride, measured.receptive_field, measured.local) == (stride, field, True)


@pytest.mark.parametrize(("layer", "field"), [("inception4c", 171), ("inception4d", 203)])
def test_the_widest_branch_determines_the_receptive_field(layer: str, field: int) -> None:
    measured = measure("googlenet", layer, aux_logits=False, init_weights=False)
    assert (measured.stride, measured.receptive_field) == (16, field)


WINDOWS = st.sampled_from([(1, 1), (2, 2), (3, 1), (3, 2), (5, 2), (7, 4), (2, 3)])


@settings(max_examples=40, deadline=None)
@given(
    windows=st.lists(
        st.tuples(WINDOWS, st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=4
    )
)
def test_any_stack_of_windows_agrees_with_arithmetic(
    windows: list[tuple[tuple[int, int], bool, bool, bool]],
) -> None:
    stack, stride, first, last = [], 1, 0, 0
    for (kernel, step), padded, pools, ceil_mode in windows:
        padding = kernel // 2 if padded else 0
        if pools:
            stack.append(nn.MaxPool2d(kernel, step, padding, ceil_mode=ceil_mode))
        else:
            stack.append(nn.Conv2d(3, 3, kernel, step, padding))
            stack.append(nn.ReLU())
        first -= padding * stride
        last += (kernel - 1 - padding) * stride
        stride *= step
    measured = measure_module(nn.Sequential(*stack))
    assert (measured.stride, measured.reach, measured.local) == (stride, (first, last), True)


class Sized(nn.Module):
    """Pads as TensorFlow's "same" does: by the picture's size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        pads = [max((-(-side // 2) - 1) * 2 + 3 - side, 0) for side in x.shape[-2:]]
        (top, left), (h, w) = (p // 2 for p in pads), pads
        return self.conv(nn.functional.pad(x, (left, w - left, top, h - top)))


class Recentred(nn.Module):
    """Subtracts each map's mean: every cell sees everything, and contributions cancel."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(dim=(2, 3), keepdim=True)


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Conv2d(3, 4, 3), Recentred()),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.ReLU()),
        nn.Sequential(nn.Conv2d(3, 4, (1, 3))),  # another reach on either axis
        Sized(),
    ],
    ids=["global mean", "group norm", "oblong", "padding by size"],
)
def test_networks_without_exact_tiles_are_not_local(network: nn.Module) -> None:
    assert measure_module(network).local is False


def measure_module(network: nn.Module) -> receptive_field.Geometry:
    return receptive_field.measure(network.eval())


def test_squeeze_and_excite_is_not_local() -> None:
    assert measure("mobilenet_v3_small", "features.0").local is True
    classifier = measure("mobilenet_v3_small", "features.1")
    assert classifier.local is False
    assert classifier.stride == 4
    assert classifier.reach == receptive_field.UNBOUNDED


def test_skipped_pixels_are_within_the_reach() -> None:
    skipping = nn.Sequential(nn.Conv2d(3, 4, 2, stride=5), nn.MaxPool2d(2, stride=3, padding=1))
    assert measure_module(skipping).reach == (-5, 1)


def test_a_field_clipped_at_a_border_is_measured_again() -> None:
    skipping = nn.Conv2d(3, 4, 2, stride=5)  # on the first strips, leaves pixels over at the end
    around = [nn.Conv2d(4, 4, 3, padding=1) for _ in range(2)]
    measured = measure_module(nn.Sequential(skipping, *around))
    assert (measured.reach, measured.local) == ((-10, 11), True)


def test_the_halo_covers_the_reach_and_is_a_multiple_of_the_stride() -> None:
    reach = (-56, 86)
    measured = receptive_field.Geometry(stride=16, reach=reach, channels=1, minimum=17, local=True)
    assert measured.halo == 80
    assert measured.halo % measured.stride == 0
    # One block, the cell 0, covers the pixels 0..15.
    assert -measured.halo <= reach[0]
    assert 15 + measured.halo - measured.stride < reach[1] <= 15 + measured.halo


def test_a_single_pixel_network() -> None:
    measured = measure_module(nn.Conv2d(3, 7, 1))
    assert measured == receptive_field.Geometry(
        stride=1, reach=(0, 0), channels=7, minimum=1, local=True
    )
    assert measured.halo == 0


def test_measuring_does_not_change_the_network() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    x = torch.randn(1, 3, 9, 9)
    y = network(x)
    receptive_field.measure(network)
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert torch.equal(network(x), y)


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Flatten(), nn.Linear(12, 5)),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()),
    ],
    ids=["one size only", "flat"],
)
def test_networks_without_a_map_are_refused(network: nn.Module) -> None:
    with pytest.raises(ValueError, match="has a map of cells"):
        measure_module(network)


def test_max_pooling_that_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="dilation"):
        measure_module(nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2, dilation=2)))


@pytest.mark.parametrize("model", usual.models())
def test_stored_geometries_are_what_is_measured(model: str) -> None:
    """Those of the embedded networks; all that `see` looks at and dreams begin with are stored."""
    spec = registry.find(model)
    for layer, measured in bench.measured(model).items():
        assert known_geometry.find(spec.arch, spec.classes, layer) == measured
    for layer in usual.layers(model):
        assert known_geometry.find(spec.arch, spec.classes, layer) is not None
    assert known_geometry.find(spec.arch, spec.classes + 1, usual.layers(model)[0]) is None
