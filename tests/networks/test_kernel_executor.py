"""The compiled kernel matches torch in double precision, and tilings do not change its results."""

from __future__ import annotations

import _ctypes
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn

from dreamlayer.geometry import Span, Window
from dreamlayer.networks.executors.kernel import library
from dreamlayer.networks.executors.kernel.executor import kernel_executor
from dreamlayer.networks.executors.kernel.library import KernelUnavailable
from dreamlayer.networks.executors.kernel.operations import UnsupportedStep
from dreamlayer.networks.graph.preprocessing import Preprocessing
from dreamlayer.networks.network import extract, release_memory
from dreamlayer.networks.program.lowering import program_of
from dreamlayer.networks.registry import registry
from tests.engine.networks import with_random_weights
from tests.networks.kernel_checks import HUGE, VARIANTS, check, error, reference, tiled
from tests.networks.kernel_networks import Branches, Fire, Residual, network

pytestmark = pytest.mark.skipif(not VARIANTS, reason="no C++ compiler, so no kernel")

SIZES = {"height": st.integers(16, 41), "width": st.integers(16, 70)}
SOME = settings(max_examples=8, deadline=None, derandomize=True)


@pytest.mark.usefixtures("variant")
class TestPrimitives:
    @SOME
    @given(
        **SIZES,
        kernel=st.tuples(st.integers(1, 7), st.integers(1, 7)),
        stride=st.integers(1, 4),
        out=st.integers(1, 70),
        data=st.data(),
    )
    def test_first_convolution(self, height, width, kernel, stride, out, data):
        padding = tuple(data.draw(st.integers(0, side - 1)) for side in kernel)
        check(network(nn.Conv2d(3, out, kernel, stride, padding)), height, width)

    @SOME
    @given(
        **SIZES,
        kernel=st.sampled_from([(1, 1), (3, 3), (5, 5), (1, 7), (7, 1), (2, 2)]),
        ins=st.sampled_from([1, 16, 24, 130]),
        out=st.sampled_from([5, 16, 48, 64, 112]),
        data=st.data(),
    )
    def test_convolution(self, height, width, kernel, ins, out, data):
        padding = tuple(data.draw(st.integers(0, side - 1)) for side in kernel)
        second = nn.Conv2d(ins, out, kernel, 1, padding)
        check(network(nn.Conv2d(3, ins, 3, padding=1), second), height, width)

    @SOME
    @given(
        **SIZES,
        kind=st.sampled_from([nn.MaxPool2d, nn.AvgPool2d]),
        kernel=st.integers(1, 4),
        stride=st.integers(1, 4),
        ceil=st.booleans(),
        relu=st.booleans(),
        data=st.data(),
    )
    def test_pool(self, height, width, kind, kernel, stride, ceil, relu, data):
        padding = data.draw(st.integers(0, kernel // 2))
        pool = kind(kernel, stride, padding, ceil_mode=ceil)
        middle = [nn.ReLU()] if relu else []
        check(network(nn.Conv2d(3, 20, 3), *middle, pool), height, width)

    @pytest.mark.parametrize("counted", [True, False])
    def test_mean_pool_with_and_without_padding(self, counted):
        pool = nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=counted)
        check(network(nn.Conv2d(3, 20, 3), pool), 31, 30)

    @SOME
    @given(**SIZES)
    def test_relu_in_front_of_and_behind_other_layers(self, height, width):
        relu, pool = nn.ReLU(), nn.MaxPool2d(2)
        layers = [nn.Conv2d(3, 16, 3), relu, nn.Conv2d(16, 32, 3, padding=1), relu, pool]
        check(network(*layers, nn.Conv2d(32, 16, 3, padding=1), relu), height, width)

    @SOME
    @given(**SIZES)
    def test_concatenation_and_sum(self, height, width):
        layers = [nn.Conv2d(3, 32, 3, 2), nn.ReLU(), Fire(32, 16, 32), Residual(64)]
        check(network(*layers, Fire(64, 16, 16), nn.MaxPool2d(3, 2), Branches(32)), height, width)


def mapped(module, *layers):
    """A network with the maps of several of its layers as outputs."""
    traced = fx.symbolic_trace(nn.Sequential(*module))
    nodes = {str(node.target): node for node in traced.graph.nodes}
    output = next(node for node in traced.graph.nodes if node.op == "output")
    output.args = (tuple(nodes[layer] for layer in layers),)
    traced.recompile()
    prepared = nn.Sequential(Preprocessing((0.4, 0.5, 0.6), (0.2, 0.3, 0.25)), traced)
    return prepared.eval().requires_grad_(False)


def test_several_maps_that_depend_on_each_other():
    torch.manual_seed(1)
    layers = [
        nn.Conv2d(3, 24, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(24, 16, 3), nn.ReLU(),
        nn.Conv2d(16, 16, 1),
    ]  # fmt: skip
    check(mapped(layers, "0", "2", "4", "5"), 33, 38)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "layer", "size"),
    [
        ("squeezenet1_1", "features.10", (151, 186)),
        ("squeezenet1_1", "features.12", (160, 143)),
        ("vgg16", "features.25", (33, 48)),
        ("googlenet", "inception4c", (107, 98)),
        ("mobilenet_v2", "features.13", (131, 122)),
        ("resnet18", "layer3", (107, 98)),
    ],
)
def test_whole_networks_match_double_precision(model, layer, size, monkeypatch, variant):
    load = registry.load
    monkeypatch.setattr(
        registry,
        "load",
        lambda name: load(name) if "squeeze" in name else with_random_weights(name),
    )
    network = extract(model, [layer])
    assert network.executor_name == "kernel"
    x = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    computed = network.run(x)
    (exact,), gradient = reference(network.module, x)
    assert error(computed.maps[0], exact) < 1e-5
    got = computed.backward([exact.float()])
    cosine = torch.nn.functional.cosine_similarity(got.double().flatten(), gradient.flatten(), 0)
    assert cosine > 0.9999
    rms = gradient.square().mean().sqrt()
    assert (got - gradient).abs().median() / rms < 1e-5


