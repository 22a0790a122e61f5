"""A picture file, taken apart, and the limits on what is looked at."""

from __future__ import annotations

from dataclasses import dataclass, field

from dreamlayer.files.metadata import Metadata
from dreamlayer.files.opening import Part

BLOCKS_MAX = 1 << 20  # pieces of a file that are looked at; more would take long, and are damage
SEGMENT_MAX = 64 << 20  # bytes of a piece of metadata that is read
FRAMES_MAX = 10_000  # pictures of a file that are counted


@dataclass
class Contents:
    """A picture file, taken apart.

    Attributes:
        parts: the file that the decoder reads.
        pictures: how many pictures the file holds: pages, frames, views.
        size: width and height, where the decoder would make room before they can be looked at.
    """

    parts: list[Part]
    metadata: Metadata = field(default_factory=Metadata)
    pictures: int = 1
    size: tuple[int, int] | None = None


def add_part(parts: list[Part], offset: int, length: int) -> None:
    """Add a part of the file, joined to the previous one if it follows it."""
    last = parts[-1]
    if not isinstance(last, bytes) and last[0] + last[1] == offset:
        parts[-1] = (last[0], last[1] + length)
    else:
        parts.append((offset, length))
