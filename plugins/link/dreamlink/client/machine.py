"""Which machine this is: machines that share a home folder have a daemon each.

The daemon listens on 127.0.0.1, which is another one on each computer, in each container and in
each network namespace.
"""

from __future__ import annotations

import ctypes
import hashlib
import socket
import sys
from pathlib import Path


def identity() -> str:
    """16 hexadecimal digits that stand for this machine's 127.0.0.1; "" if that is unknown.

    On Linux they change when the system starts again, elsewhere they stay. Names of computers would
    not do there: containers have the same one, clones have the same machine-id, too.
    """
    try:
        name = _name()
    except (OSError, AttributeError):  # a sandbox that hides /proc
        return ""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _name() -> str:
    if sys.platform == "linux":
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/net').stat().st_ino}"
    if sys.platform == "darwin":  # where the computer's name changes with the network
        number, no_wait = ctypes.create_string_buffer(16), (ctypes.c_long * 2)()
        if ctypes.CDLL(None).gethostuuid(number, no_wait) != 0:
            raise OSError("the computer has no number")
        return number.raw.hex()
    return socket.gethostname()
