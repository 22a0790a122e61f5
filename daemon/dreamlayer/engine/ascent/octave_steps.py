"""The steps of an octave: on a card each as one piece of work, else tile by tile.

A step of a picture that is one tile consists of operations on whole tensors, from the picture to
the picture: shift, noise, network, mask, conditioning, norm, regularisers. Nothing is read back
meanwhile, and one small vector goes to the card: which rows and columns lie where, and seeds of
the noise. So a card can record a step once and replay it (`Executor.run_step`).

    x ── rows, columns ──▶ canvas ──▶ network ──▶ gradient ── down, right ──▶ conditioned ──▶ x

The arithmetic is `Ascent`'s own: on a card its strips are whole pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dreamlayer.engine.ascent.ascent import Ascent, StepSetting
from dreamlayer.engine.ascent.whole_work import do_whole, is_placeless, work_key
from dreamlayer.engine.image.noise import Noise, noise_of
from dreamlayer.engine.image.planes import as_stored_plane, is_card, read_all
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.engine.tiling.tiled_gradient import BlockPass, TiledObjective
from dreamlayer.runtime.devices import transfer

RECORDED_MOST = 2  # kinds of work in an octave; further ones are done in tiles


class OctaveSteps:
    """Takes the steps of one octave."""

    def __init__(self, ascent: Ascent, setting: StepSetting) -> None:
        self._ascent, self._setting = ascent, setting
        self._whole = _can_be_whole(ascent, setting)
        self._works: dict[object, tuple[StepInputs, Callable[[], None]]] = {}
        recipe = ascent.recipe
        if self._whole and (recipe.tv > 0 or recipe.stay > 0):
            # It may be computed on reading: once for all steps.
            self._setting = replace(setting, base=as_stored_plane(read_all(setting.base)))
        if self._whole and setting.mask is not None:
            floats = as_stored_plane(read_all(setting.mask))
            self._setting = replace(self._setting, mask=floats)

    def step(self) -> Iterator[float]:
        """Take a step; yields the share of it that is done."""
        canvases = self._ascent.draw(self._setting)
        if self._whole and self._take(canvases):
            yield 1.0
        else:
            yield from self._ascent.tiled_step(self._setting, canvases)

    def close(self) -> None:
        """Drop what was recorded."""
        if self._works:
            self._works.clear()
            self._ascent.network.forget_steps()

    def _take(self, canvases: Sequence[PictureCanvas]) -> bool:
        """Take a step as one piece of work; returns whether that was possible."""
        setting, network = self._setting, self._ascent.network
        tiled = self._ascent.tiled(setting, canvases[0])
        if not tiled.is_one_block:
            return False
        there = tiled.block_pass(setting.window)
        pixels = there.crop.area * len(canvases)
        if there.own.size != setting.window.size or pixels > network.largest_area():
            return False
        key = work_key(tiled, there)
        if key not in self._works:
            if len(self._works) == RECORDED_MOST:
                return False
            inputs = StepInputs.for_pass(setting, there, len(canvases))
            self._works[key] = inputs, self._work(tiled, there, inputs, canvases[0].noise)
        inputs, work = self._works[key]
        inputs.set(canvases, there)
        if not do_whole(network, (id(self), key), work, pixels):
            self._whole = False
            self._works.clear()
            return False
        self._ascent.nan_guard.count(math.prod(setting.inside.shape) * len(canvases))
        return True

    def _work(
        self, tiled: TiledObjective, there: BlockPass, inputs: StepInputs, noise: Noise | None
    ) -> Callable[[], None]:
        ascent, setting = self._ascent, self._setting

        def work() -> None:
            total = ascent.allocate_gradient(setting)
            for number in range(len(inputs.lines)):
                seen = inputs.canvas_of(setting.x.storage)
                if noise is not None:
                    lines = inputs.lines[number]
                    seen = noise_of(lines, inputs.words, noise.sigma, seen.dtype).add_(seen)
                grad = inputs.picture_of(tiled.pass_grad(tiled.objective, seen, there))
                total.storage.add_(ascent.nan_guard.clean_unread(grad), alpha=1 / there.factor)
            ascent.follow(setting, total, (0, 0))

        return work


@dataclass(frozen=True)
class StepInputs:
    """What a step is told, in one vector of integers on the device.

    Attributes:
        rows, columns: of the picture, that lie in the crop of the canvas.
        down, right: where the window's pixels lie in the gradient of the frame.
        lines, words: seeds of the noise: (gradients, 3, crop's rows), (crop's columns).
    """

    vector: Tensor
    rows: Tensor
    columns: Tensor
    down: Tensor
    right: Tensor
    lines: Tensor
    words: Tensor

    @classmethod
    def for_pass(cls, setting: StepSetting, there: BlockPass, count: int) -> StepInputs:
        """Allocate the vector for a pass with `count` gradients."""
        (height, width), channels = there.crop.size, setting.x.shape[1]
        lengths = [height, width, *setting.window.size, count * channels * height, width]
        vector = torch.zeros(sum(lengths), dtype=torch.int32, device=setting.x.device)
        rows, columns, down, right, lines, words = torch.split(vector, lengths)
        lines = lines.view(count, channels, height)
        return cls(vector, rows, columns, down, right, lines, words)

    def set(self, canvases: Sequence[PictureCanvas], there: BlockPass) -> None:
        """Send the numbers of a step."""
        rows, columns = canvases[0].source_indices(there.crop)
        own = there.own.relative_to(there.framed)
        places = [
            torch.tensor(one) for one in (rows, columns, range(*own.rows), range(*own.columns))
        ]
        channels = self.lines.shape[1]
        noises = [canvas.noise or Noise(0.0, 0) for canvas in canvases]
        seeds = [noise.seeds(places[0], places[1], channels) for noise in noises]
        numbers = [*places, *(lines.flatten() for lines, _ in seeds), seeds[0][1]]
        transfer.send_into(torch.cat([one.to(torch.int32) for one in numbers]), self.vector)

    def canvas_of(self, picture: Tensor) -> Tensor:
        """The crop of the canvas, from the picture."""
        return picture.index_select(-2, self.rows).index_select(-1, self.columns)

    def picture_of(self, framed: Tensor) -> Tensor:
        """The window of the picture, from the frame in the canvas."""
        return framed.index_select(-2, self.down).index_select(-1, self.right)


def _can_be_whole(ascent: Ascent, setting: StepSetting) -> bool:
    """Whether steps may be one piece of work, if the picture is one tile."""
    return (
        is_card(setting.x.device)
        and ascent.network.local
        and not setting.x.format.levels
        and not ascent.wraps(setting)
        and is_placeless(ascent.objective)
    )
