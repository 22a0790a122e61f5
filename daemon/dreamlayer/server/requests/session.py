"""Turns the messages of connections into requests: greeting first, then headers and pixels.

A request is checked by its header before memory for its pixels is allocated; see
`dreamlink/wire/chunks.py`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from dreamlayer.server.jobs.error_text import text_of
from dreamlayer.server.requests.upload import UnexpectedPixels, Uploads
from dreamlayer.server.transport.mailbox import Outgoing
from dreamlayer.server.transport.principal import Peer, Principal
from dreamlink import VERSION
from dreamlink.wire.chunks import announced, is_piece
from dreamlink.wire.messages import PROTOCOL, Frame, Header, MessageError, unpack

log = logging.getLogger(__name__)

ID_MAX = 100  # characters
NO_MEMORY = "There is not enough memory for this picture now: dream on a smaller selection."


class RequestHandler(Protocol):
    """Answers the requests of greeted connections; while `stopping`, new dreams are refused."""

    stopping: bool

    @property
    def unfetched(self) -> int:
        """How many kept dreams have not been fetched: they are lost if the daemon ends."""

    def admit(
        self,
        peer: Peer,
        header: Header,
        lengths: Sequence[int],
        incoming: Mapping[Principal, int],
    ) -> None:
        """Check a request by its header, before its pixels are received; raises ValueError.

        `lengths` are the bytes of its frames, `incoming` those of uploads in progress, by
        principal.
        """

    def handle(self, peer: Peer, header: Header, frames: Sequence[Frame]) -> None:
        """Answer a request; raises ValueError."""


class RequestSessions:
    """The state of all connections: greeted or not, and what they are uploading.

    Args:
        send: sends an answer.
        handler: answers the requests of greeted connections.
        stop: ends the daemon; with True, after it has finished its dreams.
        prove: what to answer to the nonce of a local client's hello.
    """

    def __init__(
        self,
        send: Callable[[Outgoing], None],
        handler: RequestHandler,
        stop: Callable[[bool], None],
        prove: Callable[[object], str | None],
    ) -> None:
        self._send = send
        self._handler = handler
        self._stop = stop
        self._prove = prove
        self._uploads = Uploads()
        self._greeted: dict[Peer, bool] = {}  # peer → whether it speaks our protocol

    @property
    def any_greeted(self) -> bool:
        """Whether any greeted client is connected."""
        return bool(self._greeted)

    def is_greeted(self, peer: Peer) -> bool:
        """Whether a connection has been greeted."""
        return peer in self._greeted

    def forget(self, peer: Peer) -> None:
        """Discard the state of a connection that has ended."""
        self._uploads.forget(peer)
        self._greeted.pop(peer, None)

    def receive(self, peer: Peer, message: Sequence[Frame]) -> None:
        """Handle a message: a header, or a piece of the pixels that a header announced."""
        request_id = ""
        try:
            if is_piece(message):
                self._uploads.add(peer, message[1])
            else:
                self._end_incomplete(peer)
                header = unpack(message[0])
                request_id = _id_of(header)
                self._begin(peer, header, len(message))
            request = self._uploads.take_complete(peer)
            if request is not None:
                request_id = request[0]["id"]
                self._handler.handle(peer, *request)
        except UnexpectedPixels as error:
            self._refuse(peer, error.request_id, str(error))
        except ValueError as error:  # all of ours have a sentence for the user
            self._refuse(peer, request_id, text_of(error))
        except MemoryError:
            self._refuse(peer, request_id, NO_MEMORY)
        except Exception as error:
            log.exception("a message could not be handled")
            text = f"The daemon failed unexpectedly ({type(error).__name__})."
            self._refuse(peer, request_id, text)

    def _refuse(self, peer: Peer, request_id: str, text: str) -> None:
        """Answer a request with an error, and ignore pixels of it that still arrive."""
        self._uploads.refuse(peer)
        self._send(Outgoing(peer, {"op": "error", "id": request_id, "text": text}))

    def _end_incomplete(self, peer: Peer) -> None:
        """Refuse the previous request if its pixels are incomplete when the next header arrives."""
        incomplete = self._uploads.interrupt(peer)
        if incomplete is not None:
            self._refuse(peer, incomplete, "The pixels of this request are incomplete.")

    def _begin(self, peer: Peer, header: Header, frames: int) -> None:
        """Do what a header asks for, or prepare for the pixels that it announces."""
        if frames != 1:
            raise MessageError(
                "A header must be a message of its own, and so must every piece of pixels."
            )
        lengths = announced(header)
        op = header["op"]
        if op == "hello":
            self._hello(peer, header)
        elif peer not in self._greeted:
            raise MessageError("The first message of a connection must be hello.")
        elif op == "stop":  # also from another version, which then starts its own daemon
            if not peer.principal.is_local:
                raise MessageError("A daemon can only be stopped on its own computer.")
            log.info("a client asked the daemon to stop")
            answer = {"op": "stopping", "unfetched": self._handler.unfetched}
            self._send(Outgoing(peer, {**answer, "id": header["id"]}))
            self._stop(header.get("finish") is True)
        elif not self._greeted[peer]:
            raise MessageError(
                f"This daemon uses protocol {PROTOCOL} (version {VERSION}), the client another one."
            )
        elif lengths:
            for other, stalled in self._uploads.stalled():  # frees memory for this one
                self._refuse(other, stalled, "The pixels of this request stopped arriving.")
            self._handler.admit(peer, header, lengths, self._uploads.used)
            self._uploads.expect(peer, header, lengths)
        else:
            self._handler.handle(peer, header, [])

    def _hello(self, peer: Peer, header: Header) -> None:
        self._greeted[peer] = header.get("protocol") == PROTOCOL
        answer: Header = {"op": "hello", "id": header["id"], "protocol": PROTOCOL}
        answer |= {"version": VERSION, "pid": os.getpid(), "stopping": self._handler.stopping}
        if peer.principal.is_local:  # CURVE has proved it to other computers
            answer["proof"] = self._prove(header.get("nonce"))
        self._send(Outgoing(peer, answer))


def _id_of(header: Header) -> str:
    request_id = header.setdefault("id", "")
    if not isinstance(request_id, str) or len(request_id) > ID_MAX:
        raise MessageError(f"The id of a request must be a text of up to {ID_MAX} characters.")
    return request_id
