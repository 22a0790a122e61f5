"""Malformed requests: headers and geometries that the daemon must answer with an error.

Each is a valid request with one thing broken, so that it comes as far as it can. What fits is
said here by the protocol's own words, not by the code that is tested.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

from dreamlink.picture import CURVES, DEPTHS, MAX_SIDE, ORDERS
from dreamlink.recipe.recipe import PARAMETERS, Parameter
from dreamlink.wire.chunks import FRAMES_MAX, LENGTH_MAX
from dreamlink.wire.messages import GUIDE_MAX, QUICK_MAX, pack
from tests.fuzz.values import TEXTS, anything, unlike

Request = list[list[bytes]]  # a message with the header, and one for each piece of pixels
HEADER_TYPES = {
    "mask": bool, "clip": bool, "gain": bool, "quick": bool, "keep": bool, "preview": int,
    "device": str, "live": bool, "after": str, "carry": float, "zoom": float,
}  # fmt: skip
NOTHING = pack({"op": "cancel", "id": "nothing"})  # has no answer, and ends what came before it


def request(fields: dict[str, Any], frames: list[bytes]) -> Request:
    """A header that announces its frames, and the frames, none of which needs two pieces."""
    lengths = [len(data) for data in frames]
    head = pack({"frames": lengths, **fields} if frames else fields)
    return [[head], *([b"", data] for data in frames if data)]


def dream(random: Random) -> tuple[dict[str, Any], list[bytes]]:
    """A small valid dream: its header and its frames."""
    width, height = random.randint(1, 6), random.randint(1, 6)
    depth, order = random.choice(tuple(DEPTHS)), random.choice(tuple(ORDERS))
    frames = [bytes(width * height * DEPTHS[depth] * ORDERS[order])]
    header = {
        "op": "dream",
        "id": f"{random.getrandbits(64):016x}",
        "recipe": {"octaves": 2, "steps": 3, "seed": random.getrandbits(20)},
        "picture": {
            "width": width, "height": height, "depth": depth, "order": order,
            "curve": random.choice(CURVES),
        },
        "region": [0, 0, width, height],
        "mask": random.random() < 0.3,
        "clip": False,
        "guide": None,
        "edges": None,
        "preview": 0,
        "gain": False,
        "device": "auto",
        "strength": None,
        "live": random.random() < 0.3,
        "after": "",
        "carry": 0.0,
        "zoom": random.choice((1.0, 1.0, 1.03, 2.0)),
    }  # fmt: skip
    if header["mask"]:
        frames.append(bytes(width * height))
    if random.random() < 0.3:
        depth, order = random.choice(tuple(DEPTHS)), random.choice(tuple(ORDERS))
        header["strength"] = {"width": width, "height": height, "depth": depth, "order": order}
        frames.append(bytes(width * height * DEPTHS[depth] * ORDERS[order]))
    if random.random() < 0.3:
        header |= {"after": f"{random.getrandbits(64):016x}", "carry": random.random()}
    return header, frames


# Headers: what is said is wrong.


def header(random: Random) -> Request:
    return random.choice(_HEADERS)(random)


def _not_msgpack(random: Random) -> Request:
    kind = random.randrange(5)
    if kind == 0:  # cut off
        good = pack(dream(random)[0])
        return [[good[: random.randrange(len(good))]]]
    if kind == 1:  # something behind it
        return [[pack({"op": "status", "id": "x"}) + random.randbytes(random.randint(1, 30))]]
    if kind == 2:  # lengths that lie: a map, list, text or bytes of 4 billion
        return [[random.choice((b"\xdf", b"\xdd", b"\xdb", b"\xc6")) + b"\xff" * 4 + b"\x01\x02"]]
    if kind == 3:  # deep
        return [[random.choice((b"\x91", b"\x81\xa1a")) * random.randint(600, 5000) + b"\xc0"]]
    return [[b"\xc1" + random.randbytes(random.randrange(60))]]  # never used by msgpack


def _not_a_map(random: Random) -> Request:
    value = unlike(random, lambda v: isinstance(v, dict))
    return [[pack({"": value})[2:]]]  # behind the map's head and its empty key


def _no_op(random: Random) -> Request:
    fields: dict[str, Any] = {"id": "x", "recipe": {}}
    if random.random() < 0.7:
        fields["op"] = unlike(random, lambda v: isinstance(v, str))
    return [[pack(fields)]]


def _unknown_op(random: Random) -> Request:
    names = ("Hello", "dreams", "eval", "exec", "__init__", "shutdown", "pickle", "queued", "done")
    op = random.choice((*names, *TEXTS, str(random.random())))
    return request({"op": op, "id": "x"}, [b"z"] * random.randrange(3))


def _bad_id(random: Random) -> Request:
    fields, frames = dream(random)
    fields["id"] = unlike(random, lambda v: isinstance(v, str) and len(v) <= 100)
    fields["op"] = random.choice(("dream", "status", "cancel", "models", "blend", "layers"))
    return request(fields, frames)


def _bad_keys(random: Random) -> Request:
    key = random.choice((b"\x01", b"\xc0", b"\xcb" + bytes(8), b"\xc3"))  # 1, nil, 0.0, true
    return [[b"\x83" + key + b"\x01\xa2op\xa6status\xa2id\xa1x"]]


def _too_long(random: Random) -> Request:
    return [[pack({"op": "status", "id": "x", "more": bytes((1 << 20) + random.randrange(9))})]]


def _bad_recipe(random: Random) -> Request:
    fields, frames = dream(random)
    kind = random.randrange(4)
    if kind == 0:
        fields["recipe"] = unlike(random, lambda v: isinstance(v, dict))
    elif kind == 1:
        name = random.choice((*TEXTS, "octave", "Steps", "__class__", "to_dict"))
        fields["recipe"] = {name: anything(random)}
    else:
        name = random.choice(tuple(PARAMETERS))
        fields["recipe"] |= {name: _wrong(random, PARAMETERS[name])}
    if random.random() < 0.1:
        fields["op"], fields["of"], frames = "blend", fields["id"], []
    return request(fields, frames)


def _wrong(random: Random, row: Parameter) -> Any:
    """A value that a parameter of the recipe can't have."""
    if row.kind is bool:
        return unlike(random, lambda v: isinstance(v, bool))
    if row.choices:
        return unlike(random, lambda v: isinstance(v, str) and v in row.choices)
    if row.kind is str:
        return unlike(random, lambda v: isinstance(v, str))
    low, high = row.minimum, row.maximum
    assert low is not None
    assert high is not None

    def fits(value: Any) -> bool:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and (not math.isnan(value)) and low <= value <= high

    if random.random() < 0.3:
        return random.choice((low - 1, high + 1, high * 2 + 1, math.nan, math.inf, -math.inf))
    return unlike(random, fits)


