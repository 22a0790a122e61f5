"""A block that does not fit into memory is divided in four, with the same result."""

import pytest
import torch

from dreamlayer.engine.objectives import terms
from dreamlayer.engine.objectives.objective import single_term
from dreamlayer.engine.objectives.terms import SquaresTerm
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.engine.tiling.tiled_gradient import TiledObjective
from dreamlayer.geometry import Window
from dreamlayer.runtime.devices import errors
from tests.engine.networks import SmallNetwork, pooled

SIZE = (300, 330)
DIRECTION = torch.arange(6.0, dtype=torch.float64)
ERRORS = [
    MemoryError(),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried …"),
    torch.cuda.OutOfMemoryError("CUDA out of memory."),
]


class MemoryLimitedNetwork:
    """A network that runs out of memory on crops above some number of pixels."""

    def __init__(self, network: SmallNetwork, limit: float, error: Exception) -> None:
        self._network, self._limit, self._error = network, limit, error
        self.failures = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._network, name)

    def run(self, x, *how):
        self._check(x)
        return self._network.run(x, *how)

    def infer(self, x, outputs):
        self._check(x)
        return self._network.infer(x, outputs)

    def _check(self, x) -> None:
        if x.shape[-2] * x.shape[-1] > self._limit:
            self.failures += 1
            raise self._error


def gradient_and_value(network, term) -> tuple[torch.Tensor, float]:
    random = torch.Generator().manual_seed(3)
    picture = torch.rand(1, 3, *SIZE, dtype=torch.float64, generator=random)
    total = torch.zeros_like(picture)
    tiled = TiledObjective(
        network, single_term(term), PictureCanvas(*SIZE), Window.whole(*SIZE), 170
    )
    assert sum(tiled.add_gradient(picture, total)) == pytest.approx(1.0)
    return total, tiled.value(picture)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("term", [SquaresTerm(), terms.CosineTerm(DIRECTION)])
def test_quarters_of_a_block_give_the_same_result(error, term):
    assert errors.is_out_of_memory(error)
    expected, value = gradient_and_value(pooled(), term)
    limited = MemoryLimitedNetwork(pooled(), 150 * 150 - 1, error)
    found, same_value = gradient_and_value(limited, term)
    assert limited.failures > 0
    assert float((found - expected).norm() / expected.norm()) < 1e-10
    assert same_value == pytest.approx(value)


def test_an_error_is_raised_if_even_single_pixels_do_not_fit():
    with pytest.raises(MemoryError):
        gradient_and_value(MemoryLimitedNetwork(pooled(), 100, MemoryError()), SquaresTerm())


def test_other_errors_are_raised_at_once():
    limited = MemoryLimitedNetwork(pooled(), 100, RuntimeError("something else"))
    with pytest.raises(RuntimeError, match="something else"):
        gradient_and_value(limited, SquaresTerm())
    assert limited.failures <= 4  # blocks, not their quarters
