"""Which of ImageNet's 1000 classes make up a kind, by their numbers.

Names are those that people use.
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
    "wolves and foxes": _numbers(range(269, 281)),
    "cats": _numbers(range(281, 294)),
    "big cats": _numbers(range(286, 294)),
    "bears": _numbers(range(294, 298), 387, 388),
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
    "butterflies": _numbers(range(321, 327)),
    "shells": _numbers(range(112, 118)),
    "fruit": _numbers(range(948, 958)),
    "mushrooms": _numbers(947, range(991, 998)),
    "flowers": _numbers(985, 986, 984, 946, 944, 883, 738),
    "towers": _numbers(437, 442, 449, 483, 497, 538, 663, 668, 682, 698, 832, 900),
    "buildings": _numbers(
        406,
        425,
        437,
        442,
        448,
        449,
        483,
        497,
        500,
        538,
        562,
        580,
        624,
        649,
        663,
        668,
        682,
        698,
        718,
        821,
        832,
        839,
        873,
        884,
        888,
        900,
    ),
    "boats": _numbers(472, 484, 510, 554, 576, 625, 628, 724, 780, 814, 871, 914),
    "cars": _numbers(436, 468, 511, 609, 627, 656, 661, 717, 751, 817),
    "landscapes": _numbers(970, 972, range(974, 981)),
    "fabrics": _numbers(474, 533, 539, 735, 741, 750, 775, 794, 824, 854, 885, 911),
    "armour": _numbers(461, 465, 490, 524, 570, 643, 715, 787, 796),
    "clocks and dials": _numbers(409, 426, 479, 530, 541, 577, 635, 685, 826, 892),
}