def _bad_field(random: Random) -> Request:
    fields, frames = dream(random)
    name = random.choice(tuple(HEADER_TYPES))
    kind = HEADER_TYPES[name]
    fields[name] = unlike(random, lambda v: type(v) is kind)
    if name == "preview" and random.random() < 0.5:
        fields[name] = random.choice((-1, 4097, 2**31, 2**63))
    if name == "device" and random.random() < 0.3:
        fields[name] = "c" * 101
    if name == "after" and random.random() < 0.3:
        fields[name] = "a" * 101
    if name == "carry" and random.random() < 0.5:
        fields |= {"after": "", "carry": random.choice((1.0, 0.01, 1e-320))}
    elif name in ("carry", "zoom") and random.random() < 0.5:
        fields["after"] = "another"
        fields[name] = random.choice((-0.01, 2.001, 1e308, math.inf, -math.inf, math.nan))
    if name == "keep" and random.random() < 0.5:
        fields |= random.choice(({"keep": True, "id": "short"}, {"keep": True, "quick": True}))
    return request(fields, frames)


def _bad_layers(random: Random) -> Request:
    return [[pack({"op": "layers", "id": "x", "model": unlike(random, lambda v: v == "fake")})]]


def _bad_blend(random: Random) -> Request:
    of = f"{random.getrandbits(64):016x}"  # another each time: a newer one cancels an older one
    fields: dict[str, Any] = {"op": "blend", "id": "x", "of": of, "recipe": {}}
    if random.random() < 0.5:
        fields["of"] = unlike(random, lambda v: isinstance(v, str))
    return [[pack(fields)]]


def _bad_see(random: Random) -> Request:
    """A look at a picture with one field that can't be, or pixels that do not fit."""
    width, height = random.randint(1, 40), random.randint(1, 40)
    fields: dict[str, Any] = {
        "op": "see", "id": "x", "region": [0, 0, width, height], "mask": False, "model": "fake",
        "picture": {"width": width, "height": height, "depth": "U8", "order": "G"},
        "layers": ["1"], "count": 3,
    }  # fmt: skip
    kinds = {"region": list, "mask": bool, "model": str, "picture": dict, "layers": list}
    name = random.choice((*kinds, "count", "frames"))
    if name == "count":
        fields[name] = random.choice((0, -1, 65, 2**63, True, 3.0, "3", None, []))
    elif name != "frames":
        fields[name] = unlike(random, lambda v: isinstance(v, kinds[name]))
    return request(fields, [bytes(width * height + (name == "frames"))])