@pytest.mark.parametrize(
    ("model", "layer", "size", "side"),
    [
        ("squeezenet1_1", "features.7", (430, 371), 100),
        ("vgg16", "features.9", (230, 191), 70),
        ("googlenet", "inception3b", (430, 371), 100),
        ("resnet18", "layer2", (430, 371), 100),
    ],
)
def test_tiles_do_not_change_a_bit(model, layer, size, side, monkeypatch):
    load = registry.load
    monkeypatch.setattr(
        registry,
        "load",
        lambda name: load(name) if "squeeze" in name else with_random_weights(name),
    )
    network = extract(model, [layer])
    assert network.executor_name == "kernel"
    expected, one = tiled(network, size, HUGE)
    computed, count = tiled(network, size, side)
    assert one == 1 < count
    assert torch.equal(computed, expected)
    # Without the dependencies of the rounding the result differs.
    monkeypatch.setattr(network, "gradient_dependencies", lambda *_: None)
    monkeypatch.setattr(network, "pixel_dependencies", lambda *_: None)
    narrow, _ = tiled(network, size, side)
    assert not torch.equal(narrow, expected)
    assert error(narrow, expected) < 1e-5


@pytest.mark.parametrize("layer", ["features.0", "features.1", "features.2", "features.3"])
def test_tiles_do_not_change_a_bit_of_the_first_layers(layer):
    """They have no Winograd tiles, but the gradient's blocks of two pixels."""
    network = extract("squeezenet1_1", [layer])
    assert network.executor_name == "kernel"
    expected, _ = tiled(network, (130, 91), HUGE)
    assert torch.equal(tiled(network, (130, 91), 37)[0], expected)


