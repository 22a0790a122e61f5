"""A running dream's progress: how far it is, its previews, and its pixels so far."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator

from dreamlayer.compositing import pixels
from dreamlayer.engine import octave_loop, quick_look
from dreamlayer.engine.image import resize
from dreamlayer.engine.image.planes import Plane
from dreamlayer.engine.image.windows import whole
from dreamlayer.runtime.allocator import GivingBack
from dreamlayer.studio.inputs import DreamInputs
from dreamlayer.studio.progress import Progress
from dreamlayer.studio.source import SourceImage
from dreamlink.picture import Picture
from dreamlink.wire.messages import Frame

OVERSAMPLING = 2  # a picture is read at about so many times a preview's resolution, per side

Blend = Callable[[octave_loop.Dreamt], Frame]  # lays a dream over its picture, as the recipe says


def report_octaves(
    dreaming: Generator[octave_loop.Progress, None, octave_loop.Dreamt],
    inputs: DreamInputs,
    blend: Blend,
) -> Generator[Progress, None, octave_loop.Dreamt]:
    """Run the engine's dream and yield its progress; returns the dream."""
    memory = GivingBack()
    try:
        while True:
            now = next(dreaming)
            memory.now_and_then()
            live = None
            if inputs.live and now.so_far is not None:
                live = functools.partial(_blend_so_far, now.so_far, blend)
            yield Progress(
                now.fraction,
                None if now.octave else "Imagining from noise…",
                now.octave,
                now.octaves,
                now.step,
                now.steps,
                lambda side, picture=now.picture: _preview(picture(), side),  # type: ignore[misc]
                live=live,
            )
    except StopIteration as done:
        memory.now_and_then()
        dreamt: octave_loop.Dreamt = done.value
        return dreamt


def report_looks(
    looking: Generator[octave_loop.Progress | quick_look.Look, None, octave_loop.Dreamt],
    inputs: DreamInputs,
    blend: Blend,
) -> Generator[Progress, None, octave_loop.Dreamt]:
    """Run a quick dream and yield its progress, with previews of complete looks only."""
    try:
        while True:
            now = next(looking)
            if isinstance(now, quick_look.Look):
                blended = functools.cache(functools.partial(blend, now.dreamt))
                yield Progress(
                    now.fraction,
                    "Looking closer…",
                    preview=functools.partial(_result_preview, blended, inputs.result),
                    look=True,
                    live=blended if inputs.live else None,
                )
            else:
                yield Progress(now.fraction, "Taking a quick look…")
    except StopIteration as done:
        dreamt: octave_loop.Dreamt = done.value
        return dreamt


def _blend_so_far(so_far: Callable[[], octave_loop.Dreamt], blend: Blend) -> Frame:
    return blend(so_far())


def _result_preview(
    blended: Callable[[], Frame], layout: Picture, side: int
) -> tuple[Picture, bytes]:
    """A preview of the pixels that would be returned."""
    return _preview(SourceImage(pixels.view(blended(), layout), layout), side)


def _preview(picture: Plane, side: int) -> tuple[Picture, bytes]:
    """A picture (1, 3, h, w) as U8 RGB, its longer side at most `side` pixels.

    Of a much larger picture only every n-th row and column is read.
    """
    height, width = picture.shape[-2:]
    factor = min(1.0, side / max(height, width))
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    sampled = picture.read(whole(height, width), max(1, int(1 / factor) // OVERSAMPLING))
    small = resize.resize(sampled, size).clamp(0.0, 1.0)[0].permute(1, 2, 0)
    data = (small * 255.0).round().byte().contiguous().cpu().numpy().tobytes()
    return Picture(size[1], size[0], "U8", "RGB"), data
