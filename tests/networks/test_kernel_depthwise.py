"""What MobileNet-v2, the EfficientNet-Lites and the ResNets need of the kernel."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn

from dreamlayer.geometry import Span, Window
from dreamlayer.networks.executors.kernel import library
from dreamlayer.networks.executors.kernel.executor import kernel_executor
from dreamlayer.networks.executors.kernel.lowering import graph_of
from dreamlayer.networks.graph.preprocessing import Preprocessing
from dreamlayer.networks.network import extract
from dreamlayer.networks.program.lowering import program_of
from dreamlayer.networks.registry import registry
from tests.engine.networks import with_random_weights
from tests.networks.kernel_checks import HUGE, VARIANTS, check, reference, tiled
from tests.networks.kernel_networks import Inverted, Residual, network

pytestmark = pytest.mark.skipif(not VARIANTS, reason="no C++ compiler, so no kernel")

SIZES = {"height": st.integers(16, 41), "width": st.integers(16, 70)}
SOME = settings(max_examples=12, deadline=None, derandomize=True)
SIDES = st.integers(1, 7)
STRIDES = st.tuples(st.integers(1, 3), st.integers(1, 3))


def depthwise(channels, kernel, stride=1, padding=0):
    return nn.Conv2d(channels, channels, kernel, stride, padding, groups=channels)


@pytest.mark.usefixtures("variant")
class TestPrimitives:
    @SOME
    @given(
        **SIZES,
        side=st.sampled_from([3, 5]),
        stride=st.sampled_from([1, 2]),
        channels=st.sampled_from([16, 24, 40]),
        data=st.data(),
    )
    def test_usual_depthwise_convolution(self, height, width, side, stride, channels, data):
        padding = data.draw(st.integers(0, side - 1))
        layer = depthwise(channels, side, stride, padding)
        check(network(nn.Conv2d(3, channels, 3), nn.ReLU6(), layer), height, width)

    @SOME
    @given(**SIZES, kernel=st.tuples(SIDES, SIDES), stride=STRIDES, data=st.data())
    def test_unusual_depthwise_convolution(self, height, width, kernel, stride, data):
        padding = tuple(data.draw(st.integers(0, side - 1)) for side in kernel)
        layer = depthwise(20, kernel, stride, padding)
        check(network(nn.Conv2d(3, 20, 3), layer, nn.ReLU()), height, width)

    @SOME
    @given(
        **SIZES,
        kernel=st.tuples(SIDES, SIDES),
        stride=STRIDES,
        ins=st.sampled_from([16, 24, 70]),
        out=st.sampled_from([5, 48, 112]),
        data=st.data(),
    )
    def test_convolution_with_a_stride(self, height, width, kernel, stride, ins, out, data):
        padding = tuple(data.draw(st.integers(0, side - 1)) for side in kernel)
        layer = nn.Conv2d(ins, out, kernel, stride, padding)
        check(network(nn.Conv2d(3, ins, 3), nn.ReLU6(), layer, nn.ReLU()), height, width)

    @SOME
    @given(**SIZES, edges=st.tuples(*[st.integers(0, 2)] * 4), stride=st.integers(1, 2))
    def test_padding_of_one_side(self, height, width, edges, stride):
        pad = nn.ZeroPad2d(edges)
        first, middle = nn.Conv2d(3, 24, 3, 2), depthwise(24, 5, stride, 1)
        last = nn.Conv2d(24, 24, 3, padding=0)
        check(network(pad, first, nn.ReLU6(), pad, middle, nn.ReLU6(), pad, last), height, width)

    def test_relu6_in_front_of_a_pool_and_alone(self):
        six = nn.ReLU6()
        check(network(nn.Conv2d(3, 20, 3), six, nn.MaxPool2d(2), six, nn.AvgPool2d(2)), 33, 30)

    @SOME
    @given(**SIZES)
    def test_batch_norm_behind_something_else_than_a_convolution(self, height, width):
        norm = nn.BatchNorm2d(24)
        torch.nn.init.normal_(norm.weight)
        torch.nn.init.normal_(norm.bias)
        layers = nn.Conv2d(3, 24, 3), Residual(24), norm, nn.ReLU(), norm, nn.Conv2d(24, 24, 1)
        check(network(*layers), height, width)

    @SOME
    @given(**SIZES)
    def test_inverted_residuals(self, height, width):
        layers = [
            nn.Conv2d(3, 24, 3, 2), Inverted(24, 24, 3), Inverted(24, 40, 5, 2, (1, 2, 1, 2)),
            Inverted(40, 40, 5, 1, (2, 2, 2, 2)), Inverted(40, 24, 3, 1),
        ]  # fmt: skip
        check(network(*layers), height, width)


@pytest.mark.usefixtures("variant")
def test_relu6_passes_gradients_strictly_between_its_bounds():
    """Pixels of −1, 0, 2, 6, 8, and one that is not a number, times 1."""
    conv = nn.Conv2d(3, 3, 1, bias=False)
    conv.weight.data = torch.eye(3)[:, :, None, None]
    traced = fx.symbolic_trace(nn.Sequential(conv, nn.ReLU6()))
    module = nn.Sequential(Preprocessing((0, 0, 0), (1, 1, 1)), traced).requires_grad_(False)
    x = torch.tensor([-1, 0, 2, 6, 8, torch.nan]).expand(1, 3, 1, 6)
    computed = kernel_executor(program_of(module)).run(x)
    expected = torch.tensor([0, 0, 2, 6, 6, torch.nan]).expand(1, 3, 1, 6)
    assert torch.equal(computed.maps[0].nan_to_num(-9), expected.nan_to_num(-9))
    gradient = computed.backward([torch.ones(1, 3, 1, 6)])
    assert gradient[0, 0, 0].tolist() == [0, 0, 1, 0, 0, 1]


@pytest.mark.usefixtures("variant")
def test_the_gradient_is_exact_away_from_kinks():
    """Each channel is below, within or above the bounds of its ReLU6 in all cells."""
    module = network(
        nn.Conv2d(3, 24, 3, 2), nn.ReLU6(), Inverted(24, 24, 3), Inverted(24, 40, 5, 2),
        Inverted(40, 40, 5, 1, (2, 2, 2, 2)), nn.Conv2d(40, 24, 3, 2, 1), nn.ReLU6(),
    )  # fmt: skip
    random = torch.Generator().manual_seed(5)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            weight = torch.randn(layer.weight.shape, generator=random)
            # Inputs are below 12, sums thus at most 2.5.
            layer.weight.data = weight * (2.5 / 12) / weight.flatten(1).abs().sum(1).amax()
            choice = torch.randint(0, 5, (len(weight),), generator=random)
            layer.bias.data = torch.tensor([-3.0, 3.0, 3.0, 3.0, 9.0])[choice]
    x = torch.rand(1, 3, 96, 83, generator=random)
    computed = kernel_executor(program_of(module)).run(x)
    grads = [torch.randn(cells.shape, generator=random) for cells in computed.maps]
    _, exact = reference(module, x, grads)
    cosine = torch.nn.functional.cosine_similarity
    gradient = computed.backward(grads).double()
    assert 1 - cosine(gradient.flatten(), exact.flatten(), 0) < 1e-9
    assert (gradient - exact).abs().max() < 1e-5 * exact.abs().max()


NETWORKS = [
    ("mobilenet_v2", "features.7", (430, 371), 100),
    ("mobilenet_v2", "features.3", (230, 191), 37),
]


@pytest.mark.parametrize(("model", "layer", "size", "side"), NETWORKS)
def test_tiles_do_not_change_a_bit(model, layer, size, side, monkeypatch):
    monkeypatch.setattr(registry, "load", with_random_weights)
    network = extract(model, [layer])
    assert network.executor_name == "kernel"
    expected, one = tiled(network, size, HUGE)
    computed, count = tiled(network, size, side)
    assert one == 1 < count
    assert torch.equal(computed, expected)


@pytest.mark.usefixtures("variant")
@pytest.mark.parametrize(
    "layers",
    [
        [Inverted(24, 24, 3), Inverted(24, 40, 5, 2, (1, 2, 1, 2)), Inverted(40, 40, 5)],
        [Inverted(24, 24, 5, 1, (2, 2, 2, 2)), Inverted(24, 16, 3, 2), nn.Conv2d(16, 16, 3, 2, 1)],
        [nn.Conv2d(24, 40, (3, 5), (2, 1), (1, 4)), nn.ReLU6(), depthwise(40, (5, 2), (1, 3), 1)],
    ],
)
def test_the_gradient_at_some_pixels_is_identical(layers):
    """The cells of blocks and those left over at the window's edges must round in the same way."""
    executor = kernel_executor(program_of(network(nn.Conv2d(3, 24, 3, 2), nn.ReLU6(), *layers)))
    x = torch.rand(1, 3, 90, 131, generator=torch.Generator().manual_seed(1))
    full = executor.run(x)
    (cells,) = full.maps
    grad = torch.randn(cells.shape, generator=torch.Generator().manual_seed(2))
    gradient = full.backward([grad])
    for rows, columns in [((30, 31), (0, 131)), ((0, 90), (60, 67)), ((17, 50), (101, 131))]:
        kept = Window(Span(*rows), Span(*columns))
        part = executor.run(x, [((0, cells.shape[2]), (0, cells.shape[3]))], kept)
        assert torch.equal(part.backward([grad]), gradient[..., slice(*rows), slice(*columns)])