@pytest.mark.parametrize("cells", [(0, 9), (11, 12), (15, 20)])
def test_cells_are_identical_in_a_crop_of_their_dependencies(cells):
    network = extract("squeezenet1_1", ["features.7"])
    x = torch.rand(1, 3, 420, 420, generator=torch.Generator().manual_seed(1))
    begin, end = network.pixel_dependencies(0, 420, [cells])
    begin = begin // network.grain * network.grain
    (whole_map,) = network.infer(x, [((0, 25), (0, 25))])
    inside = tuple(cell - begin // network.stride for cell in cells)
    (computed,) = network.infer(x[:, :, begin:end], [(inside, (0, 25))])
    assert torch.equal(computed, whole_map[:, :, slice(*cells)])


def test_the_gradient_at_some_pixels_is_identical():
    network = extract("squeezenet1_1", ["features.5"])
    x = torch.rand(1, 3, 320, 256, generator=torch.Generator().manual_seed(1))
    full = network.run(x)
    (cells,) = full.maps
    inputs_kept = Window(Span(128, 160), Span(64, 140))
    part = network.run(x, [((0, cells.shape[2]), (0, cells.shape[3]))], inputs_kept)
    assert torch.equal(part.maps[0], cells)
    grad = torch.randn(cells.shape, generator=torch.Generator().manual_seed(2))
    assert torch.equal(part.backward([grad]), full.backward([grad])[..., 128:160, 64:140])


def test_concurrent_passes_are_independent():
    network = extract("squeezenet1_1", ["features.7"])
    pictures = [torch.rand(1, 3, 90 + 8 * i, 120) for i in range(6)]

    def gradient(x):
        computed = network.run(x)
        return computed.backward(computed.maps)

    alone = [gradient(x) for x in pictures]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(5):
            assert all(map(torch.equal, pool.map(gradient, pictures), alone))


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is measured on Linux")
def test_unused_memory_is_released():
    network = extract("squeezenet1_1", ["features.10"])
    computed = network.run(torch.rand(1, 3, 1024, 1024))
    computed.backward(computed.maps)
    before = psutil.Process().memory_info().rss
    release_memory()
    after = psutil.Process().memory_info().rss
    assert before - after > 32 << 20  # of 40 MB of kept and scratch memory
    again = network.run(torch.rand(1, 3, 1024, 1024))
    release_memory()  # the pass still has its kept memory
    assert torch.isfinite(again.backward(again.maps)).all()


@pytest.mark.usefixtures("variant", "usual_threads")
@pytest.mark.parametrize("threads", [2, 3, 7])
def test_the_number_of_threads_does_not_change_a_bit(threads, monkeypatch):
    monkeypatch.setattr(registry, "load", with_random_weights)
    network = extract("googlenet", ["inception3a"])  # pools, concatenations, Winograd, 1×1
    pictures = [torch.rand(1, 3, 120 + 30 * i, 151) for i in range(3)]

    def gradient(x):
        computed = network.run(x)
        return computed.backward(computed.maps)

    torch.set_num_threads(1)
    alone = [gradient(x) for x in pictures]
    torch.set_num_threads(threads)
    for _ in range(4):
        assert all(map(torch.equal, map(gradient, pictures), alone))


@pytest.mark.usefixtures("usual_threads")
def test_helper_threads_take_part(monkeypatch):
    network = extract("squeezenet1_1", ["features.7"])
    numbers = set()
    run = library.Library.run
    both = threading.Barrier(2)

    def watched(self, steps, pieces, workspace, thread, shared):
        numbers.add((thread, threading.get_ident()))
        both.wait(60)
        run(self, steps, pieces, workspace, thread, shared)

    monkeypatch.setattr(library.Library, "run", watched)
    torch.set_num_threads(2)
    network.run(torch.rand(1, 3, 100, 100))
    assert len(numbers) == 2
    assert {thread for thread, _ in numbers} == {0, 1}  # each begins at its own end


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(3, 32, 3), nn.Conv2d(32, 32, 3, groups=4)],
        [nn.Conv2d(3, 32, 3), nn.Conv2d(32, 64, 3, groups=32)],
        [nn.Conv2d(3, 3, 3, groups=3)],
        [nn.Conv2d(3, 32, 3), nn.ZeroPad2d(1), nn.MaxPool2d(2)],
        [nn.Conv2d(3, 32, 3), nn.ZeroPad2d(1)],
        [nn.Conv2d(3, 32, 3), nn.ZeroPad2d((0, 3, 0, 0)), nn.Conv2d(32, 32, 3)],
        [nn.MaxPool2d(2), nn.Conv2d(3, 32, 3)],
        [nn.Conv2d(3, 24, 3), Fire(24, 16, 24)],
    ],
)
def test_unsupported_steps_are_refused(layers):
    with pytest.raises(UnsupportedStep):
        kernel_executor(program_of(network(*layers)))


