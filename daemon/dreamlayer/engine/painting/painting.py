"""Painting into a picture: whole creatures in its own light, where pixel steps draw eyes.

A picture imagined from noise looks better than a photo dreamed by steps on its pixels, with the
same network and objective: its spectrum is changed, in decorrelated colours, by Adam, in views
that are turned, zoomed, shifted and noisy (`imagine/`). Here the same is done to what is added to
a photo. Up to 1024 px are painted; larger pictures are continued by the octave loop, with few
steps, so that fine texture is there at every size.

Source: Olah, Mordvintsev, Schubert: Feature Visualization, Distill 2017, for the parameterisation;
starting from a photo is this project's.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from dreamlayer.engine.image import resize
from dreamlayer.engine.image.nan_guard import NanGuard
from dreamlayer.engine.image.planes import (
    ComputedPlane,
    Plane,
    PlaneAllocator,
    PlaneWindow,
    StoredPlane,
    allocate_in_memory,
    as_plane,
    copy,
    exact_format,
)
from dreamlayer.engine.objectives.terms import Objective
from dreamlayer.engine.octave_loop import DreamResult, OctaveLoop, OctaveProgress
from dreamlayer.engine.painting.region import read_region
from dreamlayer.engine.painting.stage_painter import StagePainter
from dreamlayer.engine.painting.stages import PaintingStage, Size, finer_octaves, scaled_size
from dreamlayer.geometry import Window
from dreamlayer.networks.network import Network
from dreamlink.recipe.recipe import Recipe

FINE_STEPS = 3  # in each octave above the painted size
EDGE = 0.004  # as SAFE, for the finished dream: 1/255
CARRY_EXPONENT = 0.75  # of 1 − carry in the contrast, as for step sizes
LOOK_STEP = 8  # of the first stage, after which there is something to see


@dataclass(frozen=True)
class Painting:
    """A dream by painting; see `dream` for the arguments."""

    source: Plane
    network: Network
    recipe: Recipe
    window: Window
    mask: StoredPlane | None
    objective: Objective
    random: torch.Generator
    allocator: PlaneAllocator = allocate_in_memory
    nan_guard: NanGuard = field(default_factory=NanGuard)
    previous_detail: Plane | None = None
    carry: float = 0.0

    def run(self, stages: Sequence[PaintingStage]) -> Generator[OctaveProgress, None, DreamResult]:
        """Paint the stages, of which there is at least one, then dream the finer octaves."""
        finer = finer_octaves(self._size)
        painted = self._work(stages)
        loop = self._finer_loop()
        share = painted / (painted + loop.work(finer)) if finer else 1.0
        added = yield from self._paint(stages, len(stages) + len(finer), share)
        if not finer:
            return self._result(self._stored(self.detail(added, self._size)), painted)
        start = self.detail(added, finer[0])
        loop = replace(loop, start_detail=start)
        result = yield from _counted_on(loop.run(finer, share), len(stages))
        return replace(result, megapixel_steps=result.megapixel_steps + painted / 1e6)

    def detail(self, added: Tensor, size: Size) -> Plane:
        """What is added to the window of the picture at a size, in picture units.

        Args:
            added: (1, 3, h, w) of the window at any size: logits.
            size: (h, w) of the whole picture.

        Returns:
            sigmoid(logit(base) + added) − base, computed on reading; exactly 0 where the mask is 0.
        """
        inside = self.window.scale(self._size, size)
        base = PlaneWindow(resize.resize_plane(self.source, size, self._wrap), inside)
        larger = resize.resize_plane(as_plane(added), inside.size, self._wrap)
        if self.mask is None:
            return ComputedPlane(_difference, (base, larger))
        mask = resize.resize_mask(self.mask, inside.size)
        return ComputedPlane(
            lambda base, added, mask: _difference(base, added * (mask > 0)), (base, larger, mask)
        )

    def _paint(
        self, stages: Sequence[PaintingStage], count: int, share: float
    ) -> Generator[OctaveProgress, None, Tensor]:
        """Paint all stages; returns the logits added to the window, at the last stage's size."""
        work, done, added = self._work(stages), 0.0, self._carried(stages[0])
        for number, stage in enumerate(stages, start=1):
            painter = self._painter(stage, added)
            area = self._area(stage)
            for step in range(1, stage.steps + 1):
                for part in painter.step((stage.before + step - 1) / stage.total):
                    yield OctaveProgress(
                        share * (done + part * area) / work, number, count, step, stage.steps,
                        lambda painter=painter: as_plane(painter.picture()),  # type: ignore[misc]
                    )  # fmt: skip
                done += area
                last = step == stage.steps
                if (last and number < count) or (number == 1 and step == LOOK_STEP and not last):
                    yield OctaveProgress(
                        share * done / work, number, count, step, stage.steps,
                        lambda painter=painter: as_plane(painter.picture()),  # type: ignore[misc]
                        lambda painter=painter, done=done: self._result(  # type: ignore[misc]
                            self._stored(self.detail(painter.added(), self._size)), done
                        ),
                    )  # fmt: skip
            added = painter.added()
        assert added is not None
        return added

    def _painter(self, stage: PaintingStage, added: Tensor | None) -> StagePainter:
        size = scaled_size(self._size, stage.side)
        region = read_region(
            self.source, size, self.window, self.mask, self.network.minimum, self._wrap
        )
        start = None if added is None else region.spread(added, self._wrap)
        contrast = self.recipe.contrast
        if self.previous_detail is not None:
            contrast *= (1 - self.carry) ** CARRY_EXPONENT
        return StagePainter(
            region, start, self.network, self.objective, self.recipe, contrast, self.random,
            self.nan_guard,
        )  # fmt: skip

    def _carried(self, stage: PaintingStage) -> Tensor | None:
        """The logits of the previous detail's share that the first stage starts from."""
        if self.previous_detail is None:
            return None
        size = scaled_size(self._size, stage.side)
        inside = self.window.scale(self._size, size)
        base = PlaneWindow(resize.resize_plane(self.source, size, self._wrap), inside)
        detail = resize.resize_plane(self.previous_detail, inside.size, self._wrap)
        whole = Window.whole(*inside.size)
        before, change = base.read(whole), detail.read(whole)
        return self.carry * (torch.logit(before + change, EDGE) - torch.logit(before, EDGE))

    def _finer_loop(self) -> OctaveLoop:
        recipe = replace(self.recipe, steps=FINE_STEPS)
        return OctaveLoop(
            self.source, self.network, recipe, self.window, self.mask, self.objective,
            self.random, self.allocator, self.nan_guard,
        )  # fmt: skip

    def _stored(self, detail: Plane) -> StoredPlane:
        form = exact_format(self.source.dtype)
        storage = self.allocator(detail.shape, form.dtype, self.source.device)
        return copy(detail, StoredPlane(storage, form))

    def _result(self, detail: StoredPlane, work: float) -> DreamResult:
        return DreamResult(detail, None, work / 1e6, self.nan_guard.share)

    def _work(self, stages: Sequence[PaintingStage]) -> float:
        """Pixels of all gradients: area × steps, summed over the stages."""
        return float(sum(self._area(stage) * stage.steps for stage in stages))

    def _area(self, stage: PaintingStage) -> int:
        return self.window.scale(self._size, scaled_size(self._size, stage.side)).area

    @property
    def _size(self) -> Size:
        return self.source.shape[-2], self.source.shape[-1]

    @property
    def _wrap(self) -> bool:
        """A part of a picture has no opposite edges."""
        return self.recipe.wrap and self.window.size == self._size


def _difference(base: Tensor, added: Tensor) -> Tensor:
    """sigmoid(logit(base) + added) − base; exactly 0 where `added` is."""
    logits = torch.logit(base, EDGE)
    return torch.sigmoid(logits + added) - torch.sigmoid(logits)


def _counted_on(
    dreaming: Generator[OctaveProgress, None, DreamResult], before: int
) -> Generator[OctaveProgress, None, DreamResult]:
    """Progress of octaves that `before` stages precede."""
    while True:
        try:
            now = next(dreaming)
        except StopIteration as end:
            result: DreamResult = end.value
            return result
        yield replace(now, octave=now.octave + before, octaves=now.octaves + before)