@pytest.mark.usefixtures("variant", "usual_threads")
def test_the_number_of_threads_does_not_change_a_bit():
    layers = [
        nn.Conv2d(3, 24, 3, 2), Inverted(24, 24, 3), Inverted(24, 40, 5, 2, (1, 2, 1, 2)),
        nn.Conv2d(40, 24, 3, 2, 1), nn.ReLU6(),
    ]  # fmt: skip
    executor = kernel_executor(program_of(network(*layers)))
    x = torch.rand(1, 3, 180, 171)

    def gradient(threads):
        torch.set_num_threads(threads)
        computed = executor.run(x)
        return computed.backward(computed.maps)

    alone = gradient(1)
    assert all(torch.equal(gradient(threads), alone) for threads in (2, 3, 7))


def test_unused_channels_of_the_last_group_stay_zero():
    executor = kernel_executor(
        program_of(network(nn.Conv2d(3, 24, 3), nn.ReLU6(), depthwise(24, 3), nn.ReLU6()))
    )
    x = torch.rand(1, 3, 40, 41)
    plan = executor.plan((40, 41), None, None, True)
    kept, roots = executor.prepared(plan)
    executor.work(plan.forward, plan, kept, roots, x)
    (cells,) = roots.values()
    assert cells.shape[-1] == 32
    assert (cells[..., :24] > 0).any()
    assert not cells[..., 24:].any()


def test_a_convolution_adds_to_the_other_summand_directly():
    graph = graph_of(program_of(network(nn.Conv2d(3, 24, 3), Inverted(24, 24, 3))))
    copies = [operation for operation in graph.forward if operation.kind == library.COPY]
    assert len(copies) == 1
    assert graph.forward[-1].kind == library.CONVOLVE
    assert graph.forward[-1].finish & library.ADD
