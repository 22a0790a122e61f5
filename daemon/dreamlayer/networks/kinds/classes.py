"""Which of ImageNet's 1000 classes make up a kind, by their numbers.

Names are those that people use. `KINDS` are the kinds that a person recognised in painted dreams of
a sunset and of a cup of coffee; tried and left out, as they gave fur, spots or walls: cats, big
cats, wolves, bears, butterflies, shells, mushrooms, flowers, buildings, boats, cars, fabrics,
armour, clocks. A network recognises many of these in a photo nevertheless: `SEEN` are kinds that
`see` names but that are not offered for dreaming.
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

SEEN: dict[str, tuple[int, ...]] = {
    "cats": _numbers(range(281, 286)),
    "big cats": _numbers(range(286, 294)),
    "bears": _numbers(range(294, 298)),
    "wolves and foxes": _numbers(range(269, 281)),
    "butterflies": _numbers(range(321, 327)),
    "mushrooms": _numbers(range(991, 998)),
    "boats": _numbers(472, 484, 510, 554, 576, 625, 628, 724, 780, 814, 833, 871, 914),
    "cars and lorries": _numbers(
        407, 436, 468, 511, 555, 569, 609, 627, 656, 661, 675, 717, 734, 751, 817, 864, 867
    ),
    "aircraft": _numbers(403, 404, 405, 417, 895, 908),
    "buildings": _numbers(425, 449, 483, 498, 580, 598, 624, 660, 663, 668, 698, 832),
    "crockery": _numbers(441, 504, 505, 809, 899, 925, 967, 968),
    "furniture": _numbers(423, 453, 516, 526, 532, 559, 564, 765, 831, 857),
    "musical instruments": _numbers(
        401, 402, 420, 486, 494, 541, 546, 558, 566, 579, 593, 641, 642, 683, 684, 687, 699, 776,
        875, 881, 889,
    ),
}  # fmt: skip
