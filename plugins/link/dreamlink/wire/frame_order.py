"""The order of a dream's frames: picture, mask, strength map, guide, dream map."""

from __future__ import annotations

from typing import TypeVar

Item = TypeVar("Item")


def in_frame_order(
    picture: Item,
    mask: Item | None = None,
    strength: Item | None = None,
    guide: Item | None = None,
    dream_map: Item | None = None,
) -> list[Item]:
    """What belongs to each frame, in the order in which the frames travel.

    Frames that a request does not have are None here and are left out.
    """
    return [item for item in (picture, mask, strength, guide, dream_map) if item is not None]
