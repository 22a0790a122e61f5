"""ZMTP 3.1 as bytes, written anew for the tests so that nothing of it is checked by itself."""

from __future__ import annotations

import struct
from collections.abc import Sequence

MORE, LONG, COMMAND = 1, 2, 4
GREETING_SIZE = 64


def greeting(mechanism: bytes = b"PLAIN", *, server: bool = False) -> bytes:
    """The 64 bytes that both sides begin with."""
    start = b"\xff" + bytes(8) + b"\x7f\x03\x01"
    return start + mechanism.ljust(20, b"\0") + bytes([server]) + bytes(31)


def frame(body: bytes, flags: int = 0) -> bytes:
    if len(body) > 255:
        return struct.pack(">BQ", flags | LONG, len(body)) + body
    return bytes([flags, len(body)]) + body


def message(frames: Sequence[bytes]) -> bytes:
    last = len(frames) - 1
    return b"".join(frame(body, MORE if i < last else 0) for i, body in enumerate(frames))


def command(name: bytes, data: bytes = b"") -> bytes:
    return frame(bytes([len(name)]) + name + data, COMMAND)


def hello(user: bytes, password: bytes) -> bytes:
    """PLAIN's first command: who we are."""
    return command(b"HELLO", _short(user) + _short(password))


def metadata(name: bytes = b"INITIATE", socket_type: bytes = b"DEALER") -> bytes:
    """INITIATE of the client or READY of the server."""
    return command(name, _short(b"Socket-Type") + struct.pack(">I", len(socket_type)) + socket_type)


def _short(text: bytes) -> bytes:
    return bytes([len(text)]) + text
