"""Who a connection belongs to, and how much of each limit everybody may use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

ONE_GUEST, ALL_GUESTS = 4, 2  # a guest may use a quarter of a limit, all guests together half


class Principal(NamedTuple):
    """The user of this computer, or the holder of a key that the user has allowed (a guest).

    Attributes:
        user_id: what ZAP attaches to every message of a connection: "local", or "key:" and the
            digits of the public key. The name under which a key is allowed is no part of it, so
            no name makes a guest somebody else.
    """

    user_id: str

    @property
    def is_local(self) -> bool:
        """Whether this is the user of this computer."""
        return self == LOCAL_USER


class Peer(NamedTuple):
    """A connection: its name in libzmq, and whose it is."""

    routing_id: bytes
    principal: Principal


LOCAL_USER = Principal("local")


def guest(key: bytes) -> Principal:
    """The holder of a public key."""
    return Principal(f"key:{key.hex()}")


def share(limit: int, principal: Principal) -> int:
    """How much of a limit one principal may use: the local user all of it, a guest a quarter."""
    if principal.is_local or not limit:
        return limit
    return max(1, limit // ONE_GUEST)


def room(limit: int, principal: Principal, used: Mapping[Principal, int]) -> int:
    """How much of a limit is left for a principal; negative if it uses too much.

    What guests use is not taken from the local user, who always has the whole limit.
    """
    left = share(limit, principal) - used.get(principal, 0)
    if principal.is_local:
        return left
    guests = sum(amount for who, amount in used.items() if not who.is_local)
    return min(left, max(share(limit, principal), limit // ALL_GUESTS) - guests)
