"""The hand-written way back is the one that torch finds."""

import pytest
import torch
from torch import Tensor

from dreamlayer.networks.executors.autograd import AutogradPass
from dreamlayer.networks.executors.tape.executor import TapeExecutor
from dreamlayer.networks.network import extract
from dreamlayer.networks.program.lowering import program_of
from dreamlayer.networks.registry import registry
from tests.engine.networks import with_random_weights
from tests.networks.test_program import Everything, traced

SIZE = (77, 90)


def compare(module, x: Tensor, wanted=None, keep=None) -> None:
    by_torch = AutogradPass(module, x, wanted, keep)
    by_hand = TapeExecutor(program_of(module)).run(x, wanted, keep)
    for found, expected in zip(by_hand.maps, by_torch.maps, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    slopes = [torch.randn_like(cells) for cells in by_torch.maps]
    given = [slope.clone() for slope in slopes]
    found, expected = by_hand.backward(given), by_torch.backward(slopes)
    assert found.shape == expected.shape
    assert float((found - expected).norm()) <= 1e-12 * float(expected.norm())
    assert all(map(torch.equal, given, slopes))  # the caller's stay as they were


def test_every_kind_of_step_has_its_way_back():
    compare(traced(Everything()), torch.randn(1, 3, 41, 36, dtype=torch.float64))


NETWORKS = [
    ("squeezenet1_1", ["10"]),
    ("squeezenet1_1", ["2", "12", "6"]),
    ("googlenet", ["inception3b"]),
    ("resnet50", ["layer2"]),
    ("densenet121", ["features.denseblock1", "features.transition1"]),
    ("mobilenet_v2", ["features.5"]),
    ("inception_v3", ["Mixed_6a"]),
    ("vgg16", ["features.9"]),
]


@pytest.mark.parametrize(("name", "layers"), NETWORKS)
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_every_network_goes_back_as_torch_does(name, layers, pooling, monkeypatch):
    load = registry.load
    monkeypatch.setattr(
        registry, "load", lambda n: load(n) if n == "squeezenet1_1" else with_random_weights(n)
    )
    network = extract(name, layers, pooling=pooling).to("cpu", torch.float64)
    x = torch.rand(1, 3, 107, 120, dtype=torch.float64)
    compare(network.module, x)


@pytest.mark.parametrize("rows", [(0, 8), (20, 50), (40, 77), (0, 77)])
@pytest.mark.parametrize("columns", [(0, 90), (33, 34), (80, 90)])
def test_what_is_left_out_is_not_missed(rows, columns):
    """A part of the picture is kept, and the cells that see it are wanted."""
    network = extract("squeezenet1_1", ["3", "7"]).to("cpu", torch.float64)
    x = torch.rand(1, 3, *SIZE, dtype=torch.float64)
    keep = (rows, columns)
    wanted = []
    for one, grid in zip(network.maps, network.grids(*SIZE), strict=True):
        cells = []
        for (start, stop), count in zip(keep, grid, strict=True):
            first = max(0, -(-(start - one.reach[1]) // one.stride))
            cells.append((first, min(count, (stop - 1 - one.reach[0]) // one.stride + 1)))
        wanted.append(tuple(cells))
    compare(network.module, x, wanted, keep)


def test_cells_that_no_kept_pixel_reaches_change_nothing():
    network = extract("squeezenet1_1", ["3"]).to("cpu", torch.float64)
    x = torch.rand(1, 3, *SIZE, dtype=torch.float64)
    found = TapeExecutor(program_of(network.module)).run(x, [((8, 10), (9, 12))], ((0, 9), (0, 9)))
    slopes = [torch.ones_like(cells) for cells in found.maps]
    assert torch.equal(found.backward(slopes), torch.zeros(1, 3, 9, 9, dtype=x.dtype))


def test_looking_gives_the_numbers_of_a_run():
    network = extract("squeezenet1_1", ["6", "10"])
    x, tape = torch.rand(1, 3, *SIZE), TapeExecutor(program_of(network.module))
    wanted = [((1, 3), (0, 4)), ((0, 2), (1, 3))]
    for looked, ran in zip(tape.infer(x, wanted), tape.run(x, wanted).maps, strict=True):
        assert torch.equal(looked, ran)


@pytest.mark.parametrize("layer", ["2", "10"])
@pytest.mark.parametrize("threads", [1, 2])
def test_no_bit_depends_on_the_crop_or_the_threads(layer, threads):
    """Or a max pool's choice flips after a dozen steps, and the dream goes another way."""
    tape = TapeExecutor(program_of(extract("squeezenet1_1", [layer]).module))
    x = torch.rand(1, 3, 400, 384, generator=torch.Generator().manual_seed(1))
    usual = torch.get_num_threads()
    whole = tape.run(x)
    expected = whole.backward([2 * cells for cells in whole.maps])
    torch.set_num_threads(threads)
    try:
        part = tape.run(x[..., 16:368, 32:])
        found = part.backward([2 * cells for cells in part.maps])
    finally:
        torch.set_num_threads(usual)
    inside = slice(160, 352 - 160)  # twice what a cell sees from the edges of the part
    right = slice(160, 352 - 160)
    assert torch.equal(found[..., inside, right], expected[..., 176:208, 192:224])


def test_a_large_relu_is_kept_as_a_mask(monkeypatch):
    monkeypatch.setattr("dreamlayer.networks.executors.tape.operations.LARGE", 0)
    network = extract("squeezenet1_1", ["10"]).to("cpu", torch.float64)
    compare(network.module, torch.rand(1, 3, *SIZE, dtype=torch.float64))
