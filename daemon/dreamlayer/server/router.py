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

from dreamlayer.models import zoo
from dreamlayer.server.access import Doorkeeper
from dreamlayer.server.blends import Blender
from dreamlayer.server.channel import Channel, Outgoing
from dreamlayer.server.jobs import Job, Worker
from dreamlayer.server.outbox import Outbox, Sent
from dreamlayer.server.settings import MIB, Settings
from dreamlink import VERSION
from dreamlink.messages import (
    PROTOCOL,
    BlendRequest,
    DreamRequest,
    Frame,
    Header,
    MessageError,
    pack,
    unpack,
)

if TYPE_CHECKING:
    from dreamlayer.studio import Studio

log = logging.getLogger(__name__)

PENDING_MAX = 16  # messages that wait in libzmq for one client that does not read
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
        self._socket.setsockopt(zmq.MAXMSGSIZE, settings.message_max * MIB)
        self._socket.setsockopt(zmq.SNDHWM, PENDING_MAX)
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
        self._outbox = Outbox(self._try_to_send, self._lose)
        self._began = time.monotonic()
        self._stop_by: float | None = None
        self._stop_within = settings.stop_within
        self._requests: dict[str, Callable[[bytes, Header, Sequence[Frame]], None]] = {
            "dream": self._dream,
            "blend": self._blend,
            "cancel": self._cancel,
            "status": self._status,
            "models": self._models,
            "layers": self._layers,
        }

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
                peer, header, *frames = self._socket.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            if peer.bytes not in self._greeted:
                self._part()  # whose number this connection may have got
                self._descriptors[int(peer.get(zmq.SRCFD))] = peer.bytes
            self._handle(peer.bytes, header.buffer, [frame.buffer for frame in frames])

    def _handle(self, peer: bytes, packed: Frame, frames: Sequence[Frame]) -> None:
        request_id = ""
        try:
            header = unpack(packed)
            request_id = _id_of(header)
            self._dispatch(peer, header, frames)
        except ValueError as error:  # every one of ours has a sentence for the user
            self._outbox.send(Outgoing(peer, {"op": "error", "id": request_id, "text": str(error)}))
        except Exception as error:
            log.exception("a message could not be handled")
            text = f"The daemon failed unexpectedly ({type(error).__name__})."
            self._outbox.send(Outgoing(peer, {"op": "error", "id": request_id, "text": text}))

    def _dispatch(self, peer: bytes, header: Header, frames: Sequence[Frame]) -> None:
        op = header["op"]
        if op == "hello":
            self._hello(peer, header)
        elif peer not in self._greeted:
            raise MessageError("The first message of a connection is hello.")
        elif op == "stop":  # also from another version, which wants to be served by its own daemon
            log.info("asked to stop")
            self._outbox.send(Outgoing(peer, {"op": "stopping", "id": header["id"]}))
            self.stop()
        elif not self._greeted[peer]:
            raise MessageError(f"This daemon speaks protocol {PROTOCOL}, version {VERSION}.")
        elif op not in self._requests:
            raise MessageError(f"This daemon knows no request {op!r:.60}.")
        else:
            self._requests[op](peer, header, frames)

    def _hello(self, peer: bytes, header: Header) -> None:
        self._greeted[peer] = header.get("protocol") == PROTOCOL
        answer = {"op": "hello", "protocol": PROTOCOL, "version": VERSION, "pid": os.getpid()}
        self._outbox.send(Outgoing(peer, {**answer, "id": header["id"]}))

    def _dream(self, peer: bytes, header: Header, frames: Sequence[Frame]) -> None:
        if self._stop_by is not None:
            raise MessageError("The Dreamlayer daemon is stopping; dream again in a moment.")
        request = DreamRequest.of(header, frames)
        ahead = self._worker.submit(Job(peer, request, frames))
        self._outbox.send(Outgoing(peer, {"op": "queued", "id": request.id, "ahead": ahead}))

    def _blend(self, peer: bytes, header: Header, _frames: Sequence[Frame]) -> None:
        self._blender.submit(peer, BlendRequest.read(header))

    def _cancel(self, peer: bytes, header: Header, _frames: Sequence[Frame]) -> None:
        self._worker.cancel(peer, header["id"])

    def _status(self, peer: bytes, header: Header, _frames: Sequence[Frame]) -> None:
        answer = {
            "op": "status",
            "id": header["id"],
            "version": VERSION,
            "pid": os.getpid(),
            "uptime": round(time.monotonic() - self._began, 1),
        }
        answer |= {**self._worker.status(), "kept": self._blender.count}
        self._outbox.send(Outgoing(peer, answer))

    def _models(self, peer: bytes, header: Header, _frames: Sequence[Frame]) -> None:
        told = ("name", "title", "summary", "default_layer", "licence", "classes")
        models = [
            {
                **{name: getattr(spec, name) for name in told},
                "ready": zoo.ready(spec),
                "get": zoo.how_to_get(spec.name),
            }
            for spec in zoo.listed()
        ]
        self._outbox.send(Outgoing(peer, {"op": "models", "id": header["id"], "models": models}))

    def _layers(self, peer: bytes, header: Header, _frames: Sequence[Frame]) -> None:
        model = header.get("model")
        if not isinstance(model, str):
            raise MessageError("Say of which model the layers are wanted.")
        self._worker.ask_layers(peer, header["id"], model)

    def _part(self) -> None:
        """Drop the dreams of clients that have gone."""
        while self._departures.poll(0):
            descriptor = int(recv_monitor_message(self._departures)["value"])
            peer = self._descriptors.pop(descriptor, None)
            if peer is not None:
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
        self._worker.forget(peer)
        self._blender.forget(peer)
        self._greeted.pop(peer, None)


def _id_of(header: Header) -> str:
    request_id = header.setdefault("id", "")
    if not isinstance(request_id, str) or len(request_id) > ID_MAX:
        raise MessageError(f"The id of a request is a text of up to {ID_MAX} characters.")
    return request_id
