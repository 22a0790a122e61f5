"""Pixels on their way to the daemon: announced in the header, then sent piece by piece.

A ZeroMQ peer holds a whole message in memory before anybody looks at it, even before it knows who
sends it. So no message to a daemon is long: the header says how many bytes follow, the daemon says
whether it wants them, and what follows are messages of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .messages import Frame, Header, MessageError, pack

PIECE = 1 << 20  # bytes of pixels in one message
FRAMES_MAX = 8  # that one header announces
LENGTH_MAX = 1 << 48  # bytes; no computer sends more


def messages(header: Mapping[str, Any], frames: Sequence[Frame]) -> Iterator[list[Frame]]:
    """The messages that carry a header and its frames; frames are not copied."""
    views = [memoryview(frame).cast("B") for frame in frames]
    yield [pack({**header, "frames": [len(view) for view in views]} if views else header)]
    for view in views:
        for start in range(0, len(view), PIECE):
            yield [b"", view[start : start + PIECE]]


def is_piece(message: Sequence[Frame]) -> bool:
    """Whether a message carries pixels: an empty frame stands where a header would."""
    return len(message) == 2 and len(message[0]) == 0


def announced(header: Header) -> list[int]:
    """How many bytes each frame behind a header has; raises MessageError."""
    lengths = header.get("frames", [])
    if (
        not isinstance(lengths, list)
        or len(lengths) > FRAMES_MAX
        or not all(type(n) is int and 0 <= n <= LENGTH_MAX for n in lengths)
    ):
        raise MessageError(
            f"frames are the lengths of up to {FRAMES_MAX} frames, not {lengths!r:.60}."
        )
    return lengths
