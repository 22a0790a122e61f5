"""Addresses that users type: where to listen, and which other computer dreams."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

PORT = 17647  # the default
PORT_MAX = 65535
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?", re.ASCII)
KEY = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
LISTEN = "The address to listen on is ADDRESS or ADDRESS:PORT, as 192.168.1.5 or 192.168.1.5:17647"
REMOTE = "remote is ADDRESS:PORT/KEY, as `dreamlayer keys show` prints it on the other computer"


class AddressError(ValueError):
    """An invalid address; the text is one sentence."""


@dataclass(frozen=True)
class Address:
    """A host, by name or number, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def endpoint(self) -> str:
        """The address in libzmq's notation."""
        return f"tcp://{self}"


def listen_address(text: str) -> Address:
    """The address that `--listen` gives: a numeric one of this computer, with or without a port.

    Raises AddressError. Host names are refused, as one may resolve to the wrong network.
    """
    host, port = _split(text.strip(), LISTEN)
    if not _is_number(host):
        raise AddressError(f"{LISTEN}: a number, not {text!r:.80}.")
    return Address(host, port)


def remote_address(text: str) -> tuple[Address, bytes]:
    """The address and the public key of the computer in the setting `remote`.

    Raises AddressError.
    """
    where, slash, key = text.strip().rpartition("/")
    host, port = _split(where.removeprefix("tcp://"), REMOTE)
    if not slash or not KEY.fullmatch(key) or not (_is_number(host) or HOST.fullmatch(host)):
        raise AddressError(f"{REMOTE}, not {text!r:.120}.")
    return Address(host, port), bytes.fromhex(key)


def _split(text: str, expected: str) -> tuple[str, int]:
    if text.count(":") > 1 and not text.startswith("["):
        host, port = text, ""  # IPv6 without a port
    else:
        host, _, port = text.rpartition(":") if re.search(r":\d*$", text) else (text, "", "")
    host = host.removeprefix("[").removesuffix("]")
    if port and not (port.isdecimal() and port.isascii() and 1 <= int(port[:6]) <= PORT_MAX):
        raise AddressError(f"{expected}; a port is 1 to {PORT_MAX}, not {port!r:.20}.")
    return host, int(port) if port else PORT


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
