"""The frames of an animated layer: their times and pixels, and the plan of a film of them."""

from __future__ import annotations

from functools import partial
from typing import Any

from dreamlink.picture import Region
from dreamlink.wire.messages import Frame

from ..document import layer_io, scratch
from ..document.errors import DocumentError
from ..document.look import is_composed, masks_on
from ..document.source import LayerSource
from .film import FilmPlan, Shot


def frame_times(picture: Any, node: Any) -> list[int]:
    """The times at which a layer's frames begin; [] if it is not an animated paint layer."""
    if node is None or node.type() != "paintlayer" or not node.animated():
        return []
    return [time for time in range(_length(picture)) if node.hasKeyframeAtTime(time)]


def plan_frames(
    source: LayerSource, times: list[int], first: int, last: int, carry: float
) -> FilmPlan:
    """A film of the frames that are visible from `first` to `last`.

    A frame that is visible for longer is dreamed once and stays visible as long.

    Args:
        source: the layer.
        times: the times at which its frames begin.
        first, last: times, in frames, both included.
        carry: see `FilmPlan`.

    Raises:
        DocumentError: no frame is visible there.
    """
    shots = [Shot(time, partial(_picture, source, time)) for time in times if first < time <= last]
    before = [time for time in times if time <= first]
    if before:
        shots.insert(0, Shot(first, partial(_picture, source, before[-1])))
    if not shots:
        raise DocumentError(
            f"The layer “{source.name}” shows nothing from frame {first} to {last}: choose others."
        )
    end = next((time for time in times if time > last), None)
    return FilmPlan(shots, end=end, carry=carry)


def plan_dive(source: LayerSource, first: int, count: int, zoom: float) -> FilmPlan:
    """A film of `count` frames, each of them the previous one, enlarged and dreamed on."""
    shots = [Shot(first + i, None) for i in range(count)]
    shots[0] = Shot(first, lambda: source.pixels)
    return FilmPlan(shots, zoom=zoom)


def _length(picture: Any) -> int:
    ends = (picture.fullClipRangeEndTime(), picture.playBackEndTime(), picture.animationLength())
    return int(max(ends)) + 1


def _picture(source: LayerSource, time: int) -> Frame:
    """What the layer shows in the frame that begins at `time`, as it is sent."""
    if reason := layer_io.explain_loss(source):
        raise DocumentError(reason)
    node = source.document.nodeByUniqueID(source.node_id)
    place, region = source.place, source.region
    seen = Region(
        place.x - region.x, place.y - region.y, source.picture.width, source.picture.height
    )
    if not node.hasKeyframeAtTime(time):
        raise DocumentError(f"The frame {time} of the layer “{source.name}” is gone.")
    if is_composed(node) or masks_on(node):
        with scratch.copied_alone(node, source.document, time) as copied:
            pixels = memoryview(copied.pixelData(*seen))
    else:
        pixels = memoryview(node.pixelDataAtTime(*seen, time))
    return scratch.convert_pixels(pixels, seen, source.space, source.space.wire)
