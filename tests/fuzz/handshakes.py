"""Malformed beginnings of a connection, from either side: greetings and commands.

Every case is wrong by construction: what is broken is something that the other side has to
look at, so that it must refuse. What is only unusual (bits that ZMTP reserves) is not made.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

from tests.fuzz import wire

STRANGERS = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /api HTTP/1.1\r\nOrigin: http://example.com\r\nContent-Length: 2\r\n\r\n{}",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60),  # TLS
    b"SSH-2.0-OpenSSH_9.6\r\n" + bytes(60),
    b"\x00\x00\x00\x04ping" + bytes(60),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"*1\r\n$4\r\nPING\r\n",  # Redis
)


def noise(random: Random, most: int = 80) -> bytes:
    return random.randbytes(random.randint(0, most))


# Greetings. A server's and a client's differ in one byte, which neither looks at.


def greeting(random: Random) -> bytes:
    """64 bytes or more that are not a greeting of ZMTP 3 with PLAIN."""
    return random.choice(_GREETINGS)(random)


def _stranger(random: Random) -> bytes:
    return random.choice(STRANGERS) + noise(random)


def _random(random: Random) -> bytes:
    return bytes([random.randrange(0xFF)]) + random.randbytes(70)  # 0xFF begins a greeting


def _signature_end(random: Random) -> bytes:
    good = wire.greeting()
    return good[:9] + bytes([random.randrange(0, 256, 2)]) + good[10:]


def _old_version(random: Random) -> bytes:
    """ZMTP 1 and 2.0; libzmq takes a 2 for 3, as 2.0 calls itself 1."""
    good = wire.greeting()
    return good[:10] + bytes([random.randrange(2)]) + good[11:] + noise(random)


def _mechanism(random: Random) -> bytes:
    names = (b"NULL", b"CURVE", b"GSSAPI", b"", b"plain", b"PLAINX", b"PLAI", b" PLAIN")
    name = random.choice((*names, random.randbytes(20)))
    return wire.greeting(name) if name != b"PLAIN" else wire.greeting(b"NULL")


def _mechanism_byte(random: Random) -> bytes:
    good = bytearray(wire.greeting())
    good[random.randrange(12, 32)] ^= 1 << random.randrange(8)
    return bytes(good)


_GREETINGS: tuple[Callable[[Random], bytes], ...] = (
    _stranger, _random, _signature_end, _old_version, _mechanism, _mechanism_byte,
)  # fmt: skip


# A client's commands.


def client_commands(random: Random, token: bytes) -> list[bytes]:
    """What a client sends after the greeting, in turns: HELLO and INITIATE, one of them wrong."""
    if random.random() < 0.6:
        return [_bad_hello(random, token)]
    return [wire.hello(b"dreamlayer", token), _bad_initiate(random)]


def _bad_hello(random: Random, token: bytes) -> bytes:  # noqa: PLR0911 - a list of cases
    good = b"\x0adreamlayer" + bytes([len(token)]) + token
    kind = random.randrange(7)
    if kind == 0:  # another command
        names = (b"HELL", b"HELLOO", b"hello", b"INITIATE", b"READY", b"WELCOME", b"PING", b"")
        return wire.command(random.choice((*names, random.randbytes(9))), good)
    if kind == 1:  # cut off within
        return wire.command(b"HELLO", good[: random.randrange(len(good))])
    if kind == 2:  # more than announced
        return wire.command(b"HELLO", good + random.randbytes(random.randint(1, 300)))
    if kind == 3:  # lengths that lie
        return wire.command(b"HELLO", bytes([random.randint(11, 255)]) + good[1:])
    if kind == 4:
        return wire.command(b"HELLO", good[:11] + bytes([random.randint(len(token) + 1, 255)]))
    if kind == 5:  # a frame longer than any: 8 GiB and beyond
        return b"\x06" + struct.pack(">Q", random.randint((8 << 30) + 1, 2**64 - 1))
    # the right form, the wrong secret
    wrong = bytearray(token)
    wrong[random.randrange(len(wrong))] ^= random.randint(1, 255)
    user = random.choice((b"dreamlayer", b"root", b"", random.randbytes(20)))
    return wire.hello(user, random.choice((bytes(wrong), b"", token[:-1], token + b"x")))


def _bad_initiate(random: Random) -> bytes:
    kind = random.randrange(4)
    if kind == 0:
        return wire.metadata(random.choice((b"INITIAT", b"READY", b"HELLO", b"initiate", b"X")))
    if kind == 1:  # sockets that a ROUTER does not speak with
        sockets = (b"PUB", b"SUB", b"PUSH", b"PULL", b"PAIR", b"REP", b"XPUB", b"STREAM", b"\0")
        return wire.metadata(socket_type=random.choice((*sockets, random.randbytes(6))))
    if kind == 2:  # a property that ends too early
        good = b"\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"
        ends = [end for end in range(1, len(good)) if end not in (12, 16)]  # libzmq takes those
        return wire.command(b"INITIATE", good[: random.choice(ends)])
    length = random.choice((7, 255, 1 << 16, 2**31 - 1, 2**31, 2**32 - 1))
    return wire.command(b"INITIATE", b"\x0bSocket-Type" + struct.pack(">I", length) + b"DEALER")


# A server's commands and frames, as the client reads them.

WELCOME, READY = wire.command(b"WELCOME"), wire.metadata(b"READY", b"ROUTER")


def server_commands(random: Random) -> bytes:  # noqa: PLR0911 - a list of cases
    """All that a server sends after its greeting, with one command or frame wrong."""
    kind = random.randrange(8)
    if kind == 0:  # WELCOME or READY is another command
        wrong = wire.command(random.choice((b"WELCOM", b"HELLO", b"", random.randbytes(7))), b"x")
        return wrong if random.random() < 0.5 else WELCOME + wrong
    if kind == 1:  # a message where a command is due
        wrong = wire.frame(noise(random))
        return wrong if random.random() < 0.5 else WELCOME + wrong
    if kind == 2:  # refused
        return wire.command(random.choice((b"ERROR", b"RROR")), noise(random)).replace(
            b"\x04RROR", b"^RROR"
        )
    if kind == 3:  # a command longer than any
        return WELCOME + b"\x06" + struct.pack(">Q", random.randint((1 << 16) + 1, 2**64 - 1))
    if kind == 4:  # flags that are none, before or after the handshake
        flags = random.randint(8, 255)
        return (WELCOME + READY if random.random() < 0.5 else b"") + bytes([flags, 1, 0])
    if kind == 5:  # a frame longer than any
        length = random.choice((2**63, 2**64 - 1, random.randint((8 << 30) + 1, 2**64 - 1)))
        return WELCOME + READY + b"\x02" + struct.pack(">Q", length)
    if kind == 6:  # a message of too many frames
        return WELCOME + READY + wire.message([b"x"] * random.randint(65, 99))
    return WELCOME + READY + wire.message([b"y" * 300, b""]) * random.randint(1, 3)  # no header
