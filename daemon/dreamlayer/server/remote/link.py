"""The connection to another computer's daemon, in a thread of its own.

Several threads may send requests through it. It connects with the first request, and again with the
first request after the connection broke. CURVE (ZeroMQ's RFC 26) encrypts it and authenticates both
sides by keys; heartbeats detect a computer that disappeared without closing the connection.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import zmq
from zmq.utils.monitor import recv_monitor_message

from dreamlayer.server.config.address import Address
from dreamlayer.server.transport.keys import KeyPair
from dreamlayer.server.transport.mailbox import Mailbox
from dreamlink import VERSION
from dreamlink.wire import chunks
from dreamlink.wire.messages import PROTOCOL, Frame, Header, MessageError, new_id, pack, unpack

log = logging.getLogger(__name__)

CONNECT_WITHIN = 10.0  # seconds
HEARTBEAT = 3000  # milliseconds between two heartbeats …
HEARTBEAT_TIMEOUT = 12000  # … and without one until the connection counts as lost
PENDING_MAX = 16  # messages queued in libzmq
FULL = 500  # ZAP's code for too many connections
TICK = 200  # milliseconds between two checks of the deadline while connecting

Message = tuple[Header, list[memoryview]]


class RemoteUnreachable(ValueError):
    """The other computer can't be reached, or the connection was lost; the text is for the user."""


class Order(NamedTuple):
    """A request to send."""

    header: Header
    frames: Sequence[Frame] = ()


class Conversation:
    """A request and its answers."""

    def __init__(self, link: RemoteLink, request_id: str) -> None:
        self._link = link
        self._id = request_id
        self._inbox: queue.SimpleQueue[Message | RemoteUnreachable] = queue.SimpleQueue()

    def put(self, message: Message | RemoteUnreachable) -> None:
        self._inbox.put(message)

    def next(self, timeout: float) -> Message | None:
        """The next answer, or None if there is none in time; raises RemoteUnreachable."""
        try:
            message = self._inbox.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(message, RemoteUnreachable):
            raise message
        return message

    def close(self, last_op: str | None = None) -> None:
        """End it; `last_op` is sent as a last request: "cancel", or "received" for a result."""
        self._link.end(self._id, last_op)


