"""A network as ONNX graphs has the gradient of the tape, on the CPU and on a card."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

pytest.importorskip("onnxruntime", reason="dreamlayer[webgpu] is not installed")

from dreamlayer.networks.executors.autograd import AutogradPass
from dreamlayer.networks.executors.onnx import executor as onnx_executor
from dreamlayer.networks.executors.onnx.executor import OnnxExecutor
from dreamlayer.networks.executors.tape.executor import TapeExecutor
from dreamlayer.networks.network import extract
from dreamlayer.networks.program.lowering import program_of
from dreamlayer.networks.program.steps import Conv
from dreamlayer.networks.registry import registry
from dreamlayer.runtime import webgpu
from tests import software_card
from tests.engine.networks import with_random_weights
from tests.networks.kernel_networks import Branches, Fire, Inverted, Residual, network
from tests.networks.onnx_checks import compared, errors
from tests.networks.test_program import Everything, traced

EXACT, ON_CARD = 1e-5, 1e-4
EMBEDDED = ("squeezenet1_1", "efficientnet-lite0")
SIZE = (77, 90)
MODULE = traced(Everything()).float()
EVERYTHING = program_of(MODULE)


def on_cpu(program) -> OnnxExecutor:
    return OnnxExecutor(program, on_card=False)


def picture(height: int, width: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def squeezenet():
    return extract("squeezenet1_1", ["3", "7"])


def test_every_kind_of_step() -> None:
    assert max(errors(EVERYTHING, picture(41, 36))) < EXACT


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("squeezenet1_1", ["10"]),
        ("squeezenet1_1", ["2", "12", "6"]),
        ("efficientnet-lite0", ["10"]),
        ("vgg16", ["features.16"]),
        ("googlenet", ["inception4a"]),
        ("resnet50", ["layer2"]),
    ],
)
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_the_networks(name, layers, pooling, monkeypatch) -> None:
    load = registry.load
    monkeypatch.setattr(
        registry, "load", lambda n: load(n) if n in EMBEDDED else with_random_weights(n)
    )
    program = program_of(extract(name, layers, pooling=pooling).module)
    # Rounding may decide a near tie in a max pool: a picture without one will do.
    assert any(max(errors(program, picture(75, 88, seed))) < EXACT for seed in range(3))


@pytest.mark.parametrize(
    "layers",
    [
        (nn.Conv2d(3, 16, 3, 2), Fire(16, 8, 16), nn.MaxPool2d(3, 2, ceil_mode=True), Residual(32)),
        (nn.Conv2d(3, 8, 7, 4, 3), nn.MaxPool2d(3, 2, 1), Branches(8)),
        (nn.Conv2d(3, 8, 3, (2, 1), 1), nn.MaxPool2d((2, 3), (1, 2)), nn.AvgPool2d(2, (2, 1))),
        (nn.Conv2d(3, 8, 1, 2), nn.MaxPool2d(2, 3), nn.Conv2d(8, 4, 2)),  # some cells unseen
        (nn.Conv2d(3, 4, 1), Inverted(4, 4, 3), Inverted(4, 6, 5, 2, (1, 2, 1, 2))),
        (nn.Conv2d(3, 8, 3), nn.ReLU6(), nn.AvgPool2d(3, 2, 1, True, False), nn.ZeroPad2d(2)),
    ],
)
def test_strides_pads_and_windows_of_all_kinds(layers) -> None:
    assert max(errors(program_of(network(*layers)), picture(45, 51))) < EXACT


@settings(max_examples=12)
@given(st.data())
def test_skipped_cells_do_not_change_the_result(data) -> None:
    """Any cells of three maps, and the gradient at any pixels."""

    def span(length: int) -> tuple[int, int]:
        start = data.draw(st.integers(0, length - 1))
        return start, data.draw(st.integers(start + 1, length))

    grids = on_cpu(EVERYTHING)._grids((41, 36))
    outputs = [(span(rows[1]), span(columns[1])) for rows, columns in grids]
    kept = span(41), span(36)
    x = picture(41, 36)
    by_torch = AutogradPass(MODULE, x, outputs, kept)
    by_onnx = on_cpu(EVERYTHING).run(x, outputs, kept)
    assert max(compared(by_onnx, by_torch)) < EXACT


def test_a_map_of_which_nothing_is_asked_and_pixels_that_no_cell_sees(squeezenet) -> None:
    executor = on_cpu(program_of(squeezenet.module))
    seen = executor.run(picture(*SIZE), [((8, 10), (9, 12)), ((0, 0), (0, 0))], ((0, 9), (0, 7)))
    assert [tuple(cells.shape) for cells in seen.maps] == [(1, 128, 2, 3), (1, 256, 0, 0)]
    grad = seen.backward([torch.ones_like(cells) for cells in seen.maps])
    assert torch.equal(grad, torch.zeros(1, 3, 9, 7))


@pytest.mark.parametrize("kernel", [2, 3])
def test_of_equal_maxima_one_gets_the_gradient(kernel) -> None:
    """Flat pictures are full of them, and so is all that a ReLU has set to zero."""
    program = program_of(network(nn.Conv2d(3, 4, 1), nn.MaxPool2d(kernel, 2, ceil_mode=True)))
    flat = torch.full((1, 3, 21, 24), 0.25)
    flat[..., 8:, 8:] = (picture(13, 16) * 3).floor() / 3  # some equal neighbours
    tape, onnx = TapeExecutor(program).run(flat), on_cpu(program).run(flat)
    grads = [torch.ones_like(cells) for cells in tape.maps]
    expected, computed = tape.backward([g.clone() for g in grads]), onnx.backward(grads)
    assert torch.equal(computed == 0, expected == 0)
    torch.testing.assert_close(computed, expected, rtol=1e-5, atol=1e-6)


def test_a_bounded_relu_passes_no_gradient_where_it_is_at_its_bound() -> None:
    program = program_of(network(nn.Conv2d(3, 4, 1), nn.ReLU6()))
    conv = next(step for step in program.steps if isinstance(step, Conv))
    conv.weight.mul_(20)
    tape, onnx = (kind.run(picture(12, 15)) for kind in (TapeExecutor(program), on_cpu(program)))
    assert (tape.maps[0] == 6).any() and (tape.maps[0] == 0).any()
    grads = [torch.ones_like(tape.maps[0])]
    expected = tape.backward([grads[0].clone()])
    torch.testing.assert_close(onnx.backward(grads), expected, rtol=1e-5, atol=1e-5)


def test_infer_equals_run(squeezenet) -> None:
    executor = on_cpu(program_of(squeezenet.module))
    outputs = [((1, 3), (0, 4)), ((0, 2), (1, 3))]
    x = picture(*SIZE)
    for looked, ran in zip(executor.infer(x, outputs), executor.run(x, outputs).maps, strict=True):
        torch.testing.assert_close(looked, ran)


def test_few_sessions_are_kept_and_the_least_recently_used_is_dropped(monkeypatch) -> None:
    monkeypatch.setattr(onnx_executor, "SESSIONS", 2)
    compiled = []
    compile_ = OnnxExecutor._compiled
    monkeypatch.setattr(
        OnnxExecutor, "_compiled", lambda self, s: compiled.append(s.size) or compile_(self, s)
    )
    executor = on_cpu(program_of(network(nn.Conv2d(3, 4, 3))))
    for side in (8, 9, 8, 10, 8, 9):
        executor.run(picture(side, side))
    assert compiled == [(8, 8), (9, 9), (10, 10), (9, 9)]


def test_sessions_with_large_weights_are_fewer(monkeypatch) -> None:
    program = program_of(network(nn.Conv2d(3, 4, 3)))
    executor = on_cpu(program)
    executor.run(picture(8, 8))
    (own,) = executor._sessions.values()
    assert own.weight_bytes >= 2 * 4 * 27 * 4  # the convolution's, forward and backward
    monkeypatch.setattr(onnx_executor, "SESSION_BYTES", own.weight_bytes)
    executor.run(picture(9, 9))
    assert [shape.size for shape in executor._sessions] == [(9, 9)]


def test_the_environment_chooses_it(monkeypatch) -> None:
    monkeypatch.setenv("DREAMLAYER_ENGINE", "onnx")
    assert extract("squeezenet1_1", ["2"]).executor_name == "onnx"


def test_a_card_that_fails_is_told_from_one_without_memory() -> None:
    with pytest.raises(webgpu.WebGpuOutOfMemory), webgpu.errors_told():
        raise ValueError("Requested allocation exceeds maxBufferSize")
    with pytest.raises(webgpu.WebGpuError, match="WebGPU: device lost"), webgpu.errors_told():
        raise ValueError("device lost")


@pytest.mark.parametrize(
    "what",
    [
        ("41", "everything"),
        ("64", "squeezenet1_1", "3"),
    ],
)
def test_on_a_software_card(what) -> None:
    """With not one operation on the CPU."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.networks.on_software_card", *what],
        env=os.environ | software_card.variables(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert max(found) < ON_CARD
    assert found[-1] > 0  # another device than the tape's


@pytest.mark.slow
@pytest.mark.every_way  # a minute each on the program that pretends to be a card
@pytest.mark.parametrize(
    "what",
    [
        ("64", "squeezenet1_1", "10"),
        ("64", "efficientnet-lite0", "10"),
        ("64", "vgg16", "features.9"),
        ("64", "googlenet", "inception3b"),
        ("64", "resnet50", "layer2"),
    ],
)
def test_the_networks_on_a_software_card(what) -> None:
    test_on_a_software_card(what)
