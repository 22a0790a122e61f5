"""The codes by which client and daemon prove that they know the token."""

from __future__ import annotations

import pytest

from dreamlink.wire import proof

NONCE = "0123456789abcdef" * 2
ENDPOINT = "tcp://127.0.0.1:4711"
CLIENT = "1246336d3635e62a2e543446d694446445e763524d07208b029e505b8bff2a69"
DAEMON = "a54e52a76e37a32100d4edd1e4bfcba0a433fa926efd27863fe0edf5a9a34411"


def test_the_codes_are_those_of_the_protocol() -> None:
    """Computed with OpenSSL: `printf TEXT | openssl dgst -sha256 -hmac token`."""
    shown = proof.client_password("token", ENDPOINT, NONCE)
    assert shown == NONCE + CLIENT
    assert proof.daemon_proof("token", ENDPOINT, NONCE) == DAEMON
    assert len(shown) <= 255  # PLAIN's limit


def test_a_nonce_is_new_each_time() -> None:
    nonces = {proof.new_nonce() for _ in range(1000)}
    assert len(nonces) == 1000
    assert all(proof.NONCE.fullmatch(nonce) for nonce in nonces)


def test_only_the_daemons_code_for_this_nonce_proves_anything() -> None:
    good = proof.daemon_proof("token", ENDPOINT, NONCE)
    assert proof.proves(good, "token", ENDPOINT, NONCE)
    others = (
        proof.daemon_proof("other", ENDPOINT, NONCE),
        proof.daemon_proof("token", ENDPOINT + "1", NONCE),
        proof.daemon_proof("token", ENDPOINT, proof.new_nonce()),
        proof.client_password("token", ENDPOINT, NONCE)[32:],
        good.upper(), good[:-1], good + "0", good.encode(), "", None, 0, True, [good], {good: good},
        "é" * 64, "\ud800",
    )  # fmt: skip
    for shown in others:
        assert not proof.proves(shown, "token", ENDPOINT, NONCE), shown


@pytest.mark.parametrize("token", ["", "é", "\ud800", "x" * 100_000])
def test_any_text_may_stand_where_the_token_does(token: str) -> None:
    assert len(proof.client_password(token, ENDPOINT, NONCE)) == 96
