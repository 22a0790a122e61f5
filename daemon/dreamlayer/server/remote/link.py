"""The connection to another computer's daemon: a thread that several others may ask through.

It is made when something is asked, and made anew when it broke: whoever asks next needs to do
nothing for that. CURVE (ZeroMQ's RFC 26) encrypts it and shows both sides to each other by keys;
heartbeats notice a computer that went away without a word.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence

import zmq
from zmq.utils.monitor import recv_monitor_message

from dreamlayer.server.config.address import Address
from dreamlayer.server.transport.keys import Pair
from dreamlayer.server.transport.mailbox import Channel, Outgoing
from dreamlink import VERSION
from dreamlink.wire import chunks
from dreamlink.wire.messages import PROTOCOL, Frame, Header, MessageError, new_id, pack, unpack

log = logging.getLogger(__name__)

CONNECT_WITHIN = 10.0  # seconds
HEARTBEAT = 3000  # milliseconds between two signs of life …
HEARTBEAT_TIMEOUT = 12000  # … and without one until the other side counts as gone
PENDING_MAX = 16  # messages that wait in libzmq
TICK = 200  # milliseconds between two looks at the clock while connecting

Message = tuple[Header, list[memoryview]]


class RemoteGone(ValueError):
    """The other computer can't be reached, or no longer; the text is for the user."""


class Conversation:
    """A request and its answers."""

    def __init__(self, link: RemoteLink, request_id: str) -> None:
        self._link = link
        self._id = request_id
        self._inbox: queue.SimpleQueue[Message | RemoteGone] = queue.SimpleQueue()

    def put(self, message: Message | RemoteGone) -> None:
        self._inbox.put(message)

    def next(self, timeout: float) -> Message | None:
        """The next answer, None if none came in time; raises RemoteGone."""
        try:
            message = self._inbox.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(message, RemoteGone):
            raise message
        return message

    def close(self, last_word: str | None = None) -> None:
        """Listen no more; `last_word` tells why: "cancel", or "received" of a dream's result."""
        self._link.end(self._id, last_word)


