"""Helpers: a daemon that listens to other computers, and programs that connect to it with a key."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import psutil
import zmq
from zmq.utils import z85

from dreamlayer.server.transport import keys
from dreamlayer.server.transport.keys import KeyPair
from dreamlink import VERSION
from dreamlink.client.client import Message
from dreamlink.wire import chunks
from dreamlink.wire.messages import PROTOCOL, Frame, Header, new_id, unpack
from tests.server.daemons import SOON, Daemon
from tests.server.test_remote import LISTENING, ROOT, free_port

MIB = 1 << 20


def new_key() -> KeyPair:
    """A key pair of another computer."""
    public, secret = (z85.decode(key) for key in zmq.curve_keypair())
    return KeyPair(public, secret)


class Guest:
    """A program on another computer, with an allowed key. It connects at once.

    Args:
        reads: whether it takes what the daemon sends; otherwise its buffers are small.
        greets: whether it says hello and waits for the answer.
    """

    def __init__(
        self,
        host: ListeningDaemon,
        key: KeyPair,
        *,
        reads: bool = True,
        greets: bool = True,
    ) -> None:
        self._socket = host.context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RECONNECT_IVL, -1)
        self._socket.setsockopt(zmq.CURVE_SERVERKEY, z85.encode(host.key.public))
        self._socket.setsockopt(zmq.CURVE_PUBLICKEY, z85.encode(key.public))
        self._socket.setsockopt(zmq.CURVE_SECRETKEY, z85.encode(key.secret))
        if not reads:
            self._socket.setsockopt(zmq.RCVHWM, 1)
            self._socket.setsockopt(zmq.RCVBUF, 4096)
        self._socket.connect(f"tcp://{host.address}")
        if greets:
            self.say_hello()
            if reads:
                assert self.receive(SOON) is not None, "the daemon does not answer"

    def say_hello(self) -> None:
        hello = {"op": "hello", "protocol": PROTOCOL, "version": VERSION, "id": new_id()}
        self.send(hello)

    def send(self, header: Header, *frames: Frame) -> None:
        for message in chunks.messages(header, frames):
            self._socket.send_multipart(message)

    def try_to_send(self, frames: Sequence[bytes]) -> bool:
        """Send frames unless the way is full or closed."""
        try:
            self._socket.send_multipart(frames, zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def send_endless(self, frame: bytes, count: int) -> None:
        """Send a message of many frames."""
        for _ in range(count):
            self._socket.send(frame, zmq.SNDMORE, copy=len(frame) < 1000)
        self._socket.send(frame)

    def receive(self, timeout: float) -> Message | None:
        if not self._socket.poll(int(timeout * 1000)):
            return None
        header, *frames = self._socket.recv_multipart()
        return unpack(header), [bytearray(frame) for frame in frames]

    def close(self) -> None:
        self._socket.close(linger=0)

    def __enter__(self) -> Guest:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class ListeningDaemon(Daemon):
    """A daemon in the folder DREAMLAYER_HOME, with two computers that may dream there."""

    def __init__(self, home: Path) -> None:
        self.key = keys.make()
        self.guest, self.other_guest = new_key(), new_key()
        keys.allow("guest", self.guest.public.hex())
        keys.allow("dreamlayer", self.other_guest.public.hex())
        self.address = f"127.0.0.1:{free_port()}"
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        before = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = path
        try:
            super().__init__(home, self.address, program=LISTENING)
        finally:
            if before is None:
                del os.environ["PYTHONPATH"]
            else:
                os.environ["PYTHONPATH"] = before

    @property
    def memory(self) -> int:
        """Bytes of the daemon's memory."""
        size: int = psutil.Process(self.process.pid).memory_info().rss
        return size

    def kill(self) -> None:
        super().kill()
        self.context.destroy(linger=0)


@contextlib.contextmanager
def listening(home: Path) -> Iterator[ListeningDaemon]:
    daemon = ListeningDaemon(home)
    try:
        yield daemon
    finally:
        daemon.kill()
