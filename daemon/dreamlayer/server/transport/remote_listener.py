"""The address where other computers may connect."""

from __future__ import annotations

from typing import NamedTuple

import zmq

from dreamlayer.server.config.address import Address
from dreamlayer.server.transport.keys import KeyPair

REMOTE = b"remote"  # ZAP's domain of connections from other computers
HEARTBEAT = 5000  # milliseconds between two heartbeats of another computer …
HEARTBEAT_TIMEOUT = 20000  # … and without one until its connection counts as lost


class RemoteListener(NamedTuple):
    """The address where other computers may connect, and the key pair that identifies this one."""

    address: Address
    pair: KeyPair


def listen_to_remotes(router: zmq.Socket[bytes], listening: RemoteListener) -> None:
    """Let other computers connect at an address, with CURVE and an allowed key only.

    libzmq reads a socket's options at the time of `bind`, so those set here don't apply to the
    loopback address, which was bound before.
    Raises OSError if the address can't be listened on.
    """
    router.setsockopt(zmq.CURVE_SERVER, 1)
    router.setsockopt(zmq.CURVE_SECRETKEY, listening.pair.secret)
    router.setsockopt(zmq.ZAP_DOMAIN, REMOTE)
    router.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT)
    router.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT)
    router.setsockopt(zmq.IPV6, int(":" in listening.address.host))
    try:
        router.bind(listening.address.endpoint)
    except zmq.ZMQError as error:
        raise OSError(
            f"Can't listen on {listening.address} ({error.strerror}): use an address of this"
            " computer and a free port."
        ) from error
