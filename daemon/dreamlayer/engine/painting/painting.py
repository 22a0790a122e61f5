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

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property, partial

from torch import Tensor

from dreamlayer.engine.image import resize
from dreamlayer.engine.image.logits import logit, sigmoid
from dreamlayer.engine.image.planes import (
    ComputedPlane,
    Plane,
    PlaneWindow,
    StoredPlane,
    as_plane,
    copy,
    exact_format,
)
from dreamlayer.engine.objectives.regional import RegionalObjective
from dreamlayer.engine.octave_loop import CARRY_EXPONENT, DreamResult, OctaveLoop, OctaveProgress
from dreamlayer.engine.painting.colourfulness import colourfulness
from dreamlayer.engine.painting.copy_levels import CopyLevels
from dreamlayer.engine.painting.region import PaintedRegion, read_region
from dreamlayer.engine.painting.stage_painter import StagePainter
from dreamlayer.engine.painting.stages import PaintingStage, Size, finer_octaves, scaled_size
from dreamlayer.engine.tiling.tile_size import TilePlan
from dreamlayer.geometry import Window

FINE_STEPS = 3  # in each octave above the painted size
EDGE = 0.004  # as SAFE, for the finished dream: 1/255
SWATCH = 64  # px; longer side of the copy that tells how colourful the picture is
LOOK_STEP = 8  # of the first stage, after which there is something to see


