"""Which of ImageNet's 1000 classes make up a kind, by their numbers.

Names are those that people use. These are the kinds that a person recognised in painted dreams of a
sunset and of a cup of coffee; tried and left out, as they gave fur, spots or walls: cats, big cats,
wolves, bears, butterflies, shells, mushrooms, flowers, buildings, boats, cars, fabrics, armour,
clocks.
"""

from __future__ import annotations


def _numbers(*parts: int | range) -> tuple[int, ...]:
    found: set[int] = set()
    for part in parts:
        found.update((part,) if isinstance(part, int) else part)
    return tuple(sorted(found))


KINDS: dict[str, tuple[int, ...]] = {
    "dogs": _numbers(range(151, 269)),
    "hounds": _numbers(range(160, 179)),
    "terriers": _numbers(range(179, 205)),
    "monkeys": _numbers(range(365, 385)),
    "cattle and deer": _numbers(range(345, 354)),
    "furry animals": _numbers(range(330, 339), range(356, 365)),
    "birds": _numbers(range(7, 25), range(80, 101), range(127, 147)),
    "songbirds": _numbers(range(10, 21), range(92, 96)),
    "water birds": _numbers(range(97, 101), range(127, 147)),
    "parrots": _numbers(range(87, 91), 96),
    "frogs and newts": _numbers(range(25, 33)),
    "turtles": _numbers(range(33, 38)),
    "lizards": _numbers(range(38, 52)),
    "snakes": _numbers(range(52, 69)),
    "fish": _numbers(range(0, 7), range(389, 398)),
    "sea life": _numbers(range(0, 7), range(107, 127), range(147, 151), range(389, 398), 973),
    "spiders": _numbers(range(72, 79)),
    "beetles": _numbers(range(300, 308)),
    "fruit": _numbers(range(948, 958)),
    "towers": _numbers(437, 442, 449, 483, 497, 538, 663, 668, 682, 698, 832, 900),
    "landscapes": _numbers(970, 972, range(974, 981)),
}
