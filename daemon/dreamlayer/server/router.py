"""The I/O thread: reads and writes ZeroMQ messages, and does nothing slow.

It handles connections and messages (`plugins/link/PROTOCOL.md`). Dreams and everything else that
needs torch go to the worker, whose answers come back through the mailbox.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import zmq

from dreamlayer.server.config.settings import MIB, Settings
from dreamlayer.server.jobs.blender import Blender
from dreamlayer.server.jobs.results import ResultStore
from dreamlayer.server.jobs.scheduler import Scheduler
from dreamlayer.server.jobs.worker import Worker
from dreamlayer.server.lifecycle.awake_clock import AwakeClock
from dreamlayer.server.lifecycle.upgrade import UpgradeWatch
from dreamlayer.server.requests.handlers import DaemonRequestHandler
from dreamlayer.server.requests.session import RequestSessions
from dreamlayer.server.transport import keys
from dreamlayer.server.transport.auth import LOCAL, Authenticator
from dreamlayer.server.transport.disconnected import DisconnectedClients, LeavingClients
from dreamlayer.server.transport.mailbox import Mailbox, Outgoing
from dreamlayer.server.transport.outbox import Outbox
from dreamlayer.server.transport.principal import Peer, Principal
from dreamlayer.server.transport.remote_listener import RemoteListener, listen_to_remotes
from dreamlayer.server.transport.sending import SocketLine
from dreamlayer.server.transport.token_proof import TokenProof
from dreamlayer.studio.protocol import Studio
from dreamlink.client import discovery
from dreamlink.wire.chunks import PIECE
from dreamlink.wire.messages import HEADER_MAX

log = logging.getLogger(__name__)

PENDING_MAX = 16  # messages queued in libzmq for, or from, one client
# Bytes of the longest message. libzmq reads up to this many from anybody, before authentication
# and before it knows whether they are a message. Slightly too long messages still get an answer.
MESSAGE_MAX = HEADER_MAX + PIECE
HANDSHAKE = 5000  # milliseconds until a connection without a complete handshake is closed
UNREAD_MIN = 256  # messages that one client may leave unread, at least
FRAMES_MAX = 4  # of a message that are kept: the client's name, and more than any message has
RETRY = 100  # milliseconds until a message to a client with a full queue is tried again
LEAVING_TICK = 2  # milliseconds between two checks whether all messages of who has left were read
TICK = 500  # milliseconds between two checks of deadlines, while there are any
IDLE_TICK = 2000  # milliseconds between two checks of everything else that may have changed
SETTLED_AFTER = 1.0  # seconds after which the start is over, also without a client
LINGER = 2000  # milliseconds to send the last messages when the socket is closed
READ_AT_ONCE = 16  # messages; those with pixels are 1 MiB each


class Router:
    """The daemon's socket and its loop.

    Attributes:
        endpoint: where it listens, "tcp://127.0.0.1:PORT".
        mailbox: lets other threads and signals wake the loop.
    """

    def __init__(
        self,
        token: str,
        studio_factory: Callable[[], Studio],
        log_place: str,
        settings: Settings,
        listen: RemoteListener | None = None,
    ) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        self._authenticator = Authenticator(self._context, settings.connections_max, keys.name_of)
        self._socket = self._context.socket(zmq.ROUTER)
        self._departures = self._authenticator.watch(self._socket)
        self._socket.setsockopt(zmq.PLAIN_SERVER, 1)
        self._socket.setsockopt(zmq.ZAP_DOMAIN, LOCAL)
        self._socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # sending to a lost client is an error
        self._socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_MAX)
        self._socket.setsockopt(zmq.SNDHWM, PENDING_MAX)
        self._socket.setsockopt(zmq.RCVHWM, PENDING_MAX)
        # No heartbeats: on the loopback a dead client's connection closes at once, and a host that
        # is too busy to answer must not be disconnected.
        port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.endpoint = f"tcp://127.0.0.1:{port}"
        proof = TokenProof(token, self.endpoint)
        self._authenticator.note_loopback(self.endpoint, proof)
        if listen is not None:
            listen_to_remotes(self._socket, listen)
        self.mailbox: Mailbox[Outgoing] = Mailbox()
        self._blender = Blender(self.mailbox.post, log_place, settings.keep_memory * MIB)
        self._results = ResultStore(self.mailbox.post, discovery.daemon_folder(), settings)
        self._scheduler = Scheduler(self.mailbox.post, self._results, settings)
        self._worker = Worker(studio_factory, self._scheduler, self._blender, log_place, settings)
        self._peers: dict[int, Peer] = {}  # by the descriptor of their connection
        self._line = SocketLine(self._socket, self._hang_up)
        unread_max = max(UNREAD_MIN, 4 * settings.waiting_max_client)
        self._leaving = LeavingClients(PENDING_MAX)
        self._outbox = Outbox(self._line, self._note_cut_off, unread_max)
        self._disconnected = DisconnectedClients(settings.grace)
        self._clock = AwakeClock()
        self._upgrade = UpgradeWatch(settings.update_after)
        self._began = time.monotonic()
        self._finish_by: float | None = None
        self._stop_by: float | None = None
        self._settings = settings
        self._handler = DaemonRequestHandler(
            self._outbox, self._scheduler, self._worker, self._results, self._blender,
            settings, self._authenticator.status,
        )  # fmt: skip
        self._sessions = RequestSessions(self._outbox.send, self._handler, self.stop, proof.answer)

    def run(
        self, on_stop: Callable[[], None], discoverable: Callable[[], bool] = lambda: True
    ) -> None:
        """Serve until `stop` is called.

        torch is loaded in the background, but only after the first client was greeted: loading
        libraries from a cold disk halts all of Python's threads for seconds, and a daemon that was
        started at login stays small until somebody needs it.

        Args:
            on_stop: called as soon as the daemon begins to stop.
            discoverable: says whether clients find this daemon. Once they find another one, this
                one finishes its dreams and ends.
        """
        poller = zmq.Poller()
        sources = (self._socket, self._authenticator.zap_socket, self._departures, self.mailbox)
        for source in sources:
            poller.register(source, zmq.POLLIN)
        ending = False
        while not (ending and self._ended()):
            ready = dict(poller.poll(self._poll_timeout()))
            self._note_departures()
            if self._socket in ready or self._leaving:
                self._upgrade.postpone()
                none_left = self._read()
                for peer in self._leaving.pop_complete(none_left):
                    self._lose(peer)
            if self._authenticator.zap_socket in ready:
                self._authenticator.answer_zap()
            self._authenticator.end_abuse()
            self._outbox.send_all(self.mailbox.drain())
            self._check_deadlines()
            serving = self._stop_by is None and self._finish_by is None
            if serving and not discoverable():
                log.warning("another daemon has replaced this one")
                self.stop(finish=True)
            if self._stop_by is not None and not ending:
                ending = True
                self._scheduler.end()
                self._blender.end()
                on_stop()
            if self._has_settled():
                self._upgrade.note_installed()  # before the first dream, as an upgrade may follow
            if self._sessions.any_greeted or self._scheduler.busy:
                self._worker.start()

    def stop(self, finish: bool = False) -> None:
        """Leave the loop soon; safe to call from a signal handler.

        With `finish`, the dreams under way are completed first, within the setting
        `finish_within`; otherwise they are cancelled.
        """
        now = time.monotonic()
        self._handler.stopping = True
        if not finish:
            self._stop_by = self._stop_by or now + self._settings.stop_within
        elif self._finish_by is None:
            self._finish_by = now + self._settings.finish_within
        self.mailbox.wake()

    def close(self) -> bool:
        """Send remaining messages and close; False if a thread did not end in time."""
        self._outbox.send_all(self.mailbox.drain())
        self._socket.disable_monitor()
        left = (self._stop_by or 0.0) - time.monotonic()
        self._socket.close(linger=max(LINGER, int(left * 1000)))
        self._authenticator.close()
        self._context.term()
        ended = self._worker.join(0.5) and self._blender.join(0.5)
        self._results.close()
        self.mailbox.close()
        return ended

    def _ended(self) -> bool:
        """Whether all dreams are answered and all answers confirmed, or the time is up.

        It is not enough that answers were sent: if a client sends something to a connection that
        is closed here, its system drops the data that it has not read yet.
        """
        answered = not self._scheduler.busy and not self._outbox.waiting
        confirmed = answered and not self._results.awaited(self._sessions.is_greeted)
        return confirmed or time.monotonic() > (self._stop_by or 0.0)

    def _check_deadlines(self) -> None:
        """Give up lost clients and old dreams, and stop if it is time to."""
        now = self._clock.tick()
        for peer in self._disconnected.pop_expired(now):
            self._scheduler.give_up(peer)
            self._results.drop_client(peer)
            self._blender.forget(peer)
        self._scheduler.expire(now)
        self._results.expire(now)
        if self._finish_by is not None and (
            not self._scheduler.busy or time.monotonic() > self._finish_by
        ):
            self.stop()
        idle = not (self._scheduler.busy or self._results.waiting or self._stop_by)
        if idle and self._upgrade.due():
            log.info("another version was installed: the next client starts it")
            self.stop()

    def _has_settled(self) -> bool:
        return self._sessions.any_greeted or time.monotonic() > self._began + SETTLED_AFTER

    def _poll_timeout(self) -> int:
        """Milliseconds until the loop must run again even if no message arrives."""
        if self._leaving:
            return LEAVING_TICK
        if self._outbox.waiting or self._authenticator.has_guests or self._stop_by is not None:
            return RETRY
        if (
            self._disconnected
            or self._scheduler.busy
            or self._results.waiting
            or not self._has_settled()
        ):
            return TICK
        return min(IDLE_TICK, self._upgrade.milliseconds_left)

    # Incoming.

    def _read(self) -> bool:
        """Handle a limited number of messages, so that answers are sent in between.

        Returns:
            whether none is left.
        """
        for _ in range(READ_AT_ONCE):
            frames = self._receive()
            if frames is None:
                return True
            self._leaving.note_message()
            sender, *message = frames
            peer = Peer(sender.bytes, Principal(str(sender.get("User-Id"))))
            descriptor = int(sender.get(zmq.SRCFD))
            self._note_departures()
            connected = peer not in self._leaving  # else the descriptor may already be another's
            if connected:
                self._peers[descriptor] = peer
            if not peer.principal.is_local and len(frames) == FRAMES_MAX:
                # No program of ours sends that, and it takes time.
                if connected:
                    self._authenticator.hang_up(descriptor)
                continue
            if connected:
                self._authenticator.note_message(descriptor, peer.principal)
            self._sessions.receive(peer, [frame.buffer for frame in message])
        return False

    def _receive(self) -> list[zmq.Frame] | None:
        """The next message with its sender's name, at most `FRAMES_MAX` frames of it; or None."""
        try:
            frame = self._socket.recv(zmq.DONTWAIT, copy=False)
        except zmq.Again:
            return None
        frames = [frame]
        while frame.more:  # perhaps a million of them
            frame = self._socket.recv(copy=False)
            if len(frames) < FRAMES_MAX:
                frames.append(frame)
        return frames

    def _note_departures(self) -> None:
        """Note which connections have ended."""
        for descriptor in self._authenticator.closed_connections():
            peer = self._peers.pop(descriptor, None)
            if peer is not None:
                self._leaving.report(peer)
        for peer in self._leaving.reported:
            if self._line.is_cut_off(peer):
                self._note_cut_off(peer)

    def _note_cut_off(self, peer: Peer) -> None:
        """Note that nothing can be sent to a client; what it sent before is still read."""
        self._leaving.cut_off(peer, len(self._peers) + 1)

    def _hang_up(self, peer: Peer) -> None:
        """End the connection of a client."""
        for descriptor in [one for one, owner in self._peers.items() if owner == peer]:
            self._authenticator.hang_up(descriptor)

    def _lose(self, peer: Peer) -> None:
        """Forget the connection of a client that has left; it has some time to come back."""
        self._peers = {where: owner for where, owner in self._peers.items() if owner != peer}
        self._sessions.forget(peer)
        self._outbox.forget(peer)
        self._line.forget(peer)
        self._disconnected.add(peer, self._clock.tick())
        self._results.client_disconnected(peer)
