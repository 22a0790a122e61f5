"""The tables of the quality bench show what misses a gate, and which presets look alike."""

import torch

from tests.bench import quality_tables as tables
from tests.bench.quality_tables import Row

PRESETS = ("animals", "eyes", "strokes")


def rows(*values, name="fine chroma"):
    return [
        Row("animals", photo, {name: value}, {}, 1.0)
        for photo, value in zip(("a", "b", "c"), values, strict=False)
    ]


def test_the_summary_shows_the_worst_photo_and_marks_a_miss():
    assert "**1.70**" in tables.summary(rows(1.1, 1.7, 1.2))
    assert "| 1.50 |" in tables.summary(rows(1.1, 1.5, 1.2))


def test_a_gate_of_the_mean_forgives_a_single_photo():
    name = "fine chroma, mean"
    assert "**" not in tables.summary(rows(1.1, 1.5, 1.1, name=name))
    assert "**" not in tables.details(rows(1.1, 1.5, 1.1, name=name))
    assert "**1.40**" in tables.summary(rows(1.4, 1.5, 1.3, name=name))


def test_twins_are_nearest_and_marked():
    east, west = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    features = dict(zip(PRESETS, ({"a": east}, {"a": east * 2}, {"a": west}), strict=True))
    apart = tables.distances(features)
    assert apart["animals", "eyes"] < 1e-6
    shown = tables.nearest(apart)
    assert "| animals | eyes | **0.00** |" in shown
    assert "| strokes | animals | 1.00 |" in shown


def test_distances_are_averaged_over_the_photos():
    east, west = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    features = {"animals": {"a": east, "b": east}, "eyes": {"a": east, "b": west}}
    assert abs(tables.distances(features)["animals", "eyes"] - 0.5) < 1e-6
