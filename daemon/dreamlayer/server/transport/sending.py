"""Sends packed messages over the daemon's socket, and knows which are still in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import zmq

from dreamlayer.server.transport.outbox import SendResult
from dreamlayer.server.transport.packing import Packed
from dreamlayer.server.transport.principal import Peer, Principal


class SocketLine:
    """The way to the clients over a ROUTER; an `outbox.Line`.

    Args:
        hang_up: ends a connection.
    """

    def __init__(self, socket: zmq.Socket[bytes], hang_up: Callable[[Peer], None]) -> None:
        self._socket = socket
        self.hang_up = hang_up
        # The pixels that libzmq has not handed to the system yet, by client, in order.
        self._sent: dict[Peer, list[tuple[zmq.MessageTracker, int]]] = {}

    def send(self, message: Packed) -> SendResult:
        """Try to send a message without waiting.

        A progress message with pixels waits for those before it, so that a client that is slow
        to read is not sent one after another.
        """
        peer = message.peer
        pixels = len(message.frames) > 1
        if pixels and message.op == "progress" and self._pending(peer):
            return SendResult.FULL
        try:
            sent = self._socket.send_multipart(
                [peer.routing_id, *message.frames], zmq.DONTWAIT, copy=False, track=pixels
            )
        except (zmq.Again, MemoryError):
            return SendResult.FULL
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return SendResult.DISCONNECTED
        if isinstance(sent, zmq.MessageTracker):
            self._pending(peer)
            self._sent.setdefault(peer, []).append((sent, message.nbytes))
        return SendResult.SENT

    def in_flight(self, principal: Principal) -> Iterator[int]:
        """Bytes of each message with pixels that has not left for a principal yet."""
        for peer in [peer for peer in self._sent if peer.principal == principal]:
            for _tracker, nbytes in self._pending(peer):
                yield nbytes

    def is_cut_off(self, peer: Peer) -> bool:
        """Whether libzmq takes no more messages for a client, whose connection has ended.

        Then it has handed over everything that the client sent. The only way to ask is to send.
        """
        try:
            self._socket.send_multipart([peer.routing_id, b""], zmq.DONTWAIT)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return True
        return False

    def forget(self, peer: Peer) -> None:
        """Discard the state of a connection that has ended."""
        self._sent.pop(peer, None)

    def _pending(self, peer: Peer) -> list[tuple[zmq.MessageTracker, int]]:
        pending = [one for one in self._sent.pop(peer, ()) if not one[0].done]
        if pending:
            self._sent[peer] = pending
        return pending
