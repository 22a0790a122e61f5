"""A client's connection to the daemon: one non-blocking socket, for event loops and for waiting.

Every connection begins with `greeting`, where the daemon has to prove that it knows the token
(`wire/proof.py`). Until then nothing but `hello` is sent: another user's program may listen there.
Krita watches `fileno()` and calls `read()` and `flush()`; GIMP and the command line call
`receive(timeout)` in a loop. One thread at a time.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import time
from collections import deque
from collections.abc import Generator, Mapping
from typing import Any

from .. import VERSION
from ..wire import chunks, proof
from ..wire.messages import (
    HEADER_MAX,
    PROTOCOL,
    Frame,
    Header,
    MessageError,
    new_id,
    unpack,
)
from ..wire.zmtp import Dealer, Full, ZmtpError
from .discovery import DaemonInfo

USER = "dreamlayer"
MESSAGE_MAX = 8 << 30  # bytes; a picture of the hosts' largest size in float
BUDGET = 16 << 20  # bytes read or written at once, so that a window stays responsive
GREETING_STEP = 0.05  # seconds that one step of a greeting waits; the answer takes about 0.005
IMPOSTOR = (
    "Another program listens where the Dreamlayer daemon did. It can't prove that it is the daemon:"
    " nothing was sent to it."
)
LOST = "The connection to the Dreamlayer daemon was lost."
Message = tuple[Header, list[bytearray]]

log = logging.getLogger(__name__)


class LinkError(ConnectionError):
    """The daemon can't be reached, was lost or misbehaved; the text is for the user."""


class StaleDaemon(LinkError):
    """The discovery file is of a daemon that no longer runs: a new one has to be started."""


class WrongVersion(LinkError):
    """The daemon speaks another protocol than this client; `older`: whether an older one."""

    def __init__(self, text: str, older: bool) -> None:
        super().__init__(text)
        self.older = older


