"""How client and daemon prove to each other that they know the token, which neither of them sends.

Whoever listens on the daemon's port may be another user's program: the daemon's port is free again
when it was killed. So each side shows a code that only the token's owner can compute (HMAC-SHA256,
RFC 2104) from a number that the client draws anew for each connection (a nonce), and from the
address, so that what is shown at one port is worth nothing at another.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re

NONCE = re.compile(r"[0-9a-f]{32}", re.ASCII)


def new_nonce() -> str:
    """A random number that is used once: 32 hexadecimal digits."""
    return os.urandom(16).hex()


def client_password(token: str, endpoint: str, nonce: str) -> str:
    """What a client shows in the handshake, as PLAIN's password: the nonce and its code.

    96 hexadecimal digits; PLAIN allows 255 bytes.
    """
    return nonce + _code(token, "client", endpoint, nonce)


def daemon_proof(token: str, endpoint: str, nonce: str) -> str:
    """What the daemon answers to the nonce of `hello`: 64 hexadecimal digits."""
    return _code(token, "daemon", endpoint, nonce)


def proves(shown: object, token: str, endpoint: str, nonce: str) -> bool:
    """Whether what a daemon has shown, which may be anything, is its answer to the nonce."""
    expected = daemon_proof(token, endpoint, nonce)
    return isinstance(shown, str) and hmac.compare_digest(_bytes(shown), _bytes(expected))


def _code(token: str, side: str, endpoint: str, nonce: str) -> str:
    # The side is part of it, so that nobody can answer with what the other side has shown.
    text = f"dreamlayer {side} {endpoint} {nonce}"
    return hmac.new(_bytes(token), _bytes(text), hashlib.sha256).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # a damaged daemon.json may hold such text
