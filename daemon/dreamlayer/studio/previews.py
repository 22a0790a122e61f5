"""A running dream's progress: how far it is, its previews, and its pixels so far."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator

from dreamlayer.compositing import pixels
from dreamlayer.engine import octave_loop, quick_look
from dreamlayer.engine.image import resize
from dreamlayer.engine.image.planes import Plane
from dreamlayer.geometry import Window
from dreamlayer.runtime.allocator import HeapTrimmer
from dreamlayer.studio.inputs import DecodedRequest
from dreamlayer.studio.progress import Progress
from dreamlayer.studio.source import SourceImage
from dreamlink.picture import Picture
from dreamlink.wire.messages import Frame

OVERSAMPLING = 2  # a picture is read at about so many times a preview's resolution, per side

Blend = Callable[
    [octave_loop.DreamResult], Frame
]  # lays a dream over its picture, as the recipe says


def report_octaves(
    dreaming: Generator[octave_loop.OctaveProgress, None, octave_loop.DreamResult],
    inputs: DecodedRequest,
    blend: Blend,
) -> Generator[Progress, None, octave_loop.DreamResult]:
    """Run the engine's dream and yield its progress; returns the dream."""
    memory = HeapTrimmer()
    try:
        while True:
            now = next(dreaming)
            memory.trim_sometimes()
            live = None
            if inputs.live and now.partial_result is not None:
                live = functools.partial(_blend_so_far, now.partial_result, blend)
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
        memory.trim_sometimes()
        dreamt: octave_loop.DreamResult = done.value
        return dreamt


def report_looks(
    looking: Generator[
        octave_loop.OctaveProgress | quick_look.QuickLook, None, octave_loop.DreamResult
    ],
    inputs: DecodedRequest,
    blend: Blend,
) -> Generator[Progress, None, octave_loop.DreamResult]:
    """Run a quick dream and yield its progress, with previews of complete looks only."""
    try:
        while True:
            now = next(looking)
            if isinstance(now, quick_look.QuickLook):
                blended = functools.cache(functools.partial(blend, now.result))
                yield Progress(
                    now.fraction,
                    "Looking closer…",
                    preview=functools.partial(_look_preview, blended, inputs.result),
                    look=True,
                    live=blended if inputs.live else None,
                )
            else:
                yield Progress(now.fraction, "Taking a quick look…")
    except StopIteration as done:
        dreamt: octave_loop.DreamResult = done.value
        return dreamt


def _blend_so_far(so_far: Callable[[], octave_loop.DreamResult], blend: Blend) -> Frame:
    return blend(so_far())


def _look_preview(
    blended: Callable[[], Frame], layout: Picture, side: int
) -> tuple[Picture, bytes]:
    return result_preview(blended(), layout, side)


def result_preview(frame: Frame, layout: Picture, side: int) -> tuple[Picture, bytes]:
    """A preview, U8 RGB, of the pixels that are returned; `side` as of `Progress.preview`."""
    return _preview(SourceImage(pixels.view(frame, layout), layout), side)


def _preview(picture: Plane, side: int) -> tuple[Picture, bytes]:
    """A picture (1, 3, h, w) as U8 RGB, its longer side at most `side` pixels.

    Of a much larger picture only every n-th row and column is read.
    """
    height, width = picture.shape[-2:]
    factor = min(1.0, side / max(height, width))
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    sampled = picture.read(Window.whole(height, width), max(1, int(1 / factor) // OVERSAMPLING))
    small = resize.resize(sampled, size).clamp(0.0, 1.0)[0].permute(1, 2, 0)
    data = (small * 255.0).round().byte().contiguous().cpu().numpy().tobytes()
    return Picture(size[1], size[0], "U8", "RGB"), data
