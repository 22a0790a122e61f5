"""What connections send becomes requests: greeted first, checked by the header, then the pixels.

A picture is looked at by its header alone, and only room for what was announced, and found right,
is made; see `dreamlink/wire/chunks.py`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Protocol

from dreamlayer.server.requests.upload import Intake, LostPieces
from dreamlayer.server.transport.mailbox import Outgoing
from dreamlink import VERSION
from dreamlink.wire.chunks import announced, is_piece
from dreamlink.wire.messages import PROTOCOL, Frame, Header, MessageError, unpack

log = logging.getLogger(__name__)

ID_MAX = 100  # characters
NO_ROOM = "There is not enough memory for this picture now: dream on a smaller selection."


class Desk(Protocol):
    """What answers requests; `stopping`: new dreams are refused."""

    stopping: bool

    @property
    def unfetched(self) -> int:
        """How many finished dreams nobody has fetched yet: lost if the daemon ends."""

    def admit(self, peer: bytes, header: Header, lengths: Sequence[int], coming: int) -> None:
        """Raise ValueError for a request whose pixels are not wanted.

        `lengths` are its frames' in bytes, `coming` the bytes of others that are on their way.
        """

    def handle(self, peer: bytes, header: Header, frames: Sequence[Frame]) -> None:
        """Answer a request; raises ValueError."""


class Reception:
    """Takes the messages of all connections.

    Args:
        send: sends an answer.
        desk: answers the requests of greeted connections.
        stop: ends the daemon; True: when it has finished its dreams.
    """

    def __init__(
        self, send: Callable[[Outgoing], None], desk: Desk, stop: Callable[[bool], None]
    ) -> None:
        self._send = send
        self._desk = desk
        self._stop = stop
        self._intake = Intake()
        self._greeted: dict[bytes, bool] = {}  # peer → whether it speaks our protocol
        self._guests: set[bytes] = set()  # from other computers

    @property
    def anybody(self) -> bool:
        """Whether a client has ever been greeted and has not been lost."""
        return bool(self._greeted)

    def knows(self, peer: bytes) -> bool:
        """Whether a connection was greeted."""
        return peer in self._greeted

    def meet(self, peer: bytes, local: bool) -> None:
        """Note where a connection comes from: from this computer or from another one."""
        if not local:
            self._guests.add(peer)

    def forget(self, peer: bytes) -> None:
        """Let go what a connection that has ended had begun to send."""
        self._guests.discard(peer)
        self._intake.forget(peer)
        self._greeted.pop(peer, None)

    def take(self, peer: bytes, message: Sequence[Frame]) -> None:
        """Take a message: a header, or a piece of the pixels that a header has announced."""
        request_id = ""
        try:
            if is_piece(message):
                self._intake.add(peer, message[1])
            else:
                self._miss(peer)
                header = unpack(message[0])
                request_id = _id_of(header)
                self._begin(peer, header, len(message))
            whole = self._intake.take(peer)
            if whole is not None:
                request_id = whole[0]["id"]
                self._desk.handle(peer, *whole)
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
        self._send(Outgoing(peer, {"op": "error", "id": request_id, "text": text}))

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
        op = header["op"]
        if op == "hello":
            self._hello(peer, header)
        elif peer not in self._greeted:
            raise MessageError("The first message of a connection is hello.")
        elif op == "stop":  # also from another version, which wants to be served by its own daemon
            if peer in self._guests:
                raise MessageError("A daemon is stopped on its own computer.")
            log.info("asked to stop")
            answer = {"op": "stopping", "unfetched": self._desk.unfetched}
            self._send(Outgoing(peer, {**answer, "id": header["id"]}))
            self._stop(header.get("finish") is True)
        elif not self._greeted[peer]:
            raise MessageError(f"This daemon speaks protocol {PROTOCOL}, version {VERSION}.")
        elif lengths:
            for other, stalled in self._intake.stalled():  # it holds what this one may need
                self._refuse(other, stalled, "The pixels of this request stopped coming.")
            self._desk.admit(peer, header, lengths, self._intake.nbytes)
            self._intake.expect(peer, header, lengths)
        else:
            self._desk.handle(peer, header, [])

    def _hello(self, peer: bytes, header: Header) -> None:
        self._greeted[peer] = header.get("protocol") == PROTOCOL
        answer = {"op": "hello", "protocol": PROTOCOL, "version": VERSION, "pid": os.getpid()}
        stopping = self._desk.stopping
        self._send(Outgoing(peer, {**answer, "stopping": stopping, "id": header["id"]}))


def _id_of(header: Header) -> str:
    request_id = header.setdefault("id", "")
    if not isinstance(request_id, str) or len(request_id) > ID_MAX:
        raise MessageError(f"The id of a request is a text of up to {ID_MAX} characters.")
    return request_id