def _bad_looks(random: Random) -> Request:
    """Looks with one field that can't be, a recipe that is none, or pixels that do not fit."""
    width, height = random.randint(1, 40), random.randint(1, 40)
    fields: dict[str, Any] = {
        "op": "looks", "id": f"{random.getrandbits(64):016x}", "mask": False, "reduced": 2.0,
        "region": [0, 0, width, height], "recipes": [{"steps": 3}] * random.randint(1, 9),
        "picture": {"width": width, "height": height, "depth": "U8", "order": "G"},
    }  # fmt: skip
    kinds = {"region": list, "mask": bool, "picture": dict, "recipes": list, "reduced": float}
    name = random.choice((*kinds, "recipe", "side", "frames"))
    if name == "recipe":
        row = PARAMETERS[random.choice(tuple(PARAMETERS))]
        wrong = random.choice(({row.name: _wrong(random, row)}, unlike(random, _is_dict)))
        fields["recipes"] = [*fields["recipes"][:8], wrong]
    elif name == "side":
        fields["picture"]["width"] = random.choice((0, 385, 2**31, 2**63))
    elif name != "frames":
        fields[name] = unlike(random, lambda v: isinstance(v, kinds[name]))
        if name == "recipes" and random.random() < 0.5:
            fields[name] = [{}] * random.choice((0, 10, 500))
        if name == "reduced" and random.random() < 0.5:
            fields[name] = random.choice((0.0, -1.0, 1e308, math.inf, math.nan))
    return request(fields, [bytes(width * height + (name == "frames"))])


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


_HEADERS: tuple[Callable[[Random], Request], ...] = (
    _not_msgpack, _not_a_map, _no_op, _unknown_op, _bad_id, _bad_keys, _bad_layers, _bad_blend,
    _bad_see, _bad_looks,
    *(_bad_recipe,) * 6, *(_bad_field,) * 3,
)  # fmt: skip


# Geometries: sizes, places and lengths that do not go together.


def geometry(random: Random) -> Request:
    if random.random() < 0.2:
        return random.choice(_TRANSPORTS)(random)
    fields, frames = dream(random)
    random.choice(_GEOMETRIES)(random, fields, frames)
    return request(fields, frames)


def _cut_short(random: Random) -> Request:
    """Fewer pixels than announced."""
    fields, frames = dream(random)
    whole = request(fields, frames)
    if random.random() < 0.5:
        return [*whole[:-1], [NOTHING]]
    last = whole[-1][1]
    return [*whole[:-1], [b"", last[: random.randrange(len(last))]], [NOTHING]]


def _too_much(random: Random) -> Request:
    """More pixels than announced, or than any request announces."""
    fields, frames = dream(random)
    whole = request(fields, frames)
    place = random.randint(1, len(whole) - 1)
    whole[place] = [b"", whole[place][1] + b"z" * random.randint(1, 300)]
    return random.choice((whole, [[NOTHING], [b"", b"stray"]]))


def _many_frames(random: Random) -> Request:
    """A header and its pixels in one message, as of old."""
    fields, frames = dream(random)
    return [[pack(fields), *frames, *([b"more"] * random.randrange(70))]]


def _announced(random: Random) -> Request:
    """What is announced is not lengths, or not those of the picture."""
    fields, frames = dream(random)
    lengths = [len(data) for data in frames]
    wrong = (
        [lengths[0] + 1], [0], [-1], [2**63], [LENGTH_MAX + 1], [LENGTH_MAX], lengths * 2,
        lengths * (FRAMES_MAX + 1), [True], ["1"], [1.0], [None], {}, "1", lengths[0],
        unlike(random, lambda v: isinstance(v, list)),
    )  # fmt: skip
    fields["frames"] = random.choice(wrong)
    return request(fields, frames)


def _picture(random: Random, fields: dict[str, Any], frames: list[bytes]) -> None:
    picture = fields["picture"]
    kind = random.randrange(4)
    if kind == 0:
        fields["picture"] = unlike(random, lambda v: isinstance(v, dict))
    elif kind == 1:
        del picture[random.choice(("width", "height"))]
    elif kind == 2:
        picture[random.choice(TEXTS)] = anything(random)
    else:
        name = random.choice(tuple(picture))
        known = {"depth": DEPTHS, "order": ORDERS, "curve": CURVES}.get(name, ())
        picture[name] = unlike(random, lambda v: isinstance(v, str) and v in known)
        if name in ("width", "height"):
            picture[name] = unlike(random, lambda v: type(v) is int and 1 <= v <= MAX_SIDE)


def _sizes(random: Random, fields: dict[str, Any], frames: list[bytes]) -> None:
    """More than was sent, up to sizes that no computer can hold."""
    side = random.choice((7, 1 << 10, 1 << 16, MAX_SIDE, MAX_SIDE + 1, 2**31, 2**32, 2**63))
    for name in random.choice((("width",), ("height",), ("width", "height"))):
        fields["picture"][name] = side
    if random.random() < 0.5:
        fields["region"] = [0, 0, fields["picture"]["width"], fields["picture"]["height"]]