class RemoteLink:
    """The connection. `ask` may be called from any thread.

    Args:
        address: of the other computer.
        key: its public key.
        own: this computer's key pair.
        frame_max: bytes that a frame of an answer may have.
    """

    def __init__(self, address: Address, key: bytes, own: KeyPair, frame_max: int) -> None:
        self._address = address
        self._key = key
        self._own = own
        self._frame_max = frame_max
        self._orders: Mailbox[Order] = Mailbox()
        self._lock = threading.Lock()  # guards the following attribute
        self._conversations: dict[str, Conversation] = {}
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        self._socket: zmq.Socket[bytes] | None = None
        self._monitor: zmq.Socket[bytes] | None = None
        self._ready = False  # whether the other daemon has answered hello
        self._authenticated = False  # whether it has accepted this computer's key
        self._connect_by = 0.0
        self._outbox: deque[tuple[str, Iterator[list[Frame]]]] = deque()
        self._held: list[Frame] | None = None  # a message that libzmq's queue had no room for
        threading.Thread(target=self._run, name="remote", daemon=True).start()

    def ask(self, header: Header, frames: Sequence[Frame] = ()) -> Conversation:
        """Send a request; the conversation gets its answers. The frames must not be modified."""
        conversation = Conversation(self, header["id"])
        with self._lock:
            self._conversations[header["id"]] = conversation
        self._orders.post(Order(header, frames))
        return conversation

    def end(self, request_id: str, last_op: str | None) -> None:
        """Drop a conversation, and send `last_op` unless it is None."""
        with self._lock:
            conversation = self._conversations.pop(request_id, None)
        if conversation is not None and last_op is not None:
            self._orders.post(Order({"op": last_op, "id": request_id}))

    # The thread.

    def _run(self) -> None:
        while True:
            try:
                self._wait()
                for order in self._orders.drain():
                    self._take(order)
                self._check_connection()
                self._read()
                self._write()
            except Exception as error:
                log.exception("the link to %s failed", self._address)
                self._disconnect(f"The link to {self._address} failed ({type(error).__name__}).")

    def _wait(self) -> None:
        poller = zmq.Poller()
        poller.register(self._orders, zmq.POLLIN)
        if self._socket is not None:
            writing = self._ready and (self._held is not None or bool(self._outbox))
            poller.register(self._socket, zmq.POLLIN | (zmq.POLLOUT if writing else 0))
            poller.register(self._monitor, zmq.POLLIN)
        connecting = self._socket is not None and not self._ready
        poller.poll(TICK if connecting else None)

    def _take(self, order: Order) -> None:
        request_id, op = order.header["id"], order.header["op"]
        is_last = op in ("cancel", "received")
        with self._lock:
            if not is_last and request_id not in self._conversations:
                return  # the connection broke before this was sent, and the conversation ended
        if op == "cancel":  # drop parts of the request that are not sent yet
            self._outbox = deque(waiting for waiting in self._outbox if waiting[0] != request_id)
        if self._socket is None:
            if is_last:
                return
            self._connect()
        self._outbox.append((request_id, chunks.messages(order.header, order.frames)))

    def _connect(self) -> None:
        socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.CURVE_SERVERKEY, self._key)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self._own.public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._own.secret)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, -1)  # never: this class reconnects itself
        socket.setsockopt(zmq.CONNECT_TIMEOUT, int(CONNECT_WITHIN * 1000))
        socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT)
        socket.setsockopt(zmq.MAXMSGSIZE, self._frame_max)
        socket.setsockopt(zmq.SNDHWM, PENDING_MAX)
        socket.setsockopt(zmq.IPV6, 1)
        self._monitor = socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED
            | zmq.EVENT_HANDSHAKE_FAILED_AUTH
            | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
            | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
            | zmq.EVENT_CLOSED
            | zmq.EVENT_DISCONNECTED
        )
        self._socket = socket
        self._connect_by = time.monotonic() + CONNECT_WITHIN
        socket.connect(self._address.endpoint)

    def _check_connection(self) -> None:
        """Handle the monitor's events, and the time limit for connecting."""
        while self._monitor is not None and self._monitor.poll(0):
            report = recv_monitor_message(self._monitor)
            event = int(report["event"])
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._authenticated = True
                hello = {"op": "hello", "protocol": PROTOCOL, "version": VERSION, "id": new_id()}
                self._send([pack(hello)])
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH and int(report["value"]) == FULL:
                self._disconnect(
                    f"{self._address} has no place for another connection of this computer: dream"
                    " again when others have ended, or raise the setting connections_max there."
                )
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                self._disconnect(
                    f"{self._address} does not accept this computer's key. Allow it there:"
                    f" dreamlayer keys allow NAME {self._own.public.hex()}"
                )
            elif self._authenticated:
                self._disconnect(f"The connection to {self._address} was lost.")
            elif event == zmq.EVENT_CLOSED:
                self._disconnect(self._unreachable())
            else:
                self._disconnect(
                    f"{self._address} has another key than the one in the setting remote: see"
                    " `dreamlayer keys show` there."
                )
        if self._socket and not self._ready and time.monotonic() > self._connect_by:
            self._disconnect(self._unreachable())

    def _unreachable(self) -> str:
        return (
            f"The computer {self._address}, which dreams for this one, can't be reached. Is"
            " `dreamlayer serve --listen` running there? To dream on this computer again:"
            " dreamlayer settings remote default"
        )

    def _read(self) -> None:
        while self._socket is not None:
            try:
                packed, *frames = self._socket.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            try:
                header = unpack(packed.buffer)
            except MessageError as error:
                self._disconnect(f"{self._address} sent something unreadable: {error}")
                return
            if not self._ready:
                self._greet(header)
                continue
            with self._lock:
                conversation = self._conversations.get(str(header.get("id")))
            if conversation is not None:
                conversation.put((header, [frame.buffer for frame in frames]))

    def _greet(self, header: Header) -> None:
        if header["op"] == "hello" and header.get("protocol") == PROTOCOL:
            self._ready = True
            log.info("connected to %s, version %.20s", self._address, header.get("version"))
            return
        self._disconnect(
            f"Dreamlayer on {self._address} is version {header.get('version', '?')!s:.20}, but"
            f" {VERSION} here: install the same version on both computers."
        )

    def _write(self) -> None:
        while self._ready:
            if self._held is None:
                if not self._outbox:
                    return
                self._held = next(self._outbox[0][1], None)
                if self._held is None:
                    self._outbox.popleft()
                    continue
            if not self._send(self._held):
                return
            self._held = None

    def _send(self, message: list[Frame]) -> bool:
        """Send a message; False if libzmq's queue is full."""
        if self._socket is None:
            return False
        try:
            self._socket.send_multipart(message, zmq.DONTWAIT, copy=False)
        except zmq.Again:
            return False
        return True

    def _disconnect(self, reason: str) -> None:
        """Close the connection, and end all conversations with RemoteUnreachable."""
        if self._socket is not None:
            with contextlib.suppress(zmq.ZMQError):
                self._socket.disable_monitor()
            self._socket.close(linger=0)
        if self._monitor is not None:
            self._monitor.close(linger=0)
        self._socket = self._monitor = self._held = None
        self._ready = self._authenticated = False
        self._outbox.clear()
        with self._lock:
            lost, self._conversations = self._conversations, {}
        if lost:
            log.warning("%s", reason)
        for conversation in lost.values():
            conversation.put(RemoteUnreachable(reason))


def answer(conversation: Conversation, timeout: float) -> Header:
    """The only answer to a request; raises RemoteUnreachable if there is none in time."""
    try:
        message = conversation.next(timeout)
    finally:
        conversation.close()
    if message is None:
        raise RemoteUnreachable("The other computer does not answer.")
    return message[0]
