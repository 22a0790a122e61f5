"""ZeroMQ in and out: the I/O thread, in which nothing slow ever happens.

It knows the connections and the messages (`plugins/link/PROTOCOL.md`); dreams and all that needs
torch go to the worker, whose answers come back through the channel.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import zmq
from zmq.utils.monitor import recv_monitor_message

from dreamlayer.server.access import Doorkeeper
from dreamlayer.server.blends import Blender
from dreamlayer.server.channel import Channel, Outgoing
from dreamlayer.server.handlers import Handlers
from dreamlayer.server.outbox import Outbox, Sent
from dreamlayer.server.settings import MIB, Settings
from dreamlayer.server.worker import Worker
from dreamlink import VERSION
from dreamlink.messages import (
    HEADER_MAX,
    PROTOCOL,
    Frame,
    Header,
    MessageError,
    pack,
    unpack,
)
from dreamlink.pieces import PIECE, announced, is_piece

if TYPE_CHECKING:
    from dreamlayer.studio import Studio

log = logging.getLogger(__name__)

PENDING_MAX = 16  # messages that wait in libzmq for, or from, one client
# Bytes. libzmq reads so much of a message before it knows who sends it, and whether it is one.
MESSAGE_MAX = max(HEADER_MAX, PIECE)
NO_ROOM = "There is not enough memory for this picture now: dream on a smaller selection."
RETRY = 100  # milliseconds until a message that found its client's queue full is tried again
WARM_UP_AFTER = 1.0  # seconds; see Router.run
LINGER = 2000  # milliseconds for the last messages to leave
ID_MAX = 100
READ_AT_ONCE = 100  # messages


class Router:
    """The daemon's socket and its loop.

    Attributes:
        endpoint: where it listens, "tcp://127.0.0.1:PORT".
        channel: how other threads, and signals, wake the loop.
    """

    def __init__(
        self,
        token: str,
        studio_factory: Callable[[], Studio],
        log_place: str,
        settings: Settings,
    ) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        self._doorkeeper = Doorkeeper(self._context, token)
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.PLAIN_SERVER, 1)
        self._socket.setsockopt(zmq.ZAP_DOMAIN, b"dreamlayer")
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # says when a client has gone
        self._socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_MAX)
        self._socket.setsockopt(zmq.SNDHWM, PENDING_MAX)
        self._socket.setsockopt(zmq.RCVHWM, PENDING_MAX)
        # No heartbeats: on the loopback a dead client's connection closes at once, and a host
        # whose window is busy must not be cut off.
        port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.endpoint = f"tcp://127.0.0.1:{port}"
        self.channel = Channel()
        self._blender = Blender(self.channel.post, log_place, settings.keep_memory * MIB)
        self._worker = Worker(studio_factory, self.channel.post, self._blender, log_place)
        self._departures = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._greeted: dict[bytes, bool] = {}  # peer → whether it speaks our protocol
        self._descriptors: dict[int, bytes] = {}  # of the peers' connections
        self._intake = Intake()
        self._outbox = Outbox(self._try_to_send, self._lose)
        self._began = time.monotonic()
        self._stop_by: float | None = None
        self._stop_within = settings.stop_within
        self._handlers = Handlers(self._outbox.send, self._worker, self._blender)

    def run(self, on_stop: Callable[[], None]) -> None:
        """Serve until `stop`; `on_stop` is called as soon as that is asked for.

        torch is loaded in the background, but only after the client that started the daemon was
        greeted: loading libraries from a cold disk halts all of Python's threads for seconds.
        """
        poller = zmq.Poller()
        sources = (self._socket, self._doorkeeper.socket, self._departures, self.channel)
        for source in sources:
            poller.register(source, zmq.POLLIN)
        stopping = False
        while not (stopping and self._finished()):
            ready = dict(poller.poll(self._patience()))
            if self._doorkeeper.socket in ready:
                self._doorkeeper.answer()
            if self._socket in ready:
                self._read()
            if self._departures in ready:
                self._part()
            self._outbox.send_all(self.channel.drain())
            if self._stop_by is not None and not stopping:
                stopping = True
                self._worker.end()
                self._blender.end()
                on_stop()
            if self._warm_up_due():
                self._worker.start()

    def stop(self) -> None:
        """Cancel all dreams and leave the loop soon; safe to call from a signal handler."""
        if self._stop_by is None:
            self._stop_by = time.monotonic() + self._stop_within
            self._handlers.stopping = True
            self.channel.wake()

    def close(self) -> bool:
        """Send what is left and close; False if the compute thread could not be ended in time."""
        self._outbox.send_all(self.channel.drain())
        self._socket.disable_monitor()
        self._departures.close(linger=0)
        self._socket.close(linger=LINGER)
        self._doorkeeper.close()
        self._context.term()
        ended = self._worker.join(0.5) and self._blender.join(0.5)
        self.channel.close()
        return ended

    def _finished(self) -> bool:
        """Whether the last dream is answered, or has taken too long to stop."""
        return not self._worker.busy or time.monotonic() > (self._stop_by or 0.0)

    def _warm_up_due(self) -> bool:
        return bool(self._greeted) or time.monotonic() > self._began + WARM_UP_AFTER

    def _patience(self) -> int | None:
        """Milliseconds until something is due even if nothing happens; None: nothing is."""
        if self._outbox.waiting or self._stop_by is not None:
            return RETRY
        return None if self._warm_up_due() else int(WARM_UP_AFTER * 1000)

    # In.

    def _read(self) -> None:
        """Handle what clients have sent, up to a bound, so that answers leave in between."""
        for _ in range(READ_AT_ONCE):
            try:
                peer, *message = self._socket.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            if peer.bytes not in self._greeted:
                self._part()  # whose number this connection may have got
                self._descriptors[int(peer.get(zmq.SRCFD))] = peer.bytes
            self._handle(peer.bytes, [frame.buffer for frame in message])

    def _handle(self, peer: bytes, message: Sequence[Frame]) -> None:
        """Handle a header, or a piece of the pixels that a header has announced."""
        piece = is_piece(message)
        request_id = ""
        try:
            if piece:
                self._intake.add(peer, message[1])
            else:
                self._miss(peer)
                header = unpack(message[0])
                request_id = _id_of(header)
                self._begin(peer, header, len(message))
            whole = self._intake.take(peer)
            if whole is not None:
                request_id = whole[0]["id"]
                self._dispatch(peer, *whole)
        except LostPieces as error:
            self._refuse(peer, error.request_id, str(error))
        except ValueError as error:  # every one of ours has a sentence for the user
            self._refuse(peer, request_id, str(error))
        except MemoryError:
            self._refuse(peer, request_id, NO_ROOM)
        except Exception as error:
            log.exception("a message could not be handled")
            text = f"The daemon failed unexpectedly ({type(error).__name__})."
            self._refuse(peer, request_id, text)

    def _refuse(self, peer: bytes, request_id: str, text: str) -> None:
        """Answer a request with an error; if its pixels are still to come, they are not wanted."""
        self._intake.refuse(peer)
        self._outbox.send(Outgoing(peer, {"op": "error", "id": request_id, "text": text}))

    def _miss(self, peer: bytes) -> None:
        """A header came: if pixels of the request before it are missing, that one is over."""
        unfinished = self._intake.cut_short(peer)
        if unfinished is not None:
            self._refuse(peer, unfinished, "The pixels of this request did not come whole.")

    def _begin(self, peer: bytes, header: Header, frames: int) -> None:
        """Do what a header asks for, or make room for the pixels that it announces."""
        if frames != 1:
            raise MessageError("A header is a message of its own, and so is every piece of pixels.")
        lengths = announced(header)
        if not lengths:
            self._dispatch(peer, header, [])
            return
        self._permit(peer, header["op"])
        if header["op"] != "dream":
            raise MessageError(f"No pixels belong to the request {header['op']!r:.60}.")
        DreamRequest.announced(header, lengths)
        self._intake.expect(peer, header, lengths)

    def _permit(self, peer: bytes, op: str) -> None:
        """Raise MessageError for a request that this connection may not make."""
        if op == "hello":
            return
        if peer not in self._greeted:
            raise MessageError("The first message of a connection is hello.")
        if op == "stop":  # also from another version, which wants to be served by its own daemon
            return
        if not self._greeted[peer]:
            raise MessageError(f"This daemon speaks protocol {PROTOCOL}, version {VERSION}.")
        if op not in self._requests:
            raise MessageError(f"This daemon knows no request {op!r:.60}.")

    def _dispatch(self, peer: bytes, header: Header, frames: Sequence[Frame]) -> None:
        op = header["op"]
        self._permit(peer, op)
        if op == "hello":
            self._hello(peer, header)
        elif op == "stop":
            log.info("asked to stop")
            self._outbox.send(Outgoing(peer, {"op": "stopping", "id": header["id"]}))
            self.stop()
        else:
            self._requests[op](peer, header, frames)

    def _hello(self, peer: bytes, header: Header) -> None:
        self._greeted[peer] = header.get("protocol") == PROTOCOL
        answer = {"op": "hello", "protocol": PROTOCOL, "version": VERSION, "pid": os.getpid()}
        self._outbox.send(Outgoing(peer, {**answer, "id": header["id"]}))

    def _part(self) -> None:
        """Drop the dreams of clients that have gone."""
        while self._departures.poll(0):
            descriptor = int(recv_monitor_message(self._departures)["value"])
            peer = self._descriptors.pop(descriptor, None)
            if peer is not None:
                self._intake.forget(peer)
                self._worker.forget(peer)
                self._blender.forget(peer)

    # Out.

    def _try_to_send(self, message: Outgoing) -> Sent:
        peer, header, frames = message
        try:
            self._socket.send_multipart([peer, pack(header), *frames], zmq.DONTWAIT, copy=False)
        except zmq.Again:
            return Sent.FULL
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return Sent.NOBODY
        return Sent.GONE

    def _lose(self, peer: bytes) -> None:
        """Drop what is under way for a client that is no longer there."""
        self._intake.forget(peer)
        self._worker.forget(peer)
        self._blender.forget(peer)
        self._greeted.pop(peer, None)


def _id_of(header: Header) -> str:
    request_id = header.setdefault("id", "")
    if not isinstance(request_id, str) or len(request_id) > ID_MAX:
        raise MessageError(f"The id of a request is a text of up to {ID_MAX} characters.")
    return request_id