def test_without_a_library_the_tape_is_chosen(monkeypatch, tmp_path):
    monkeypatch.setattr(library, "LIBRARY", tmp_path / "missing.so")
    library._loaded.cache_clear()
    try:
        with pytest.raises(KernelUnavailable, match="not compiled"):
            library.library()
        assert "not compiled" in library.description()
        assert extract("squeezenet1_1", ["features.5"]).executor_name == "tape"
        (tmp_path / "missing.so").write_bytes(b"no library")
        with pytest.raises(KernelUnavailable, match="cannot be loaded"):
            library.library()
    finally:
        library._loaded.cache_clear()


@pytest.mark.parametrize("changed", ["functions", "sizes"])
def test_a_library_of_another_version_is_not_used(changed, monkeypatch):
    if changed == "sizes":
        monkeypatch.setattr(library, "PROGRESS", library.PROGRESS + 8)
    else:  # Python's own library lacks the kernel's functions
        monkeypatch.setattr(library, "LIBRARY", Path(_ctypes.__file__))
    library._loaded.cache_clear()
    try:
        with pytest.raises(KernelUnavailable, match="another version"):
            library.library()
    finally:
        library._loaded.cache_clear()


def test_the_description_names_the_variant(variant):
    assert variant in library.description()


def test_float64_networks_use_the_tape():
    assert extract("squeezenet1_1", ["features.5"]).to("cpu", torch.float64).executor_name == "tape"


def test_an_unknown_variant_is_refused(monkeypatch):
    monkeypatch.setenv(library.VARIANT, "sse9")
    with pytest.raises(KernelUnavailable, match=r"can run .*portable"):
        library.library()


def test_invalid_arguments_are_refused():
    executor = kernel_executor(program_of(network(nn.Conv2d(3, 16, 3), nn.MaxPool2d(2))))
    picture = torch.rand(1, 3, 20, 20)
    for wrong in (picture[0], picture.double(), picture[:, :2]):
        with pytest.raises(ValueError, match="one picture"):
            executor.run(wrong)
    with pytest.raises(ValueError, match="too small"):
        executor.run(picture[..., :2, :2])
    computed = executor.run(picture)
    with pytest.raises(ValueError, match="one gradient a map"):
        computed.backward([])
    with pytest.raises(ValueError, match="do not lie"):
        executor.run(picture, None, ((0, 21), (0, 20)))
    again = executor.run(picture)
    again.backward(again.maps)
    with pytest.raises(ValueError, match="Nothing was kept"):
        again.backward(again.maps)


def test_invalid_steps_are_not_run():
    loaded = library.library()
    steps, workspace = (library.KernelStep * 1)(), torch.zeros(16)
    for kind, piece in ((0, (0, 0, 1)), (99, (0, 0, 1)), (library.COPY, (1, 0, 1))):
        steps[0].kind = kind
        pieces = (library.Piece * 1)(library.Piece(*piece))
        with pytest.raises(ValueError, match="makes no sense"):
            loaded.run(steps, pieces, workspace.data_ptr())
