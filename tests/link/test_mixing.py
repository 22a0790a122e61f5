"""Mixes of what is seen: equal weights are equally strong, and the sum is a valid expression."""

from __future__ import annotations

import pytest

from dreamlink.recipe.expression import parse
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.mixing import MOST, CannotMix, mixed
from dreamlink.wire.seeing import SeenRow


def row(expression: str, loudness: float = 1.0, model: str = "squeezenet1_1") -> SeenRow:
    name = expression.rpartition(":")[2]
    return SeenRow(
        f"{model}/{name}", model, expression, name, 1.0, (0.0, 0.0), 1.0, b"", loudness=loudness
    )


def test_one_part_is_itself() -> None:
    assert mixed([(row("kind:water birds", 3.0), 0.25)]) == "kind:water birds"


def test_loud_parts_are_turned_down() -> None:
    terms = parse(mixed([(row("9:1", 4.0), 1.0), (row("9:2", 1.0), 1.0)])).terms
    (loud, _), (quiet, _) = terms
    assert quiet == pytest.approx(4 * loud, rel=1e-3)
    assert loud + quiet == pytest.approx(2.0, rel=1e-3)  # as strong as the mean of its parts


def test_weights_count() -> None:
    terms = parse(mixed([(row("9:1"), 3.0), (row("kind:sea life"), 1.0)])).terms
    assert [weight for weight, _ in terms] == pytest.approx([1.5, 0.5])
    assert [str(target) for _, target in terms] == ["9:1", "kind:sea life"]


def test_the_longest_mix_is_a_recipe() -> None:
    longest = row("features.12:" + ",".join(str(500 + n) for n in range(16)), 1.7)
    assert Recipe.of({"layer": mixed([(longest, 1.0)] * MOST)}).expression().terms


def test_what_can_not_be_mixed_is_a_sentence() -> None:
    with pytest.raises(CannotMix, match="up to 8 parts"):
        mixed([(row("9:1"), 1.0)] * (MOST + 1))
    with pytest.raises(CannotMix, match="7 is of other, what is chosen already of squeezenet1_1"):
        mixed([(row("9:1"), 1.0), (row("9:7", model="other"), 1.0)])
