"""Keys for dreaming on another computer: this computer's pair, and the public keys it allows.

They are CURVE keys (ZeroMQ's RFC 26), made by libzmq. Users see a public key as 64 hexadecimal
digits, which need no quoting in any shell.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import zmq
from zmq.utils import z85

from dreamlink.client import discovery, private_files

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
HEX = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
OWN_FILE = "key.json"
ALLOWED_FILE = "allowed.json"


class KeysError(ValueError):
    """Something is wrong with a key; the text is one sentence."""


@dataclass(frozen=True)
class KeyPair:
    """A computer's key pair, each 32 bytes. The secret key never leaves the computer."""

    public: bytes
    secret: bytes

    def __repr__(self) -> str:  # the secret must not get into a log
        return f"KeyPair({self.public.hex()})"


def make() -> KeyPair:
    """Make a new key pair for this computer, replacing an existing one."""
    public, secret = (z85.decode(key) for key in zmq.curve_keypair())
    text = json.dumps({"public": public.hex(), "secret": secret.hex()})
    private_files.write(_path(OWN_FILE), text)
    return KeyPair(public, secret)


def own() -> KeyPair | None:
    """This computer's key pair, or None if it has none yet; raises KeysError."""
    values = _read(OWN_FILE)
    if values is None:
        return None
    public, secret = key_of(values.get("public")), key_of(values.get("secret"))
    if z85.decode(zmq.curve_public(z85.encode(secret))) != public:
        raise KeysError(_damaged(OWN_FILE))
    return KeyPair(public, secret)


def allowed() -> dict[str, bytes]:
    """The computers that may dream here: names and public keys. Raises KeysError."""
    return {name: key_of(key) for name, key in (_read(ALLOWED_FILE) or {}).items()}


def allow(name: str, key: str) -> None:
    """Let the computer with this public key dream here; raises KeysError."""
    if not NAME.fullmatch(name):
        raise KeysError(
            f"A name has up to 64 letters, digits and - _ . and starts with a letter or digit;"
            f" {name!r:.80} does not."
        )
    computers = allowed()
    value = key_of(key)
    for other, other_key in computers.items():
        if other_key == value and other != name:
            raise KeysError(f"This key is already allowed, under the name {other}.")
    _write_allowed({**computers, name: value})


def remove(name: str) -> None:
    """No longer allow the computer called `name`; raises KeysError."""
    computers = allowed()
    if name not in computers:
        names = ", ".join(computers) or "none"
        raise KeysError(f"No computer called {name!r:.80} is allowed. Allowed computers: {names}.")
    del computers[name]
    _write_allowed(computers)


def name_of(key: bytes) -> str | None:
    """The name under which a public key is allowed; None if it is not.

    The file is read each time, so that a removed computer is refused from then on.
    """
    try:
        return next((name for name, value in allowed().items() if value == key), None)
    except (KeysError, OSError):
        return None


def key_of(text: object) -> bytes:
    """A key's 32 bytes from its digits; raises KeysError."""
    if not isinstance(text, str) or not HEX.fullmatch(text.strip()):
        raise KeysError(
            "A key has 64 hexadecimal digits, as `dreamlayer keys show` prints it on the other"
            f" computer; {text!r:.80} is not one."
        )
    return bytes.fromhex(text.strip())


def _write_allowed(computers: dict[str, bytes]) -> None:
    text = json.dumps({name: key.hex() for name, key in computers.items()}, indent=1)
    private_files.write(_path(ALLOWED_FILE), text)


def _path(name: str) -> Path:
    return private_files.make_private(private_files.make_private(discovery.home()) / "keys") / name


def _read(name: str) -> dict[str, object] | None:
    path = _path(name)
    try:
        values = json.loads(private_files.read(path))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise KeysError(_damaged(name)) from error
    if not isinstance(values, dict):
        raise KeysError(_damaged(name))
    return values


def _damaged(name: str) -> str:
    again = "make a new key: dreamlayer keys make" if name == OWN_FILE else "allow the keys again"
    return f"{_path(name)} is damaged: delete it and {again}"
