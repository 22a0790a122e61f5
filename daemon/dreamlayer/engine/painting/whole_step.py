"""A step of a painting as one piece of work on a card: view, network, spectrum and Adam.

Nothing is read back meanwhile. Two small vectors go to the card: where the view lies, the strength
of the noise and Adam's corrections; and the seeds of the noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dreamlayer.engine.ascent.whole_work import do_whole
from dreamlayer.engine.image.nan_guard import NanGuard
from dreamlayer.engine.image.noise import Noise, noise_of
from dreamlayer.engine.imagine.adam import Adam
from dreamlayer.engine.imagine.transforms import sampled
from dreamlayer.engine.tiling.tiled_gradient import TiledObjective
from dreamlayer.runtime.devices import transfer

PLACE = 6  # numbers: (2, 3)


@dataclass(frozen=True)
class PaintedStep:
    """The steps of one stage of a painting.

    Attributes:
        tiled: the objective over a view.
        picture: the picture so far, differentiable by the numbers that `adam` changes.
        rate: of Adam.
        numbers: float32: where the view lies, sigma, and Adam's two corrections.
        seeds: int32, of the noise: 3 × h of lines, w of columns.
    """

    tiled: TiledObjective
    picture: Callable[[], Tensor]
    adam: Adam
    rate: float
    nan_guard: NanGuard
    numbers: Tensor
    seeds: Tensor

    @classmethod
    def of(
        cls, tiled: TiledObjective, picture: Callable[[], Tensor], adam: Adam, rate: float
    ) -> PaintedStep:
        """Allocate what a step is told."""
        device, (height, width) = adam.numbers.device, tiled.window.size
        numbers = torch.zeros(PLACE + 3, device=device)
        seeds = torch.zeros(3 * height + width, dtype=torch.int32, device=device)
        return cls(tiled, picture, adam, rate, tiled.nan_guard, numbers, seeds)

    def take(self, place: Tensor, noise: Noise) -> bool:
        """Take a step; False if it is not one tile, or does not fit. Then nothing has changed.

        Args:
            place: (2, 3), where the view lies, in the computer's memory.
            noise: that the view gets.
        """
        network, there = self.tiled.network, self.tiled.block_pass(self.tiled.window)
        pixels = there.crop.area
        whole = self.tiled.is_one_block and there.own == self.tiled.window
        if not whole or pixels > network.largest_area():
            return False
        first, second = self.adam.corrections()
        others = torch.tensor([noise.sigma, first, second])
        transfer.send_into(torch.cat([place.flatten(), others]), self.numbers)
        rows, columns = (torch.arange(length) for length in self.tiled.window.size)
        lines, words = noise.seeds(rows, columns, 3)
        transfer.send_into(torch.cat([lines.flatten(), words]), self.seeds)
        if not do_whole(network, id(self), self._work, pixels):
            return False
        self.adam.steps += 1
        self.nan_guard.count(3 * self.tiled.window.area + self.adam.numbers.numel())
        return True

    def _work(self) -> None:
        size = self.tiled.window.size
        place, sigma, *corrections = torch.split(self.numbers, [PLACE, 1, 1, 1])
        lines, words = torch.split(self.seeds, [3 * size[0], size[1]])
        with torch.enable_grad():
            view = sampled(self.picture(), place.view(2, 3), size)
        seen = view.detach()
        seen = noise_of(lines.view(3, size[0]), words, sigma, seen.dtype).add_(seen)
        there = self.tiled.block_pass(self.tiled.window)
        grad = self.tiled.pass_grad(self.tiled.objective, seen, there)
        grad = grad[there.own.relative_to(there.framed).slices()]
        grad = self.nan_guard.clean_unread(grad).div_(there.factor)
        (change,) = torch.autograd.grad(view, self.adam.numbers, grad)
        self.adam.change(self.nan_guard.clean_unread(change), self.rate, corrections)
