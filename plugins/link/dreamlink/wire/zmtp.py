"""ZeroMQ's wire protocol without I/O: a DEALER with PLAIN authentication.

Source: ZMTP 3.1 (ZeroMQ RFC 37) and PLAIN (RFC 24). The class converts between bytes and messages;
the owner of the socket fills `wanted()` and empties `outbox`. Its peer is a libzmq ROUTER; the
tests run it against a real one.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Generator, Sequence

MORE, LONG, COMMAND = 1, 2, 4  # the flags of a frame
COMMAND_MAX = 1 << 16  # bytes; handshake commands are short
FRAMES_MAX = 64  # frames of one message
SMALL = 1 << 12  # bytes; frames up to this size are copied and written together
ROOM = 1 << 24  # bytes by which a frame's buffer grows at first
NOTHING = memoryview(b"")
LIBZMQ_ERROR = b"^RROR"  # its C source says "\x5ERROR", where \x5E is one character
FULL_CODE = b"500"  # ZAP's, in an ERROR command; 400 for a wrong token

Frame = bytes | bytearray | memoryview


class ZmtpError(ConnectionError):
    """The peer violated the protocol or refused the connection; the text says how."""


class Refused(ZmtpError):
    """The peer did not accept our credentials."""


class Full(ZmtpError):
    """The peer accepted the credentials, but has too many connections."""


class Dealer:
    """One connection's protocol state.

    Attributes:
        outbox: pieces to be written to the socket, in order.
        messages: complete received messages, each a list of frames.
        greeted: whether the peer has proved to be a ZeroMQ server with PLAIN.
        ready: whether the handshake is over. Messages sent before are held until then.
        message_max: bytes of the longest message that is accepted.
    """

    def __init__(self, user: str, password: str, message_max: int) -> None:
        self.outbox: deque[memoryview] = deque()
        self.messages: deque[list[bytearray]] = deque()
        self.greeted = False
        self.ready = False
        self._credentials = b"".join(
            bytes([len(word)]) + word for word in (user.encode(), password.encode())
        )
        self.message_max = message_max
        self._held: list[memoryview] = []
        self._reader = self._read()
        self._want = next(self._reader)
        self._put(
            b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + b"PLAIN".ljust(20, b"\0") + bytes(32)
        )

    def send(self, frames: Sequence[Frame]) -> None:
        """Queue one message. Large frames are not copied: don't change them until written."""
        pieces = self._held if not self.ready else self.outbox
        small = bytearray()  # small frames, written together
        for index, frame in enumerate(frames):
            view = memoryview(frame).cast("B")
            small += _head(len(view), MORE if index + 1 < len(frames) else 0)
            if len(view) <= SMALL:
                small += view
            else:
                pieces.extend((memoryview(small), view))
                small = bytearray()
        if small:
            pieces.append(memoryview(small))

    def wanted(self) -> memoryview:
        """The buffer to read into, at least one byte long; release it before calling `received`."""
        return self._want

    def received(self, count: int) -> None:
        """Process `count` bytes that were read into `wanted()`; raises ZmtpError."""
        self._want = self._want[count:]
        while not len(self._want):
            self._want = NOTHING  # a bytearray with exported views can't grow
            self._want = self._reader.send(None)

    def _put(self, data: bytes) -> None:
        self.outbox.append(memoryview(data))

    def _command(self, name: bytes, data: bytes) -> None:
        body = bytes([len(name)]) + name + data
        self.outbox.append(_head(len(body), COMMAND))
        self._put(body)

    # The reader: each yield passes a buffer to fill, and continues when it is full.

    def _read(self) -> Generator[memoryview, None, None]:
        greeting = bytearray(64)
        yield memoryview(greeting)[:10]
        if greeting[0] != 0xFF or greeting[9] != 0x7F:
            raise ZmtpError("The daemon's port is in use by something else.")
        yield memoryview(greeting)[10:]
        if greeting[10] < 3 or bytes(greeting[12:32]).rstrip(b"\0") != b"PLAIN":
            raise ZmtpError("The daemon's port is in use by another ZeroMQ program.")
        self.greeted = True
        # libzmq stalls if data is pipelined after our greeting before it has sent its own.
        self._command(b"HELLO", self._credentials)
        yield from self._expect(b"WELCOME")
        self._command(b"INITIATE", _property(b"Socket-Type", b"DEALER"))
        yield from self._expect(b"READY")
        self.ready = True
        self.outbox.extend(self._held)
        self._held.clear()
        yield from self._traffic()

    def _expect(self, name: bytes) -> Generator[memoryview, None, None]:
        flags, body = yield from self._frame()
        if not flags & COMMAND:
            raise ZmtpError("The daemon sent a message before the handshake was over.")
        if body.startswith((b"\x05ERROR", LIBZMQ_ERROR)):
            if FULL_CODE in body:
                raise Full(
                    "Too many programs are connected to the Dreamlayer daemon: close one, or raise"
                    " its setting connections_max (see: dreamlayer settings)."
                )
            raise Refused(
                "The Dreamlayer daemon does not accept this program's token: it has been restarted"
                " since. Try again; if that does not help, restart this program."
            )
        if body[: 1 + len(name)] != bytes([len(name)]) + name:
            raise ZmtpError(f"The handshake failed: {bytes(body[:40])!r} instead of {name!r}.")

    def _traffic(self) -> Generator[memoryview, None, None]:
        frames: list[bytearray] = []
        size = 0
        while True:
            flags, body = yield from self._frame(size)
            if flags & COMMAND:
                if body[:5] == b"\x04PING":
                    self._command(b"PONG", bytes(body[7:]))
                continue
            frames.append(body)
            size += len(body)
            if len(frames) > FRAMES_MAX:
                raise ZmtpError("The daemon sent a message of too many frames.")
            if not flags & MORE:
                self.messages.append(frames)
                frames, size = [], 0

    def _frame(self, before: int = 0) -> Generator[memoryview, None, tuple[int, bytearray]]:
        """A frame's flags and body; `before` are the bytes of its message's earlier frames."""
        flags = bytearray(1)
        yield memoryview(flags)
        if flags[0] & ~(MORE | LONG | COMMAND):
            raise ZmtpError("The daemon sent a frame with unknown flags.")
        size = bytearray(8 if flags[0] & LONG else 1)
        yield memoryview(size)
        length = int.from_bytes(size, "big")
        if length > (COMMAND_MAX if flags[0] & COMMAND else self.message_max - before):
            raise ZmtpError(f"The daemon sent a frame of {length} bytes, more than is allowed.")
        body = bytearray()
        while (filled := len(body)) < length:
            # The buffer grows as bytes arrive: allocating a large picture at once would block a
            # host's window for half a second, and the peer may announce more than it sends.
            body += bytes(min(length - filled, max(ROOM, filled // 4)))
            yield memoryview(body)[filled:]
        return flags[0], body


def _head(length: int, flags: int) -> memoryview:
    if length > 255:
        return memoryview(struct.pack(">BQ", flags | LONG, length))
    return memoryview(struct.pack(">BB", flags, length))


def _property(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