class Client:
    """A connection to the daemon, greeted and checked by `connect`.

    Attributes:
        closed: whether the connection has ended.
        stopping: whether the daemon was about to stop, after its current dreams, when greeted.
    """

    def __init__(self, info: DaemonInfo, timeout: float = 5.0) -> None:
        host, _, port = info.endpoint.removeprefix("tcp://").rpartition(":")
        try:
            self._socket = socket.create_connection((host, int(port)), timeout)
        except (OSError, ValueError) as error:
            raise StaleDaemon("The Dreamlayer daemon is not running.") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._info = info
        self._nonce = proof.new_nonce()
        password = proof.client_password(info.token, info.endpoint, self._nonce)
        self._dealer = Dealer(USER, password, HEADER_MAX)
        self._proved = False  # whether the other side is the user's daemon
        self._inbox: deque[Message] = deque()
        self._failure: LinkError | None = None  # raised after all earlier messages are read
        self._unwritten: OSError | None = None  # why nothing can be written any more
        self.closed = False
        self.stopping = False

    @classmethod
    def connect(cls, info: DaemonInfo, timeout: float = 5.0, *, newer_too: bool = False) -> Client:
        """A greeted connection.

        Args:
            info: what the discovery file says.
            timeout: seconds to wait for an answer.
            newer_too: whether a daemon of a newer protocol is accepted; it only obeys `stop`.

        Raises:
            StaleDaemon: nothing listens there, or not the daemon of `info`.
            WrongVersion: it speaks another protocol.
            LinkError: it does not answer.
        """
        steps = cls.greeting(info, timeout, newer_too=newer_too)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                client: Client = done.value
                return client

    @classmethod
    def greeting(
        cls, info: DaemonInfo, timeout: float = 5.0, *, newer_too: bool = False
    ) -> Generator[None, None, Client]:
        """Like `connect`, but in short steps, for event loops."""
        if info.protocol < PROTOCOL:  # it can't prove anything, and expects to be sent the token
            if info.has_ended:
                raise StaleDaemon("The Dreamlayer daemon is not running.")
            raise _older(info.version, info.protocol)
        client = cls(info, timeout)
        try:
            hello = yield from client._hello(time.monotonic() + timeout)
            client._check_proof(hello)
            if not newer_too:
                _check_protocol(hello)
            client.stopping = hello.get("stopping") is True
        except BaseException:
            client.close()
            raise
        return client

    def _hello(self, end: float) -> Generator[None, None, Header]:
        """Send hello and wait until `end` for the header of the answer."""
        hello = {"op": "hello", "id": new_id(), "protocol": PROTOCOL, "version": VERSION}
        try:
            self._queue({**hello, "nonce": self._nonce})
            while (message := self.receive(GREETING_STEP)) is None and time.monotonic() < end:
                yield
        except LinkError as error:  # it has just ended, or another program uses its port now
            if isinstance(error.__cause__, Full) and not self._info.has_ended:
                raise
            raise StaleDaemon(str(error)) from error
        if message is not None:
            return message[0]
        if not self._dealer.greeted or self._info.has_ended:
            raise StaleDaemon("The daemon's port is in use by something else.")
        raise LinkError(
            f"The Dreamlayer daemon does not answer. End the process {self._info.pid}, if it is"
            " still Dreamlayer, and try again."
        )

    def _check_proof(self, hello: Header) -> None:
        """Accept the other side as the user's daemon, or raise StaleDaemon."""
        shown = hello.get("proof") if hello.get("op") == "hello" else None
        if not proof.proves(shown, self._info.token, self._info.endpoint, self._nonce):
            log.warning(IMPOSTOR)
            raise StaleDaemon(IMPOSTOR)
        self._proved = True
        self._dealer.message_max = MESSAGE_MAX

    def send(self, header: Mapping[str, Any], *frames: Frame) -> None:
        """Queue a message and write what the socket takes at once.

        A lost connection is not reported here but once, when messages are read, after the daemon's
        last ones. Raises LinkError before the daemon was greeted.
        """
        if not self._proved:
            raise LinkError("The Dreamlayer daemon must be greeted first.")
        self._queue(header, *frames)

    def _queue(self, header: Mapping[str, Any], *frames: Frame) -> None:
        for message in chunks.messages(header, frames):
            self._dealer.send(message)
        self.flush()

    def flush(self) -> None:
        """Write what the socket takes, up to the budget; a loss is reported as in `send`."""
        if self._unwritten is None and not self.closed:
            try:
                self._write()
            except OSError as error:
                self._unwritten = error

    @property
    def wants_to_write(self) -> bool:
        return bool(self._dealer.outbox) and self._unwritten is None

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> list[Message]:
        """The messages that have arrived, without waiting; raises LinkError."""
        self._pump()
        messages = list(self._inbox)
        self._inbox.clear()
        return messages

    def receive(self, timeout: float) -> Message | None:
        """Wait up to `timeout` seconds for a message; None if there is none. Raises LinkError."""
        end = time.monotonic() + timeout
        while not self._inbox:
            left = end - time.monotonic()
            if left < 0:
                return None
            self._wait(left)
            self._pump()
        return self._inbox.popleft()

    def close(self) -> None:
        self.closed = True
        self._socket.close()

    def _wait(self, timeout: float) -> None:
        if self.closed or self._failure is not None or self._unwritten is not None:
            return  # the next read raises
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.wants_to_write else 0)
        with selectors.DefaultSelector() as selector:  # select() fails above 1024 open files
            selector.register(self._socket, events)
            selector.select(timeout)

    def _pump(self) -> None:
        """Read and write without waiting.

        A daemon's last messages arrive together with the end of the connection, which is reported
        when they have been read. Until then the socket stays open and readable, so that it wakes
        an event loop again.
        """
        if self.closed:
            raise LinkError("The connection to the Dreamlayer daemon is closed.")
        if self._failure is None:
            try:
                self._read()
                if self._unwritten is not None:
                    raise self._unwritten
                self._write()  # the handshake's next part, and the answers to pings
            except ZmtpError as error:
                self._fail(str(error), error)
            except OSError as error:
                self._fail(LOST, error)
            self._open()
        if self._failure is not None and not self._inbox:
            self.close()
            raise self._failure

    def _fail(self, reason: str, cause: Exception) -> None:
        self._failure = LinkError(reason)
        self._failure.__cause__ = cause
        with contextlib.suppress(OSError):  # so it is readable, even if nothing more arrives
            self._socket.shutdown(socket.SHUT_RDWR)

    def _read(self) -> None:
        budget = BUDGET
        with contextlib.suppress(BlockingIOError, InterruptedError):  # all read for now
            while budget > 0:
                count = self._socket.recv_into(self._dealer.wanted())
                if not count:
                    raise ConnectionResetError("The daemon hung up.")
                self._dealer.received(count)
                budget -= count

    def _write(self) -> None:
        outbox = self._dealer.outbox
        budget = BUDGET
        with contextlib.suppress(BlockingIOError, InterruptedError):  # the socket is full
            while outbox and budget > 0:
                count = self._socket.send(outbox[0])
                budget -= count
                if count == len(outbox[0]):
                    outbox.popleft()
                else:
                    outbox[0] = outbox[0][count:]

    def _open(self) -> None:
        """Unpack the messages that have arrived, up to an unreadable one."""
        while self._dealer.messages:
            header, *frames = self._dealer.messages.popleft()
            try:
                self._inbox.append((unpack(header), frames))
            except MessageError as error:
                self._fail(f"The daemon sent something unreadable: {error}", error)
                return


def _check_protocol(hello: Header) -> None:
    theirs = hello.get("protocol")
    if theirs == PROTOCOL:
        return
    if type(theirs) is int and theirs < PROTOCOL:
        raise _older(hello.get("version", "?"), theirs)
    raise WrongVersion(
        f"This program has version {_version(VERSION, PROTOCOL)} of Dreamlayer, which is older than"
        f" its daemon's, {_version(hello.get('version', '?'), theirs)}:"
        " run Dreamlayer's install.py again and restart this program.",
        older=False,
    )


def _older(version: object, protocol: object) -> WrongVersion:
    return WrongVersion(
        f"The Dreamlayer daemon has version {_version(version, protocol)}, which is older than this"
        f" program's, {_version(VERSION, PROTOCOL)}: stop it (dreamlayer stop), or run Dreamlayer's"
        " install.py again.",
        older=True,
    )


def _version(version: object, protocol: object) -> str:
    return f"{version!s:.20} (protocol {protocol!s:.10})"
