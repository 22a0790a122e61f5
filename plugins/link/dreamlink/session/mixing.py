"""Several things that are seen, in one dream: a sum in which none drowns the others."""

from __future__ import annotations

from collections.abc import Sequence

from ..wire.seeing import SeenRow

MOST = 8  # in one mix: more can't be told apart in a dream
LEAST_WEIGHT, MOST_WEIGHT, WEIGHT_STEP = 0.1, 5.0, 0.1  # of the hosts' fields
WEIGHT_HELP = "How strongly this is dreamed, compared with the others"
OTHER_NETWORK = "A mix is of one network: {} is of {}, what is chosen already of {}."
TOO_MANY = "A mix has up to {} parts."


class CannotMix(ValueError):
    """The rows can't be dreamed at once; one sentence for the user."""


def mixed(parts: Sequence[tuple[SeenRow, float]]) -> str:
    """The expression that dreams rows of one network at once, as a recipe's `layer`.

    Each is divided by its loudness, so that equal weights are equally strong; the weights are then
    scaled so that the whole is as strong as the mean of its parts.

    Args:
        parts: rows and their weights, > 0; one to `MOST`.

    Raises:
        CannotMix: they are too many, or of several networks.
    """
    if len(parts) == 1:
        return parts[0][0].expression
    if len(parts) > MOST:
        raise CannotMix(TOO_MANY.format(MOST))
    first = parts[0][0]
    for row, _ in parts:
        if row.model != first.model:
            raise CannotMix(OTHER_NETWORK.format(row.name, row.model, first.model))
    scaled = [weight / row.loudness for row, weight in parts]
    mean = sum(scaled) / len(scaled)
    return " + ".join(
        f"{row.expression}*{scale / mean:.4f}"
        for (row, _), scale in zip(parts, scaled, strict=True)
    )
