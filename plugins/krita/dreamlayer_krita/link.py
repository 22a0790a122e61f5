"""The connection to the daemon, kept by Qt's event loop: nothing here waits.

While the daemon is found or started a timer goes on with `dreamlink.launch.connecting`; then two
socket notifiers, one a direction, tell when there is something to read and room to write.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, Protocol

from dreamlink import launch
from dreamlink.client import Client, LinkError
from dreamlink.messages import Frame, Header

from .guard import guarded
from .qt import QtCore


class Listener(Protocol):
    """Who waits for the connection and its messages."""

    def waiting(self, sentence: str) -> None: ...
    def connected(self) -> None: ...
    def received(self, header: Header, frames: list[bytearray]) -> None: ...
    def lost(self, reason: str) -> None: ...


class Link:
    """A connection that is opened when it is needed and opened anew when it was lost.

    `show` gets a sentence when one of our own slots fails unexpectedly.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self._listener: Listener | None = None
        self._client: Client | None = None
        self._notifiers: list[Any] = []  # to read, to write
        self._steps: Generator[str, None, Client | None] | None = None
        self._reason = ""  # why a connection that is looked for again was lost
        self._show = show
        self._timer = QtCore.QTimer()
        self._timer.setInterval(int(launch.PAUSE * 1000))
        self._timer.timeout.connect(guarded(self._connect, show))

    def open(self, listener: Listener) -> None:
        """Connect if need be; `listener` hears of it, at once or later, and gets all messages."""
        self._listener = listener
        if self._client is not None:
            listener.connected()
            return
        self._drop()
        self._steps = launch.connecting()
        self._timer.start()
        self._connect()

    def reopen(self, listener: Listener, reason: str) -> None:
        """Look for the daemon whose connection was lost; `listener` hears `reason` if it died."""
        self._listener = listener
        self._reason = reason
        self._drop()
        self._steps = launch.returning()
        self._timer.start()

    def leave(self) -> None:
        """Stop listening; an open connection is kept for the next dream."""
        self._listener = None
        if self._client is None:
            self._drop()

    def send(self, header: Mapping[str, Any], *frames: Frame) -> None:
        """Queue a message and write what the socket takes; raises LinkError if none is open."""
        if self._client is None:
            raise LinkError("The connection to the Dreamlayer daemon is closed.")
        self._client.send(header, *frames)
        self._watch()

    def close(self) -> None:
        """Give up the connection; the daemon then cancels what was asked over it."""
        self._listener = None
        self._drop()

    def _connect(self) -> None:
        if self._steps is None:
            return
        try:
            sentence = next(self._steps)
        except StopIteration as done:
            self._timer.stop()
            self._steps = None
            if done.value is None:
                self._lose(self._reason)
            else:
                self._attach(done.value)
        except LinkError as error:
            self._lose(str(error))
        else:
            if self._listener is not None:
                self._listener.waiting(sentence)

    def _attach(self, client: Client) -> None:
        self._client = client
        kinds = QtCore.QSocketNotifier.Type
        for kind, slot in ((kinds.Read, self._read), (kinds.Write, self._write)):
            notifier = QtCore.QSocketNotifier(client.fileno(), kind)
            notifier.activated.connect(guarded(slot, self._show))
            self._notifiers.append(notifier)
        self._watch()
        if self._listener is not None:
            self._listener.connected()

    def _watch(self) -> None:
        if self._client is not None:  # a socket can be written to nearly always: look if need be
            self._notifiers[1].setEnabled(self._client.wants_to_write)

    def _read(self, *_: object) -> None:
        if self._client is None:
            return
        try:
            messages = self._client.read()
        except LinkError as error:
            self._lose(str(error))
            return
        self._watch()
        for header, frames in messages:
            if self._listener is not None:
                self._listener.received(header, frames)

    def _write(self, *_: object) -> None:
        if self._client is None:
            return
        self._client.flush()
        self._watch()

    def _lose(self, reason: str) -> None:
        listener, self._listener = self._listener, None
        self._drop()
        if listener is not None:
            listener.lost(reason)

    def _drop(self) -> None:
        self._timer.stop()
        if self._steps is not None:
            self._steps.close()
            self._steps = None
        for notifier in self._notifiers:
            notifier.setEnabled(False)
            notifier.deleteLater()  # it may be the very one that is calling us
        self._notifiers.clear()
        if self._client is not None:
            self._client.close()
            self._client = None
