"""Connections of principals, for tests without a daemon."""

from __future__ import annotations

from dreamlayer.server.transport.principal import LOCAL_USER, Peer, Principal, guest

GUEST, OTHER_GUEST = guest(b"g" * 32), guest(b"o" * 32)


def peer(name: str, principal: Principal = LOCAL_USER) -> Peer:
    """A connection of the local user, unless another principal is given."""
    return Peer(name.encode(), principal)
