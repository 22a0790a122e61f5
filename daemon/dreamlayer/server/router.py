"""ZeroMQ in and out: the I/O thread, in which nothing slow ever happens.

It knows the connections and the messages (`plugins/link/PROTOCOL.md`); dreams and all that needs
torch go to the worker, whose answers come back through the channel.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import zmq

from dreamlayer.server.config.settings import MIB, Settings
from dreamlayer.server.jobs.blender import Blender
from dreamlayer.server.jobs.results import Results
from dreamlayer.server.jobs.scheduler import Schedule
from dreamlayer.server.jobs.worker import Worker
from dreamlayer.server.lifecycle.awake_clock import AwakeClock
from dreamlayer.server.lifecycle.upgrade import Update
from dreamlayer.server.requests.handlers import Handlers
from dreamlayer.server.requests.session import Reception
from dreamlayer.server.transport import keys
from dreamlayer.server.transport.auth import LOCAL, Door, Listening, open_to_others
from dreamlayer.server.transport.disconnected import Absent
from dreamlayer.server.transport.mailbox import Channel, Outgoing
from dreamlayer.server.transport.outbox import Outbox, Sent
from dreamlayer.studio.protocol import Studio
from dreamlink.client import discovery
from dreamlink.client.client import USER
from dreamlink.wire.chunks import PIECE
from dreamlink.wire.messages import HEADER_MAX, pack

log = logging.getLogger(__name__)

PENDING_MAX = 16  # messages that wait in libzmq for, or from, one client
# Bytes. libzmq reads so much of a message before it knows who sends it, and whether it is one.
MESSAGE_MAX = HEADER_MAX + PIECE  # somewhat too long ones get an answer
HANDSHAKE = 5000  # milliseconds until a connection that does not say who it is is closed
RETRY = 100  # milliseconds until a message that found its client's queue full is tried again
TICK = 500  # milliseconds between two looks at what is due
LOOK = 2000  # milliseconds between two looks at what else may have changed
WARM_UP_AFTER = 1.0  # seconds; see Router.run
LINGER = 2000  # milliseconds for the last messages to leave
READ_AT_ONCE = 16  # messages; of pixels, each is 1 MiB


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
        listen: Listening | None = None,
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
        if listen is not None:
            open_to_others(self._socket, listen)
        self.channel = Channel()
        self._blender = Blender(self.channel.post, log_place, settings.keep_memory * MIB)
        self._results = Results(self.channel.post, discovery.home(), settings)
        self._schedule = Schedule(self.channel.post, self._results, settings)
        self._worker = Worker(
            studio_factory, self._schedule, self.channel.post, self._blender, log_place, settings
        )
        self._descriptors: dict[int, bytes] = {}  # of the peers' connections
        self._live: dict[bytes, zmq.MessageTracker] = {}  # of the last pixels so far, by peer
        self._outbox = Outbox(self._try_to_send, self._lose)
        self._absent = Absent(settings.grace)
        self._clock = AwakeClock()
        self._update = Update(settings.update_after)
        self._began = time.monotonic()
        self._finish_by: float | None = None
        self._stop_by: float | None = None
        self._settings = settings
        self._handlers = Handlers(
            self._outbox, self._schedule, self._worker, self._results, self._blender,
            settings, self._door.status,
        )  # fmt: skip
        self._reception = Reception(self._outbox.send, self._handlers, self.stop)

    def run(self, on_stop: Callable[[], None], found: Callable[[], bool] = lambda: True) -> None:
        """Serve until `stop`; `on_stop` is called as soon as that is asked for.

        `found` is asked every few seconds whether clients can find this daemon. If they find
        another, it ends when its dreams are done.

        torch is loaded in the background, but only after the client that started the daemon was
        greeted: loading libraries from a cold disk halts all of Python's threads for seconds.
        """
        poller = zmq.Poller()
        sources = (self._socket, self._door.asked, self._departures, self.channel)
        for source in sources:
            poller.register(source, zmq.POLLIN)
        ending = False
        while not (ending and self._ended()):
            ready = dict(poller.poll(self._patience()))
            if self._socket in ready or self._departures in ready:
                self._update.heard()
                self._read()  # the last words of those that have gone, too
            self._part()
            if self._door.asked in ready:
                self._door.answer()
            self._outbox.send_all(self.channel.drain())
            self._let_time_pass()
            serving = self._stop_by is None and self._finish_by is None
            if serving and not found():
                log.warning("another daemon has taken this one's place")
                self.stop(finish=True)
            if self._stop_by is not None and not ending:
                ending = True
                self._schedule.end()
                self._blender.end()
                on_stop()
            if self._warm_up_due():
                self._update.begin()  # before anything is dreamed: an update may come then
                self._worker.start()

    def stop(self, finish: bool = False) -> None:
        """Leave the loop soon; safe to call from a signal handler.

        `finish`: when the dreams under way are done, if they are in time; else they are cancelled.
        """
        now = time.monotonic()
        self._handlers.stopping = True
        if not finish:
            self._stop_by = self._stop_by or now + self._settings.stop_within
        elif self._finish_by is None:
            self._finish_by = now + self._settings.finish_within
        self.channel.wake()

    def close(self) -> bool:
        """Send what is left and close; False if the compute thread could not be ended in time."""
        self._outbox.send_all(self.channel.drain())
        self._socket.disable_monitor()
        left = (self._stop_by or 0.0) - time.monotonic()
        self._socket.close(linger=max(LINGER, int(left * 1000)))
        self._door.close()
        self._context.term()
        ended = self._worker.join(0.5) and self._blender.join(0.5)
        self._results.close()
        self.channel.close()
        return ended

    def _ended(self) -> bool:
        """Whether all dreams are answered and the answers have come, or it has taken too long.

        Had they only left, a client's word to a closed connection would make the system drop what
        it has not read yet.
        """
        answered = not self._schedule.busy and not self._outbox.waiting
        come = answered and not self._results.awaited(self._reception.knows)
        return come or time.monotonic() > (self._stop_by or 0.0)

    def _let_time_pass(self) -> None:
        """Do what is due."""
        now = self._clock.tick()
        for peer in self._absent.given_up(now):
            self._schedule.give_up(peer)
            self._results.given_up(peer)
            self._blender.forget(peer)
        self._schedule.expire(now)
        self._results.expire(now)
        if self._finish_by is not None and (
            not self._schedule.busy or time.monotonic() > self._finish_by
        ):
            self.stop()
        idle = not (self._schedule.busy or self._results.waiting or self._stop_by)
        if idle and self._update.due():
            log.info("another version was installed: it is started with the next call")
            self.stop()

    def _warm_up_due(self) -> bool:
        return self._reception.anybody or time.monotonic() > self._began + WARM_UP_AFTER

    def _patience(self) -> int:
        """Milliseconds until something is due even if nothing happens."""
        if self._outbox.waiting or self._stop_by is not None:
            return RETRY
        if self._absent or self._schedule.busy or self._results.waiting or not self._warm_up_due():
            return TICK
        return min(LOOK, self._update.patience)

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
                self._reception.meet(peer.bytes, peer.get("User-Id") == USER)
            self._reception.take(peer.bytes, [frame.buffer for frame in message])

    def _part(self) -> None:
        """Notice clients that have gone."""
        for descriptor in self._door.departed():
            peer = self._descriptors.pop(descriptor, None)
            if peer is not None:
                self._lose(peer)

    # Out.

    def _try_to_send(self, message: Outgoing) -> Sent:
        peer, header, frames = message
        live = header.get("live") is True
        if live and peer in self._live and not self._live[peer].done:
            return Sent.FULL  # the client has not taken those before: they would only pile up
        try:
            sent = self._socket.send_multipart(
                [peer, pack(header), *frames], zmq.DONTWAIT, copy=False, track=live
            )
        except zmq.Again:
            return Sent.FULL
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return Sent.NOBODY
        if live and isinstance(sent, zmq.MessageTracker):
            self._live[peer] = sent
        return Sent.GONE

    def _lose(self, peer: bytes) -> None:
        """A client is no longer there; it has some time to come back."""
        self._reception.forget(peer)
        self._live.pop(peer, None)
        self._absent.add(peer, self._clock.tick())
        self._results.vanished(peer)
