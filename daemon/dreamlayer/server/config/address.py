"""Addresses that people type: where to listen, and which other computer dreams."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

PORT = 17647  # unless one is given
PORT_MAX = 65535
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?", re.ASCII)
KEY = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
LISTEN = "Say where to listen as ADDRESS or ADDRESS:PORT, such as 192.168.1.5 or 192.168.1.5:17647"
REMOTE = "remote is ADDRESS:PORT/KEY, as `dreamlayer keys show` says it on the other computer"


class AddressError(ValueError):
    """An address that can't be; the text is one sentence."""


@dataclass(frozen=True)
class Address:
    """A host, by name or number, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def endpoint(self) -> str:
        """What libzmq calls it."""
        return f"tcp://{self}"


def listen_address(text: str) -> Address:
    """Where `--listen` says to listen: a number of this computer's, with a port or without.

    Raises AddressError. Names are refused: a name may stand for the wrong network.
    """
    host, port = _split(text.strip(), LISTEN)
    if not _is_number(host):
        raise AddressError(f"{LISTEN}; with numbers, not {text!r:.80}.")
    return Address(host, port)


def remote_address(text: str) -> tuple[Address, bytes]:
    """The other computer that the setting `remote` says, and its public key.

    Raises AddressError.
    """
    where, slash, key = text.strip().rpartition("/")
    host, port = _split(where.removeprefix("tcp://"), REMOTE)
    if not slash or not KEY.fullmatch(key) or not (_is_number(host) or HOST.fullmatch(host)):
        raise AddressError(f"{REMOTE}, not {text!r:.120}.")
    return Address(host, port), bytes.fromhex(key)


def _split(text: str, remedy: str) -> tuple[str, int]:
    if text.count(":") > 1 and not text.startswith("["):
        host, port = text, ""  # IPv6 without a port
    else:
        host, _, port = text.rpartition(":") if re.search(r":\d*$", text) else (text, "", "")
    host = host.removeprefix("[").removesuffix("]")
    if port and not (port.isdecimal() and port.isascii() and 1 <= int(port[:6]) <= PORT_MAX):
        raise AddressError(f"{remedy}; a port is 1 to {PORT_MAX}, not {port!r:.20}.")
    return host, int(port) if port else PORT


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
