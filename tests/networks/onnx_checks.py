"""How far an ONNX graph is from the tape."""

from __future__ import annotations

from torch import Tensor

from dreamlayer.networks.executors.base import Pass
from dreamlayer.networks.executors.onnx.executor import OnnxExecutor
from dreamlayer.networks.executors.tape.executor import TapeExecutor
from dreamlayer.networks.program.lowering import Program


def errors(program: Program, x: Tensor, on_card: bool = False) -> list[float]:
    """Relative errors in the norm: of each map, and last of the gradient."""
    return compared(OnnxExecutor(program, on_card).run(x), TapeExecutor(program).run(x))


def compared(computed: Pass, expected: Pass) -> list[float]:
    """As `errors`, of any two passes."""
    grads = [cells.clone() for cells in expected.maps]
    pairs = list(zip(computed.maps, expected.maps, strict=True))
    pairs.append((computed.backward(grads), expected.backward(grads)))
    return [_error(one, other) for one, other in pairs]


def _error(computed: Tensor, expected: Tensor) -> float:
    assert computed.shape == expected.shape
    return float((computed - expected).norm() / expected.norm().clamp(min=1e-30))
