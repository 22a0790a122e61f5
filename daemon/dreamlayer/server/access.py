"""Who may connect, and that there is one daemon per user."""

from __future__ import annotations

import hmac
import secrets
import time

import zmq
from filelock import BaseFileLock, FileLock, Timeout

from dreamlink import discovery
from dreamlink.client import USER

LOCK_FILE = "daemon.lock"
PATIENCE = 20.0  # seconds to wait for a daemon that is just starting or stopping


class AlreadyRunning(Exception):
    """Another daemon of this user runs; the text says so, with its process number."""


def claim() -> BaseFileLock:
    """Become this user's daemon: the lock, held until this process ends.

    Raises:
        AlreadyRunning: another daemon holds it.
        OSError: Dreamlayer's folder can't be written.
    """
    discovery.home().mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(discovery.home() / LOCK_FILE)
    end = time.monotonic() + PATIENCE
    while True:
        try:
            lock.acquire(timeout=0.2)
        except Timeout:
            info = discovery.find()
            if info is not None:
                raise AlreadyRunning(
                    f"The Dreamlayer daemon is already running (process {info.pid})."
                ) from None
            if time.monotonic() > end:  # it neither publishes where it is nor goes away
                raise AlreadyRunning(
                    "Another Dreamlayer daemon is already running, but can't be reached."
                ) from None
        else:
            return lock


def new_token() -> str:
    """The password of this run; whoever can read the discovery file may connect."""
    return secrets.token_urlsafe(32)


class Doorkeeper:
    """Tells libzmq which connections may come in: those that know the token.

    ZAP is ZeroMQ's RFC 27, PLAIN its RFC 24. pyzmq's own authenticator needs an asyncio thread
    (which on Windows needs tornado) and logs passwords when debugging; this is all that is
    wanted of it.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], token: str) -> None:
        self._expected = (USER.encode(), token.encode())
        self.socket = context.socket(zmq.REP)
        self.socket.bind("inproc://zeromq.zap.01")

    def answer(self) -> None:
        """Answer one question of libzmq's; to be called when `socket` is readable."""
        version, request, _domain, _address, _identity, mechanism, *given = (
            self.socket.recv_multipart(zmq.DONTWAIT)
        )
        known = mechanism == b"PLAIN" and len(given) == len(self._expected)
        for word, expected in zip(given, self._expected, strict=False):
            known &= hmac.compare_digest(word, expected)
        status = [b"200", b"OK", USER.encode()] if known else [b"400", b"Wrong token", b""]
        self.socket.send_multipart([version, request, *status, b""])

    def close(self) -> None:
        self.socket.close(linger=0)
