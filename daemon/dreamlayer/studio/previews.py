"""What is shown of a dream on the way: how far it is, previews, and its pixels so far."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator

from dreamlayer.compositing import pixels
from dreamlayer.engine import octave_loop, quick_look
from dreamlayer.engine.image import resize
from dreamlayer.engine.image.planes import Plane
from dreamlayer.geometry import Window
from dreamlayer.runtime.allocator import HeapTrimmer
from dreamlayer.studio.progress import Progress
from dreamlayer.studio.source import Source
from dreamlink.picture import Picture
from dreamlink.wire.messages import DreamRequest, Frame

FINER = 2  # times, in pixels of a side, that a picture is looked at more finely than previewed
LIVE_MAX = 4_200_000  # pixels of a region whose pixels so far are told: they take time and memory

Lay = Callable[[octave_loop.DreamResult], Frame]  # a dream over its picture, as the recipe says


def watched(
    dreaming: Generator[octave_loop.OctaveProgress, None, octave_loop.DreamResult],
    request: DreamRequest,
    lay: Lay,
) -> Generator[Progress, None, octave_loop.DreamResult]:
    """The engine's progress in the words of the link."""
    memory, lively = HeapTrimmer(), _lively(request)
    try:
        while True:
            now = next(dreaming)
            memory.trim_sometimes()
            live = None
            if lively and now.partial_result is not None:
                live = functools.partial(_laid, now.partial_result, lay)
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


def looked(
    looking: Generator[
        octave_loop.OctaveProgress | quick_look.QuickLook, None, octave_loop.DreamResult
    ],
    request: DreamRequest,
    lay: Lay,
) -> Generator[Progress, None, octave_loop.DreamResult]:
    """A quick dream's progress in the words of the link; only whole looks are shown."""
    try:
        while True:
            now = next(looking)
            if isinstance(now, quick_look.QuickLook):
                laid = functools.cache(functools.partial(lay, now.result))
                yield Progress(
                    now.fraction,
                    "Looking closer…",
                    preview=functools.partial(_result, laid, request.result),
                    look=True,
                    live=laid if _lively(request) else None,
                )
            else:
                yield Progress(now.fraction, "Taking a quick look…")
    except StopIteration as done:
        dreamt: octave_loop.DreamResult = done.value
        return dreamt


def _lively(request: DreamRequest) -> bool:
    return request.live and request.region.width * request.region.height <= LIVE_MAX


def _laid(so_far: Callable[[], octave_loop.DreamResult], lay: Lay) -> Frame:
    return lay(so_far())


def _result(laid: Callable[[], Frame], layout: Picture, side: int) -> tuple[Picture, bytes]:
    """A preview of the pixels that come back."""
    return _preview(Source(pixels.view(laid(), layout), layout), side)


def _preview(picture: Plane, side: int) -> tuple[Picture, bytes]:
    """A picture no longer than `side`; of much larger ones not every pixel is looked at."""
    height, width = picture.shape[-2:]
    factor = min(1.0, side / max(height, width))
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    seen = picture.read(Window.whole(height, width), max(1, int(1 / factor) // FINER))
    small = resize.resize(seen, size).clamp(0.0, 1.0)[0].permute(1, 2, 0)
    data = (small * 255.0).round().byte().contiguous().cpu().numpy().tobytes()
    return Picture(size[1], size[0], "U8", "RGB"), data
