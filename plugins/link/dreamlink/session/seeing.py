"""One question what the networks see, from the pixels to the answer or a sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from ..picture import Region
from ..wire.frame_order import in_frame_order
from ..wire.messages import Frame, Header, MessageError
from ..wire.seeing import Seen, SeeRequest
from .dream import Sender
from .inputs import Pixels

COUNT = 12  # rows of each list
ASKING = "Looking at the picture…"


class Seeing:
    """Asks once. Nothing here waits.

    The host calls `send` when there is a connection, and `receive` with each message.

    Attributes:
        picture: what is sent.
        seen: the answer; None before there is one.
        text: what is under way or went wrong; "" with an answer, or when nobody wants one.
        over: whether there is nothing more to come.
    """

    def __init__(
        self,
        picture: Pixels,
        region: Region,
        selection: Frame | None,
        changed: Callable[[], None],
    ) -> None:
        """Nothing is sent yet.

        Args:
            picture: reduced, with surroundings of the region.
            region: the part that is asked about, in the picture's coordinates.
            selection: one byte a pixel of the region, 255 = fully asked about; None for all of it.
            changed: called after each change of the attributes.
        """
        masked = selection is not None
        self.picture = picture
        self.seen: Seen | None = None
        self.text = ASKING
        self.over = False
        self._request = SeeRequest(picture.layout, region, masked, count=COUNT, thumbnails=True)
        self._frames = in_frame_order(picture.frame, selection)
        self._changed = changed
        self._sender: Sender | None = None

    def say(self, text: str) -> None:
        """Show a sentence, e.g. of the connection that is waited for."""
        self.text = text
        self._changed()

    def send(self, sender: Sender) -> None:
        """Ask, if that has not been done. Raises ConnectionError as the sender does."""
        if self.over or self._sender is not None:
            return
        self._sender = sender
        self.say(ASKING)
        sender.send(self._request.header(), *self._frames)

    def receive(self, header: Header, frames: list[bytearray]) -> bool:
        """Take a message of the daemon; False if it belongs to something else."""
        if self.over or header.get("id") != self._request.id:
            return False
        text = ""
        if header.get("op") != "seen":
            text = str(header.get("text", ""))
        else:
            try:
                self.seen = Seen.of(header, frames)
            except MessageError as error:
                text = str(error)
        self._end(text)
        return True

    def cancel(self) -> None:
        """Nobody wants the answer any more; the daemon is told."""
        if self.over:
            return
        self._end("")
        if self._sender is not None:
            with contextlib.suppress(ConnectionError):  # then the daemon stops by itself
                self._sender.send({"op": "cancel", "id": self._request.id})

    def fail(self, text: str) -> None:
        """Give up with a sentence, e.g. after a lost connection; the daemon is not told."""
        if not self.over:
            self._end(text)

    def _end(self, text: str) -> None:
        self.over = True
        self.say(text)