def _region(random: Random, fields: dict[str, Any], frames: list[bytes]) -> None:
    width, height = fields["picture"]["width"], fields["picture"]["height"]
    kind = random.randrange(4)
    if kind == 0:
        fields["region"] = unlike(random, lambda v: isinstance(v, list) and len(v) == 4)
    elif kind == 1:
        region = [0, 0, width, height][: random.randrange(4)]
        fields["region"] = region + [0] * random.choice((0, 5))
    elif kind == 2:
        fields["region"][random.randrange(4)] = unlike(random, lambda v: type(v) is int)
    else:
        place = random.randrange(4)
        least = (width, height, width + 1, height + 1)[place]
        wrong = (random.randint(least, 99999), -random.randint(1, 99), 2**31, 2**63, -(2**63))
        fields["region"][place] = random.choice(wrong)


def _lengths(random: Random, fields: dict[str, Any], frames: list[bytes]) -> None:
    kind = random.randrange(5)
    if kind == 0:
        frames.clear()
    elif kind == 1:
        frames[0] = frames[0][: random.randrange(len(frames[0]))]
    elif kind == 2:
        frames[-1] += random.randbytes(random.randint(1, 500))
    elif kind == 3:
        frames.extend([b"more"] * random.randint(1, 70))
    else:
        fields["mask"] = not fields["mask"]


def _guide(random: Random, fields: dict[str, Any], frames: list[bytes]) -> None:
    if random.random() < 0.5:
        fields["guide"] = unlike(random, lambda v: v is None or isinstance(v, dict))
    else:
        sides = random.choice(((GUIDE_MAX + 1, 1), (1, GUIDE_MAX + 1), (2**63, 2), (0, 0), (4, 4)))
        fields["guide"] = {"width": sides[0], "height": sides[1], "depth": "U8", "order": "RGB"}


def _strength(random: Random, fields: dict[str, Any], frames: list[bytes]) -> None:
    """A map that is none, or not as large as the region."""
    if fields["strength"] is None or random.random() < 0.3:
        fields["strength"] = unlike(random, lambda v: v is None or isinstance(v, dict))
        return
    change = random.choice(
        ({"width": fields["picture"]["width"] + 1}, {"height": 0}, {"depth": "U9"}, {"more": 1})
    )
    fields["strength"] |= change


def _dream_map(random: Random, fields: dict[str, Any], frames: list[bytes]) -> None:
    """A map that is none, or far larger than the region."""
    if random.random() < 0.5:
        fields["map"] = unlike(random, lambda v: v is None or isinstance(v, dict))
    else:
        sides = random.choice(((5000, 5000), (2**63, 2), (0, 4), (3, 3)))
        fields["map"] = {"width": sides[0], "height": sides[1], "depth": "U8", "order": "RGB"}


def _zoom(random: Random, fields: dict[str, Any], frames: list[bytes]) -> None:
    """A part of a picture can't be enlarged about the middle of the whole."""
    picture = fields["picture"]
    picture |= {"width": 9, "height": 9, "depth": "U8", "order": "G"}
    fields |= {"region": [1, 1, 8, 8], "zoom": 1.5, "mask": False, "strength": None}
    frames[:] = [bytes(81)]


def _edges(random: Random, fields: dict[str, Any], frames: list[bytes]) -> None:
    fields["edges"] = unlike(random, lambda v: v is None)


def _clip(random: Random, fields: dict[str, Any], frames: list[bytes]) -> None:
    """Clipped to a mask where there is no alpha to put it in."""
    order = random.choice(("RGB", "G"))
    picture = fields["picture"]
    picture["order"], fields["clip"] = order, True
    frames[0] = bytes(
        picture["width"] * picture["height"] * ORDERS[order] * DEPTHS[picture["depth"]]
    )


def _quick(random: Random, fields: dict[str, Any], frames: list[bytes]) -> None:
    """A look ahead that is not small."""
    fields["quick"] = True
    fields["picture"] |= {"width": QUICK_MAX + 1, "height": 1, "depth": "U8", "order": "G"}
    fields |= {"region": [0, 0, QUICK_MAX + 1, 1], "mask": False, "strength": None}
    frames[:] = [bytes(QUICK_MAX + 1)]


_GEOMETRIES = (
    _picture, _sizes, _region, _lengths, _guide, _edges, _clip, _quick, _strength, _zoom,
    _dream_map,
)  # fmt: skip
_TRANSPORTS = (_cut_short, _too_much, _many_frames, _announced)
