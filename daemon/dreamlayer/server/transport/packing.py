"""Packs answers, whatever is in them: one that can't be packed must not end the daemon."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

from dreamlayer.server.transport.mailbox import Outgoing
from dreamlayer.server.transport.principal import Peer
from dreamlink.wire.messages import HEADER_MAX, Frame, Header, pack

log = logging.getLogger(__name__)

TEXT_MAX = 4000  # characters of a text that makes an answer too long, or can't be packed
DEPTH_MAX = 20  # of lists in lists
UNSENDABLE = "The daemon's answer can't be sent: the details are in its log."


class Packed(NamedTuple):
    """An answer as it is sent.

    Attributes:
        frames: the packed header, then the pixels.
    """

    peer: Peer
    op: str
    frames: Sequence[Frame]

    @property
    def nbytes(self) -> int:
        return sum(memoryview(frame).nbytes for frame in self.frames)


def packed(message: Outgoing) -> Packed:
    """The answer, as it is if that is possible; else with odd values as text; else an error."""
    first = _first_frame(message.header)
    if first is None:
        return Packed(message.peer, "error", [_error(message.header.get("id"))])
    return Packed(message.peer, message.header["op"], [first, *message.frames])


def plain(value: Any, depth: int = 0) -> Any:
    """A value that can be packed and looks like `value`; long texts are shortened."""
    if value is None or type(value) in (bool, float):
        return value
    if isinstance(value, bytes | bytearray):
        value = value[: 4 * TEXT_MAX].decode("utf-8", "backslashreplace")
    if isinstance(value, str) or depth == DEPTH_MAX:
        return str(value)[:TEXT_MAX]
    if isinstance(value, Mapping):
        return {plain(name, depth + 1): plain(item, depth + 1) for name, item in value.items()}
    if isinstance(value, Sequence | Set):
        return [plain(item, depth + 1) for item in value]
    try:
        number = value.item() if hasattr(value, "item") else value  # numpy's and torch's
        pack({"number": number})
    except Exception:  # no number, or one that is too large
        return str(value)[:TEXT_MAX]
    return number


def _first_frame(header: Header) -> bytes | None:
    """The packed header; None if that is impossible."""
    try:
        text = header.get("text", "")
        first = pack(header if type(text) is str and len(text) <= TEXT_MAX else plain(header))
        if len(first) <= HEADER_MAX:
            return first
    except Exception:  # msgpack raises many kinds
        log.warning("an answer had to be changed to be sent", exc_info=True)
    try:
        first = pack(plain(header))
        if len(first) <= HEADER_MAX:
            return first
        log.error("an answer of %d bytes is too long", len(first))
    except Exception:
        log.exception("an answer can't be sent")
    return None


def _error(request_id: object) -> bytes:
    shown = request_id if isinstance(request_id, str) else ""
    return pack({"op": "error", "id": shown, "text": UNSENDABLE})
