"""Frames to the daemon: announced in the header, then sent in pieces.

A ZeroMQ peer buffers a whole message before the program can look at it, even before it knows the
sender. So no message to a daemon is long: the header says how many bytes follow, the daemon can
refuse them, and the pieces that follow are messages of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .messages import Frame, Header, MessageError, pack

PIECE = 1 << 20  # bytes of pixels in one message
FRAMES_MAX = 8  # for one header
LENGTH_MAX = 1 << 48  # bytes of a frame


def messages(header: Mapping[str, Any], frames: Sequence[Frame]) -> Iterator[list[Frame]]:
    """The messages that carry a header and its frames; frames are not copied."""
    views = [memoryview(frame).cast("B") for frame in frames]
    yield [pack({**header, "frames": [len(view) for view in views]} if views else header)]
    for view in views:
        for start in range(0, len(view), PIECE):
            yield [b"", view[start : start + PIECE]]


def is_piece(message: Sequence[Frame]) -> bool:
    """Whether a message is a piece of a frame: its header is an empty frame."""
    return len(message) == 2 and len(message[0]) == 0


def announced(header: Header) -> list[int]:
    """The number of bytes of each frame after a header; raises MessageError."""
    lengths = header.get("frames", [])
    if (
        not isinstance(lengths, list)
        or len(lengths) > FRAMES_MAX
        or not all(type(n) is int and 0 <= n <= LENGTH_MAX for n in lengths)
    ):
        raise MessageError(
            f"frames must be the lengths of up to {FRAMES_MAX} frames, not {lengths!r:.60}."
        )
    return lengths
