"""Malformed answers: what a daemon that went mad says to a client's dream, or before it.

Each is an answer of the protocol with one thing broken.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any

from dreamlink.picture import DEPTHS, MAX_SIDE, ORDERS
from dreamlink.recipe.recipe import PARAMETERS
from dreamlink.wire.messages import HEADER_MAX, PROTOCOL, pack
from tests.fuzz.values import TEXTS, anything, unlike

Message = list[bytes]
PROOF = "proof".ljust(64, "-")  # stands for the proof that the client's nonce calls for
HELLO = {"op": "hello", "protocol": PROTOCOL, "version": "0", "pid": 1, "proof": PROOF}
ANSWER_SIZE = 12  # bytes of the result that the client expects: 2 × 2 pixels, RGB


def unreadable(random: Random) -> Message:  # noqa: PLR0911 - a list of cases
    """A message whose header is none."""
    kind = random.randrange(6)
    if kind == 0:  # cut off
        good = pack(progress())
        return [good[: random.randrange(len(good))]]
    if kind == 1:
        return [random.choice((b"\xdf", b"\xdd", b"\xdb", b"\xc6")) + b"\xff" * 4 + b"\x01\x02"]
    if kind == 2:
        return [random.choice((b"\x91", b"\x81\xa1a")) * random.randint(600, 3000) + b"\xc0"]
    if kind == 3:
        return [pack({"": unlike(random, lambda v: isinstance(v, dict))})[2:], b"pixels"]
    if kind == 4:
        return [pack({"op": unlike(random, lambda v: isinstance(v, str)), "id": "x"})]
    if random.random() < 0.01:
        return [bytes(HEADER_MAX + 1)]
    return [b"\xc1" + random.randbytes(random.randrange(60))]


def hello(random: Random) -> Message:
    """An answer to hello that is none, or another protocol's."""
    if random.random() < 0.5:
        return unreadable(random)
    fields: dict[str, Any] = dict(HELLO)
    if random.random() < 0.3:
        fields["op"] = random.choice(("dream", "status", *TEXTS))
    elif random.random() < 0.3:
        del fields["protocol"]
    else:
        fields["protocol"] = unlike(random, lambda v: v == PROTOCOL)
    fields["version"] = anything(random)
    return [pack(fields)]


def progress() -> dict[str, Any]:
    return {
        "op": "progress", "fraction": 0.5, "octave": 1, "octaves": 4, "step": 3, "steps": 10,
        "remaining": 1.5,
    }  # fmt: skip


def done() -> dict[str, Any]:
    return {
        "op": "done", "seconds": 1.0, "device": "cpu", "seed": 3, "recipe": {"seed": 3},
        "megapixel_steps": 0.5, "gain": None,
    }  # fmt: skip


def header(random: Random) -> tuple[dict[str, Any], list[bytes]]:
    """An answer that says what can't be."""
    kind = random.randrange(6)
    if kind == 0:
        names = ("dream", "stop", "eval", "__class__", "Done", "done ")
        return {"op": random.choice((*names, *TEXTS))}, []
    if kind == 1:
        return {"op": "queued", "ahead": unlike(random, _whole)}, []
    if kind == 2:
        texts = (None, "", "  ", 0, b"no", ["no"], {"no": 1}, math.nan)
        return {"op": "error", "text": random.choice(texts)}, []
    if kind == 3:
        fields = done()
        name = random.choice(("seconds", "recipe", "device", "seed", "megapixel_steps", "gain"))
        fields[name] = unlike(random, _FITS[name])
        return fields, [bytes(ANSWER_SIZE)]
    if kind == 4:
        fields = done()
        name = random.choice((*TEXTS, "Octaves", *PARAMETERS))
        fields["recipe"] = {name: random.choice((math.nan, -(2**63), [], None, b"x"))}
        return fields, [bytes(ANSWER_SIZE)]
    fields = progress()
    name = random.choice(("fraction", "octave", "octaves", "step", "steps", "remaining", "text"))
    fields[name] = unlike(random, _FITS[name])
    return fields, []


def geometry(random: Random) -> tuple[dict[str, Any], list[bytes]]:
    """An answer whose pixels are not what they are said to be."""
    kind = random.randrange(5)
    if kind in (0, 4):  # the result, or the pixels so far: none, too little, too much, several
        sizes = (
            [], [0], [ANSWER_SIZE - 1], [ANSWER_SIZE + 1], [ANSWER_SIZE, 0], [ANSWER_SIZE] * 2,
            [random.randrange(ANSWER_SIZE)], [random.randint(ANSWER_SIZE + 1, 5000)],
            [1] * ANSWER_SIZE,
        )  # fmt: skip
        fields = {**progress(), "live": True} if kind else done()
        return fields, [bytes(size) for size in random.choice(sizes)]
    layout: dict[str, Any] = {"width": 2, "height": 3, "depth": "U8", "order": "RGB"}
    frames = [bytes(18)]
    if kind == 1:  # a preview's layout
        name = random.choice((*layout, "curve"))
        known = {"depth": DEPTHS, "order": ORDERS, "curve": ("srgb", "linear")}.get(name, ())
        layout[name] = unlike(random, lambda v: isinstance(v, str) and v in known)
        if name in ("width", "height"):
            layout[name] = random.choice((0, -1, MAX_SIDE + 1, 2**63, 4, 1.0, "2", None, math.nan))
    elif kind == 2:  # a preview's pixels
        sizes = ([], [17], [19], [18, 18], [0], [random.randint(19, 3000)])
        frames = [bytes(size) for size in random.choice(sizes)]
    else:  # pixels of nothing
        fields = progress()
        if random.random() < 0.5:
            fields["preview"] = unlike(random, lambda v: isinstance(v, dict))
        return fields, frames
    return {**progress(), "preview": layout}, frames


def _whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value >= 0


def _from_one(value: Any) -> bool:
    return type(value) is int and value >= 1


_FITS = {
    "seconds": _number,
    "recipe": lambda value: isinstance(value, dict),
    "device": lambda value: isinstance(value, str),
    "seed": _whole,
    "megapixel_steps": lambda value: value is None or _number(value),
    "gain": lambda value: value is None or _number(value),
    "fraction": lambda value: _number(value) and value <= 1,
    "octave": _from_one,
    "octaves": _from_one,
    "step": _from_one,
    "steps": _from_one,
    "remaining": lambda value: value is None or _number(value),
    "text": lambda value: isinstance(value, str),
}
