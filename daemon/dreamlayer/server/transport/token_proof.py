"""The daemon's side of the proof that a client on this computer knows the token."""

from __future__ import annotations

import hmac
from collections import deque

from dreamlink.wire import proof

NONCE_DIGITS = 32
REMEMBERED = 1 << 14  # nonces, about 2 MB; only clients that know the token can add one


class TokenProof:
    """Checks what clients show, and answers their nonces.

    Args:
        token: the user's secret, new at each start.
        endpoint: where the daemon listens, as the discovery file says.
    """

    def __init__(self, token: str, endpoint: str) -> None:
        self._token = token
        self._endpoint = endpoint
        self._seen: set[str] = set()
        self._order: deque[str] = deque()

    def admits(self, password: bytes) -> bool:
        """Whether a PLAIN password comes from somebody who knows the token.

        A code that was shown before is refused: somebody may have overheard it. The token itself
        is accepted as well. Plug-ins of protocol 1 send it, and have to get as far as `hello` to
        be told that they are too old; a stranger who had it could compute any code.
        """
        nonce = password[:NONCE_DIGITS].decode("ascii", "replace")
        expected = proof.client_password(self._token, self._endpoint, nonce)
        proved = hmac.compare_digest(password, expected.encode("utf-8", "replace"))
        is_token = hmac.compare_digest(password, self._token.encode())
        return is_token or (proved and self._is_new(nonce))

    def answer(self, nonce: object) -> str | None:
        """The proof for the nonce of a client's `hello`; None if that is no nonce."""
        if not isinstance(nonce, str) or not proof.NONCE.fullmatch(nonce):
            return None
        return proof.daemon_proof(self._token, self._endpoint, nonce)

    def _is_new(self, nonce: str) -> bool:
        if nonce in self._seen:
            return False
        self._seen.add(nonce)
        self._order.append(nonce)
        if len(self._order) > REMEMBERED:
            self._seen.discard(self._order.popleft())
        return True
