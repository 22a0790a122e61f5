"""ZeroMQ in and out: the I/O thread, in which nothing slow ever happens.

It knows the connections and the messages (`plugins/link/PROTOCOL.md`); dreams and all that needs
torch go to the worker, whose answers come back through the channel.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import zmq

from dreamlayer.server import keys
from dreamlayer.server.blends import Blender
from dreamlayer.server.channel import Channel, Outgoing
from dreamlayer.server.door import LOCAL, Door
from dreamlayer.server.handlers import Handlers
from dreamlayer.server.outbox import Outbox, Sent
from dreamlayer.server.reception import Reception
from dreamlayer.server.settings import MIB, Settings
from dreamlayer.server.worker import Worker
from dreamlink.messages import HEADER_MAX, pack
from dreamlink.pieces import PIECE

if TYPE_CHECKING:
    from dreamlayer.studio import Studio

PENDING_MAX = 16  # messages that wait in libzmq for, or from, one client
# Bytes. libzmq reads so much of a message before it knows who sends it, and whether it is one.
MESSAGE_MAX = HEADER_MAX + PIECE  # somewhat too long ones get an answer
HANDSHAKE = 5000  # milliseconds until a connection that does not say who it is is closed
RETRY = 100  # milliseconds until a message that found its client's queue full is tried again
WARM_UP_AFTER = 1.0  # seconds; see Router.run
LINGER = 2000  # milliseconds for the last messages to leave
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
        self._door = Door(self._context, token, settings.connections_max, keys.name_of)
        self._socket = self._context.socket(zmq.ROUTER)
        self._departures = self._door.watch(self._socket)
        self._socket.setsockopt(zmq.PLAIN_SERVER, 1)
        self._socket.setsockopt(zmq.ZAP_DOMAIN, LOCAL)
        self._socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE)
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
        self._descriptors: dict[int, bytes] = {}  # of the peers' connections
        self._outbox = Outbox(self._try_to_send, self._lose)
        self._began = time.monotonic()
        self._stop_by: float | None = None
        self._stop_within = settings.stop_within
        self._handlers = Handlers(self._outbox.send, self._worker, self._blender)
        self._reception = Reception(self._outbox.send, self._handlers, self.stop)

    def run(self, on_stop: Callable[[], None]) -> None:
        """Serve until `stop`; `on_stop` is called as soon as that is asked for.

        torch is loaded in the background, but only after the client that started the daemon was
        greeted: loading libraries from a cold disk halts all of Python's threads for seconds.
        """
        poller = zmq.Poller()
        sources = (self._socket, self._door.asked, self._departures, self.channel)
        for source in sources:
            poller.register(source, zmq.POLLIN)
        stopping = False
        while not (stopping and self._finished()):
            ready = dict(poller.poll(self._patience()))
            self._part()
            if self._door.asked in ready:
                self._door.answer()
            if self._socket in ready:
                self._read()
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
        self._socket.close(linger=LINGER)
        self._door.close()
        self._context.term()
        ended = self._worker.join(0.5) and self._blender.join(0.5)
        self.channel.close()
        return ended

    def _finished(self) -> bool:
        """Whether the last dream is answered, or has taken too long to stop."""
        return not self._worker.busy or time.monotonic() > (self._stop_by or 0.0)

    def _warm_up_due(self) -> bool:
        return self._reception.anybody or time.monotonic() > self._began + WARM_UP_AFTER

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
            if not self._reception.knows(peer.bytes):
                self._part()  # whose number this connection may have got
                descriptor = int(peer.get(zmq.SRCFD))
                self._descriptors[descriptor] = peer.bytes
                self._door.spoke(descriptor)
            self._reception.take(peer.bytes, [frame.buffer for frame in message])

    def _part(self) -> None:
        """Drop the dreams of clients that have gone."""
        for descriptor in self._door.departed():
            peer = self._descriptors.pop(descriptor, None)
            if peer is not None:
                self._reception.forget(peer)
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
        self._reception.forget(peer)
        self._worker.forget(peer)
        self._blender.forget(peer)