class RemoteLink:
    """The connection. `ask` from any thread.

    Args:
        address: of the other computer.
        key: its public key.
        own: this computer's key pair.
        frame_max: bytes that one frame of an answer may have.
    """

    def __init__(self, address: Address, key: bytes, own: Pair, frame_max: int) -> None:
        self._address = address
        self._key = key
        self._own = own
        self._frame_max = frame_max
        self._orders = Channel()
        self._lock = threading.Lock()  # guards the next one
        self._conversations: dict[str, Conversation] = {}
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        self._socket: zmq.Socket[bytes] | None = None
        self._news: zmq.Socket[bytes] | None = None
        self._ready = False  # whether the other daemon has greeted
        self._came_in = False  # whether it has let this one in, at least
        self._connect_by = 0.0
        self._outbox: deque[tuple[str, Iterator[list[Frame]]]] = deque()
        self._held: list[Frame] | None = None  # a message that found no room
        threading.Thread(target=self._run, name="remote", daemon=True).start()

    def ask(self, header: Header, frames: Sequence[Frame] = ()) -> Conversation:
        """Send a request; its answers come to the conversation. Frames must stay as they are."""
        conversation = Conversation(self, header["id"])
        with self._lock:
            self._conversations[header["id"]] = conversation
        self._orders.post(Outgoing(b"", header, frames))
        return conversation

    def end(self, request_id: str, last_word: str | None) -> None:
        """Drop a conversation with a last word, if there is one."""
        with self._lock:
            known = self._conversations.pop(request_id, None)
        if known is not None and last_word is not None:
            self._orders.post(Outgoing(b"", {"op": last_word, "id": request_id}))

    # The thread.

    def _run(self) -> None:
        while True:
            try:
                self._wait()
                for order in self._orders.drain():
                    self._take(order)
                self._follow()
                self._read()
                self._write()
            except Exception as error:
                log.exception("the link to %s failed", self._address)
                self._break(f"The link to {self._address} failed ({type(error).__name__}).")

    def _wait(self) -> None:
        poller = zmq.Poller()
        poller.register(self._orders, zmq.POLLIN)
        if self._socket is not None:
            writing = self._ready and (self._held is not None or bool(self._outbox))
            poller.register(self._socket, zmq.POLLIN | (zmq.POLLOUT if writing else 0))
            poller.register(self._news, zmq.POLLIN)
        connecting = self._socket is not None and not self._ready
        poller.poll(TICK if connecting else None)

    def _take(self, order: Outgoing) -> None:
        request_id, op = order.header["id"], order.header["op"]
        last_word = op in ("cancel", "received")
        with self._lock:
            if not last_word and request_id not in self._conversations:
                return  # the connection broke before this was sent, and whoever asked was told
        if op == "cancel":  # what is not sent yet needs no sending
            self._outbox = deque(waiting for waiting in self._outbox if waiting[0] != request_id)
        if self._socket is None:
            if last_word:
                return
            self._connect()
        self._outbox.append((request_id, chunks.messages(order.header, order.frames)))

    def _connect(self) -> None:
        socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.CURVE_SERVERKEY, self._key)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self._own.public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self._own.secret)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, -1)  # a connection that broke is made anew from here
        socket.setsockopt(zmq.CONNECT_TIMEOUT, int(CONNECT_WITHIN * 1000))
        socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT)
        socket.setsockopt(zmq.MAXMSGSIZE, self._frame_max)
        socket.setsockopt(zmq.SNDHWM, PENDING_MAX)
        socket.setsockopt(zmq.IPV6, 1)
        self._news = socket.get_monitor_socket(
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

    def _follow(self) -> None:
        """Follow what becomes of the connection."""
        while self._news is not None and self._news.poll(0):
            event = int(recv_monitor_message(self._news)["event"])
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._came_in = True
                hello = {"op": "hello", "protocol": PROTOCOL, "version": VERSION, "id": new_id()}
                self._send([pack(hello)])
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                self._break(
                    f"{self._address} does not let this computer in. Allow its key there:"
                    f" dreamlayer keys allow NAME {self._own.public.hex()}"
                )
            elif self._came_in:
                self._break(f"The connection to {self._address} was lost.")
            elif event == zmq.EVENT_CLOSED:
                self._break(self._unreachable())
            else:
                self._break(
                    f"{self._address} does not show the key that the setting remote says: see"
                    " `dreamlayer keys show` there."
                )
        if self._socket and not self._ready and time.monotonic() > self._connect_by:
            self._break(self._unreachable())

    def _unreachable(self) -> str:
        return (
            f"The computer {self._address}, which dreams for this one, can't be reached. Is"
            " `dreamlayer serve --listen` running there? To dream here again: dreamlayer settings"
            " remote default"
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
                self._break(f"{self._address} sent something unreadable: {error}")
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
        self._break(
            f"The Dreamlayer of {self._address} is version {header.get('version', '?')!s:.20}, this"
            f" one is {VERSION}: install the same on both computers."
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
        """Send a message; False if there is no room for it."""
        if self._socket is None:
            return False
        try:
            self._socket.send_multipart(message, zmq.DONTWAIT, copy=False)
        except zmq.Again:
            return False
        return True

    def _break(self, reason: str) -> None:
        """End the connection, and tell all who wait."""
        if self._socket is not None:
            with contextlib.suppress(zmq.ZMQError):
                self._socket.disable_monitor()
            self._socket.close(linger=0)
        if self._news is not None:
            self._news.close(linger=0)
        self._socket = self._news = self._held = None
        self._ready = self._came_in = False
        self._outbox.clear()
        with self._lock:
            lost, self._conversations = self._conversations, {}
        if lost:
            log.warning("%s", reason)
        for conversation in lost.values():
            conversation.put(RemoteGone(reason))


def answer(conversation: Conversation, timeout: float) -> Header:
    """The one answer to a request; raises RemoteGone if none comes in time."""
    try:
        message = conversation.next(timeout)
    finally:
        conversation.close()
    if message is None:
        raise RemoteGone("The other computer does not answer.")
    return message[0]
