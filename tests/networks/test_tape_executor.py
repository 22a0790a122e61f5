"""The gradient of the tape equals that of torch's autograd."""

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


def compare(module, x: Tensor, outputs=None, inputs_kept=None) -> None:
    by_torch = AutogradPass(module, x, outputs, inputs_kept)
    by_tape = TapeExecutor(program_of(module)).run(x, outputs, inputs_kept)
    for computed, expected in zip(by_tape.maps, by_torch.maps, strict=True):
        torch.testing.assert_close(computed, expected, rtol=1e-12, atol=1e-12)
    grads = [torch.randn_like(cells) for cells in by_torch.maps]
    copies = [grad.clone() for grad in grads]
    computed, expected = by_tape.backward(copies), by_torch.backward(grads)
    assert computed.shape == expected.shape
    assert float((computed - expected).norm()) <= 1e-12 * float(expected.norm())
    assert all(map(torch.equal, copies, grads))  # the caller's gradients are unchanged


def test_the_gradient_of_every_kind_of_step():
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
def test_the_gradient_of_every_network_equals_torchs(name, layers, pooling, monkeypatch):
    load = registry.load
    monkeypatch.setattr(
        registry, "load", lambda n: load(n) if n == "squeezenet1_1" else with_random_weights(n)
    )
    network = extract(name, layers, pooling=pooling).to("cpu", torch.float64)
    x = torch.rand(1, 3, 107, 120, dtype=torch.float64)
    compare(network.module, x)


@pytest.mark.parametrize("rows", [(0, 8), (20, 50), (40, 77), (0, 77)])
@pytest.mark.parametrize("columns", [(0, 90), (33, 34), (80, 90)])
def test_skipped_cells_do_not_change_the_result(rows, columns):
    """The gradient of a part of the picture, from the cells that see it."""
    network = extract("squeezenet1_1", ["3", "7"]).to("cpu", torch.float64)
    x = torch.rand(1, 3, *SIZE, dtype=torch.float64)
    inputs_kept = (rows, columns)
    outputs = []
    for one, grid in zip(network.maps, network.grids(*SIZE), strict=True):
        cells = []
        for (start, stop), count in zip(inputs_kept, grid, strict=True):
            first = max(0, -(-(start - one.reach[1]) // one.stride))
            cells.append((first, min(count, (stop - 1 - one.reach[0]) // one.stride + 1)))
        outputs.append(tuple(cells))
    compare(network.module, x, outputs, inputs_kept)


def test_cells_that_see_no_kept_pixel_have_no_gradient():
    network = extract("squeezenet1_1", ["3"]).to("cpu", torch.float64)
    x = torch.rand(1, 3, *SIZE, dtype=torch.float64)
    computed = TapeExecutor(program_of(network.module)).run(
        x, [((8, 10), (9, 12))], ((0, 9), (0, 9))
    )
    grads = [torch.ones_like(cells) for cells in computed.maps]
    assert torch.equal(computed.backward(grads), torch.zeros(1, 3, 9, 9, dtype=x.dtype))


def test_infer_equals_run():
    network = extract("squeezenet1_1", ["6", "10"])
    x, tape = torch.rand(1, 3, *SIZE), TapeExecutor(program_of(network.module))
    outputs = [((1, 3), (0, 4)), ((0, 2), (1, 3))]
    for looked, ran in zip(tape.infer(x, outputs), tape.run(x, outputs).maps, strict=True):
        assert torch.equal(looked, ran)


@pytest.mark.parametrize("layer", ["2", "10"])
@pytest.mark.parametrize("threads", [1, 2])
def test_crop_and_threads_do_not_change_a_bit(layer, threads):
    """Otherwise a max pool's choice flips after a dozen steps, and the dream changes."""
    tape = TapeExecutor(program_of(extract("squeezenet1_1", [layer]).module))
    x = torch.rand(1, 3, 400, 384, generator=torch.Generator().manual_seed(1))
    usual = torch.get_num_threads()
    whole = tape.run(x)
    expected = whole.backward([2 * cells for cells in whole.maps])
    torch.set_num_threads(threads)
    try:
        part = tape.run(x[..., 16:368, 32:])
        computed = part.backward([2 * cells for cells in part.maps])
    finally:
        torch.set_num_threads(usual)
    inside = slice(160, 352 - 160)  # twice what a cell sees from the edges of the part
    right = slice(160, 352 - 160)
    assert torch.equal(computed[..., inside, right], expected[..., 176:208, 192:224])


def test_a_large_relu_is_kept_as_a_mask(monkeypatch):
    monkeypatch.setattr("dreamlayer.networks.executors.tape.operations.LARGE", 0)
    network = extract("squeezenet1_1", ["10"]).to("cpu", torch.float64)
    compare(network.module, torch.rand(1, 3, *SIZE, dtype=torch.float64))
