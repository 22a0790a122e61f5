"""Adam (Kingma and Ba, 2014), maximising."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

MEMORY = 0.9  # of the mean gradient
SQUARE_MEMORY = 0.999  # of the mean square


class Adam:
    """Changes numbers along their gradient. torch's own imports its compiler: two seconds.

    Args:
        numbers: changed in place.
        square_memory: the smaller, the sooner a number forgets how strong its gradient was.
    """

    def __init__(self, numbers: Tensor, square_memory: float = SQUARE_MEMORY) -> None:
        self.numbers = numbers
        self.mean = torch.zeros_like(numbers)
        self.square = torch.zeros_like(numbers)
        self.square_memory = square_memory
        self.steps = 0

    def climb(self, grad: Tensor, rate: float) -> None:
        """Change the numbers in place, each by about `rate`."""
        corrections = self.corrections()
        self.steps += 1
        self.change(grad, rate, corrections)

    def corrections(self) -> tuple[float, float]:
        """What the next step's means are divided by, as they began with 0."""
        step = self.steps + 1
        return 1 - MEMORY**step, 1 - self.square_memory**step

    def change(self, grad: Tensor, rate: float, corrections: Sequence[float | Tensor]) -> None:
        """Like `climb`, with corrections that may lie on a card; does not count the step."""
        memory = self.square_memory
        self.mean.lerp_(grad, 1 - MEMORY)
        self.square.mul_(memory).addcmul_(grad, grad, value=1 - memory)
        mean = self.mean / corrections[0]
        spread = (self.square / corrections[1]).sqrt_()
        with torch.no_grad():
            self.numbers.addcdiv_(mean, spread.add_(1e-16), value=rate)