@dataclass(frozen=True)
class Painting:
    """A dream by painting.

    Attributes:
        loop: the picture, the network and what is wanted; it also dreams the finer octaves.
        previous_detail: (1, 3, h, w) of the window, the detail of a film's previous frame.
        carry: share of it that the painting starts from, 0..1.
    """

    loop: OctaveLoop
    previous_detail: Plane | None = None
    carry: float = 0.0

    def run(self, stages: Sequence[PaintingStage]) -> Generator[OctaveProgress, None, DreamResult]:
        """Paint the stages, of which there is at least one, then dream the finer octaves."""
        finer = finer_octaves(self.loop.size)
        painted = self._work(stages)
        loop = replace(self.loop, recipe=replace(self.loop.recipe, steps=FINE_STEPS))
        share = painted / (painted + loop.work(finer)) if finer else 1.0
        added = yield from self._paint(stages, len(stages) + len(finer), share)
        if not finer:
            return self._result(added, painted)
        loop = replace(loop, start_detail=self.detail(added, finer[0]))
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
        inside = self.loop.window.scale(self.loop.size, size)
        base = PlaneWindow(resize.resize_plane(self.loop.source, size, self._wrap), inside)
        larger = resize.resize_plane(as_plane(added), inside.size, self._wrap)
        if self.loop.mask is None:
            return ComputedPlane(_difference, (base, larger))
        mask = resize.resize_mask(self.loop.mask, inside.size)
        return ComputedPlane(
            lambda base, added, mask: _difference(base, added * (mask > 0)), (base, larger, mask)
        )

    def _paint(
        self, stages: Sequence[PaintingStage], count: int, share: float
    ) -> Generator[OctaveProgress, None, Tensor]:
        """Paint all stages; returns the logits added to the window, at the last stage's size.

        Args:
            count: of all stages and octaves.
            share: of the work that painting takes.
        """
        done, added = 0.0, self._carried(stages[0])
        unit = share / self._work(stages)
        for number, stage in enumerate(stages, start=1):
            with closing(self._painter(stage, added)) as painter:
                yield from self._paint_stage(painter, stage, number, count, done, unit)
                done += self._work([stage])
                added = painter.added()
        assert added is not None  # there is a stage
        return added

    def _paint_stage(
        self,
        painter: StagePainter,
        stage: PaintingStage,
        number: int,
        count: int,
        done: float,
        unit: float,
    ) -> Iterator[OctaveProgress]:
        """Take a stage's steps; `done` is the work before, `unit` the progress for one of work."""
        area = self._area(stage)

        def picture() -> Plane:
            return as_plane(painter.picture())

        def so_far(work: float) -> DreamResult:
            return self._result(painter.added(), work)

        for step in range(1, stage.steps + 1):
            for part in painter.step((stage.before + step - 1) / stage.total):
                fraction = unit * (done + part * area)
                yield OctaveProgress(fraction, number, count, step, stage.steps, picture)
            done += area
            ended = step == stage.steps
            if number < count if ended else number == 1 and step == LOOK_STEP:
                yield OctaveProgress(
                    unit * done, number, count, step, stage.steps, picture, partial(so_far, done)
                )

    def _painter(self, stage: PaintingStage, added: Tensor | None) -> StagePainter:
        """What paints a stage; `added` are the logits of the stage before."""
        loop, size = self.loop, scaled_size(self.loop.size, stage.side)
        region = read_region(
            loop.source, size, loop.window, loop.mask, loop.network.minimum, self._wrap
        )
        start = None if added is None else region.spread(added, self._wrap)
        contrast = loop.recipe.contrast
        if self.previous_detail is not None:
            contrast *= (1 - self.carry) ** CARRY_EXPONENT
        return StagePainter(
            region, start, loop.network, loop.objective, loop.recipe, contrast,
            loop.recipe.chroma * self._colourfulness, loop.random, loop.nan_guard,
            stage.rate, self._plan, self._levels(region),
        )  # fmt: skip

    def _levels(self, region: PaintedRegion) -> CopyLevels | None:
        """What measures the regions of a dream map in all stages; `region` is the next one's."""
        objective, base = self.loop.objective, region.inner(region.base)
        if not isinstance(objective, RegionalObjective):
            return None
        if self._measured:
            self._measured[0].begin(base)
        else:
            self._measured.append(CopyLevels(objective, self.loop.network, base))
        return self._measured[0]

    @cached_property
    def _measured(self) -> list[CopyLevels]:
        return []

    def _carried(self, stage: PaintingStage) -> Tensor | None:
        """The logits of the previous detail's share that the first stage starts from."""
        if self.previous_detail is None:
            return None
        size = scaled_size(self.loop.size, stage.side)
        inside = self.loop.window.scale(self.loop.size, size)
        base = PlaneWindow(resize.resize_plane(self.loop.source, size, self._wrap), inside)
        detail = resize.resize_plane(self.previous_detail, inside.size, self._wrap)
        whole = Window.whole(*inside.size)
        before, change = base.read(whole), detail.read(whole)
        return self.carry * (logit(before + change, EDGE) - logit(before, EDGE))

    def _result(self, added: Tensor, work: float) -> DreamResult:
        """The dream, from the logits added to the window; `work` as of `_work`."""
        loop, detail = self.loop, self.detail(added, self.loop.size)
        form = exact_format(loop.source.dtype)
        storage = loop.allocator(detail.shape, form.dtype, loop.source.device)
        stored = copy(detail, StoredPlane(storage, form))
        return DreamResult(stored, None, work / 1e6, loop.nan_guard.share)

    def _work(self, stages: Sequence[PaintingStage]) -> float:
        """Pixels of all gradients: area × steps, summed over the stages."""
        return float(sum(self._area(stage) * stage.steps for stage in stages))

    def _area(self, stage: PaintingStage) -> int:
        return self.loop.window.scale(self.loop.size, scaled_size(self.loop.size, stage.side)).area

    @cached_property
    def _plan(self) -> TilePlan:
        return TilePlan(self.loop.network, self.loop.recipe.tile)

    @cached_property
    def _colourfulness(self) -> float:
        """How colourful the picture is, up to 1: a pencil sketch shall not become a rainbow."""
        size = scaled_size(self.loop.size, SWATCH)
        small = resize.resize_plane(self.loop.source, size, self._wrap)
        return colourfulness(small.read(Window.whole(*size)))

    @property
    def _wrap(self) -> bool:
        """A part of a picture has no opposite edges."""
        return self.loop.recipe.wrap and self.loop.window.size == self.loop.size


def _difference(base: Tensor, added: Tensor) -> Tensor:
    """sigmoid(logit(base) + added) − base; exactly 0 where `added` is."""
    logits = logit(base, EDGE)
    return sigmoid(logits + added) - sigmoid(logits)


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
