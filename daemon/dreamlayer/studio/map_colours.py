"""Which colour of a dream map means which region: a table of all colours, in steps of 8 levels.

A colour belongs to the bound one that it is near. One between two bound colours, as at soft or
smoothed edges, belongs to both. What is far from all bound colours belongs to none.
"""

from __future__ import annotations

import functools
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Weights = NDArray[np.uint8]  # (colours, regions), 255ths; their sum is how much is dreamed there

STEPS = 32  # of each channel in the table: more would take time in each first quick look
NEAR = 40.0  # levels of 255: colours so near to a bound one are it, for noise and compression
FAR = 80.0  # levels; colours so far from all bound ones, and from lines between two, are none
SHORT = 0.1  # a shorter line between two colours wins if it is not further away by this share of it
FLAT = 0.25  # of all mixtures: what a colour has that is an area of its own, not an edge
FLAT_LEAST = 0.002  # of the map


@functools.lru_cache(maxsize=4)
def colour_table(colours: tuple[Colour, ...]) -> Weights:
    """The weights of each region (STEPS³, R) for all colours; row r · STEPS² + g · STEPS + b."""
    bound = np.array(colours, np.float32)
    every = _centres()
    best = np.full(len(every), np.inf, np.float32)
    away = np.full(len(every), np.inf, np.float32)
    weights = np.zeros((len(every), len(colours)), np.float32)
    for number, colour in enumerate(bound):
        distance = np.linalg.norm(every - colour, axis=1)
        nearer = distance < best
        best[nearer], away[nearer] = distance[nearer], distance[nearer]
        weights[nearer] = np.eye(len(colours), dtype=np.float32)[number]
    for one, other in combinations(range(len(colours)), 2):
        line = bound[other] - bound[one]
        length = float(np.linalg.norm(line))
        along = np.clip((every - bound[one]) @ line / length**2, 0, 1)
        distance = np.linalg.norm(every - bound[one] - along[:, None] * line, axis=1)
        ends = min(NEAR, length / 3) / length  # near its ends a line's colours are not mixed
        share = np.clip((along - ends) / (1 - 2 * ends), 0, 1)
        cost = distance + SHORT * length
        nearer = (cost < best) & (share > 0) & (share < 1)
        best[nearer], away[nearer] = cost[nearer], distance[nearer]
        weights[nearer] = 0
        weights[nearer, one], weights[nearer, other] = 1 - share[nearer], share[nearer]
    amount = np.clip((FAR - away) / (FAR - NEAR), 0, 1)
    table: Weights = np.rint(weights * amount[:, None] * 255).astype(np.uint8)
    table[:, -1] = np.where(
        weights[:, -1] > 0, np.rint(amount * 255) - table[:, :-1].sum(axis=1), table[:, -1]
    )
    table.flags.writeable = False
    return table


def without_flat_mixtures(table: Weights, counts: NDArray[np.int64]) -> Weights:
    """The table for a map with so many pixels of each colour.

    A mixture that is an area of its own, say unbound purple beside red and blue, is no edge
    between them: nothing is bound to it.
    """
    mixed = (table > 0).sum(axis=1) > 1
    among = counts * mixed
    flat = among > max(FLAT * among.sum(), FLAT_LEAST * counts.sum())
    if not flat.any():
        return table
    table, every = table.copy(), _centres()
    for colour in every[flat]:
        table[mixed & (np.linalg.norm(every - colour, axis=1) < NEAR)] = 0
    return table


def _centres() -> NDArray[np.float32]:
    """The colour in the middle of each of the table's steps, (STEPS³, 3), in levels of 255."""
    levels = (np.arange(STEPS, dtype=np.float32) + 0.5) * (256 / STEPS) - 0.5
    planes = np.meshgrid(levels, levels, levels, indexing="ij")
    return np.stack([plane.ravel() for plane in planes], axis=1)
