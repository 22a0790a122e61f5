"""The connection to the daemon, driven by Qt's event loop. Nothing here blocks.

A timer advances `dreamlink.client.launch.connecting` until the daemon is found or started. Then two
socket notifiers, one for each direction, signal that the socket is readable or writable. Dreams,
quick looks and blends share one connection: each is a listener and picks out its own messages.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

from dreamlink.client import launch
from dreamlink.client.client import Client, LinkError
from dreamlink.wire.messages import Frame

from .guard import guarded, log, unexpected
from .listener import ConnectionState, Listener
from .qt import QtCore


class Link:
    """A connection that is opened when it is needed, and again after it was lost.

    Attributes:
        state: the connection's state.
        sentence: what the user is told about it: what it waits for, or why it failed; or "".

    `show` gets a sentence if one of the link's own slots fails unexpectedly; `changed` is called
    when state or sentence has changed.
    """

    def __init__(
        self, show: Callable[[str], None], changed: Callable[[], None] = lambda: None
    ) -> None:
        self.state = ConnectionState.CLOSED
        self.sentence = ""
        self._changed = changed
        self._listeners: list[Listener] = []
        self._returning: list[Listener] = []  # those that want the daemon back that they had
        self._reason = ""  # why its connection was lost
        self._client: Client | None = None
        self._reading = False
        self._notifiers: list[Any] = []  # to read, to write
        self._steps: Generator[str, None, Client | None] | None = None
        self._timer = QtCore.QTimer()
        self._timer.setInterval(int(launch.PAUSE * 1000))
        self._timer.timeout.connect(guarded(self._connect, show))
        self._show = show

    def open(self, listener: Listener) -> None:
        """Connect if necessary. `listener` is told at once or later, and gets all messages."""
        self._join(listener)
        if self._client is not None:
            self._tell(listener, "connected")
        elif self._steps is None:
            self._begin(launch.connecting())
            self._connect()

    def reopen(self, listener: Listener, reason: str) -> None:
        """Look for the daemon whose connection was lost; `lost(reason)` if it has ended."""
        self._join(listener)
        if self._client is not None:
            self._tell(listener, "connected")
            return
        self._returning.append(listener)
        self._reason = reason
        if self._steps is None:
            self._begin(launch.returning())

    def leave(self, listener: Listener) -> None:
        """Stop listening. An open connection is kept for the next dream."""
        for group in (self._listeners, self._returning):
            if listener in group:
                group.remove(listener)
        if self._client is None and not self._listeners:
            self._drop()
            if self.state is ConnectionState.OPENING:
                self._set_state(ConnectionState.CLOSED)

    def send(self, header: Mapping[str, Any], *frames: Frame) -> None:
        """Queue a message and write what the socket accepts; raises LinkError if none is open."""
        if self._client is None:
            raise LinkError("The connection to the Dreamlayer daemon is closed.")
        self._client.send(header, *frames)
        self._watch_writing()

    def close(self) -> None:
        """Close the connection; the daemon then cancels everything requested over it."""
        self._listeners.clear()
        self._returning.clear()
        self._changed = lambda: None  # the widgets that it updates may be gone
        self._drop()

    def _join(self, listener: Listener) -> None:
        if listener not in self._listeners:
            self._listeners.append(listener)

    def _tell(self, listener: Listener, method: str, *arguments: object) -> None:
        """Call a listener's method. If that raises, only this listener fails."""
        if listener not in self._listeners:
            return  # another listener has just made it leave
        try:
            getattr(listener, method)(*arguments)
        except Exception as error:
            log.exception("An error in Dreamlayer's plug-in")
            guarded(listener.fail, self._show)(unexpected(error))

    def _tell_all(self, method: str, *arguments: object) -> None:
        for listener in list(self._listeners):
            self._tell(listener, method, *arguments)

    def _set_state(self, state: ConnectionState, sentence: str = "") -> None:
        if (state, sentence) != (self.state, self.sentence):
            self.state, self.sentence = state, sentence
            guarded(self._changed, self._show)()

    def _begin(self, steps: Generator[str, None, Client | None]) -> None:
        self._steps = steps
        self._timer.start()
        self._set_state(ConnectionState.OPENING, launch.LOOKING if self._returning else "")

    def _connect(self) -> None:
        if self._steps is None:
            return
        try:
            sentence = next(self._steps)
        except StopIteration as done:
            self._timer.stop()
            self._steps = None
            if done.value is None:
                self._give_up_returning()
            else:
                self._attach(done.value)
        except LinkError as error:
            self._lose(str(error), ConnectionState.FAILED)
        else:
            self._set_state(ConnectionState.OPENING, sentence)
            self._tell_all("waiting", sentence)

    def _give_up_returning(self) -> None:
        """The lost daemon has ended: its listeners are told, the others get a new daemon."""
        returning, self._returning = self._returning, []
        for listener in returning:
            if listener in self._listeners:
                self._listeners.remove(listener)
                guarded(listener.lost, self._show)(self._reason)
        if self._steps is None and self._client is None:
            if self._listeners:
                self._begin(launch.connecting())
            else:
                self._set_state(ConnectionState.CLOSED)

    def _attach(self, client: Client) -> None:
        self._client = client
        self._returning.clear()
        kinds = QtCore.QSocketNotifier.Type
        for kind, slot in ((kinds.Read, self._read), (kinds.Write, self._write)):
            notifier = QtCore.QSocketNotifier(client.fileno(), kind)
            notifier.activated.connect(guarded(slot, self._show))
            self._notifiers.append(notifier)
        self._watch_writing()
        self._set_state(ConnectionState.OPEN)
        self._tell_all("connected")

    def _watch_writing(self) -> None:
        if self._client is not None:  # nearly always writable: watch only while data waits
            self._notifiers[1].setEnabled(self._client.wants_to_write)

    def _read(self, *_: object) -> None:
        """Read messages and pass each to all listeners.

        Krita processes events while a layer is added, so this may be called within itself. What
        has arrived by then is read by the next call: the socket stays readable.
        """
        if self._client is None or self._reading:
            return
        self._reading = True
        try:
            messages = self._client.read()
            self._watch_writing()
            for header, frames in messages:
                self._tell_all("received", header, frames)
        except LinkError as error:
            self._lose(str(error), ConnectionState.CLOSED)
        finally:
            self._reading = False

    def _write(self, *_: object) -> None:
        if self._client is None:
            return
        self._client.flush()
        self._watch_writing()

    def _lose(self, reason: str, state: ConnectionState) -> None:
        """Tell all listeners that the connection is lost; some of them may reopen it."""
        listeners, self._listeners = self._listeners, []
        self._returning.clear()
        self._drop()
        self._set_state(state, reason)
        for listener in listeners:
            guarded(listener.lost, self._show)(reason)

    def _drop(self) -> None:
        self._timer.stop()
        if self._steps is not None:
            self._steps.close()
            self._steps = None
        for notifier in self._notifiers:
            notifier.setEnabled(False)
            notifier.deleteLater()  # it may be the one whose slot is running
        self._notifiers.clear()
        if self._client is not None:
            self._client.close()
            self._client = None
