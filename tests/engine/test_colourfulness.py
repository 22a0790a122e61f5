"""How colourful a picture counts, which limits the colours of a painted dream."""

import pytest
import torch

from dreamlayer.engine.painting.colourfulness import LEAST, colourfulness
from tests.engine.looks import photo


def test_photos_are_colourful_and_a_pencil_sketch_is_not():
    assert colourfulness(photo("peaks.jpg", 64)) == 1.0
    assert LEAST < colourfulness(photo("sketch.jpg", 64)) < 0.4


@pytest.mark.parametrize("sample", [0.0, 0.4, 1.0, float("nan"), float("inf")])
def test_grey_of_any_kind_has_the_least(sample):
    assert colourfulness(torch.full((1, 3, 5, 7), sample)) == LEAST


def test_a_tint_counts_in_between():
    tinted = torch.tensor([0.55, 0.5, 0.45]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert LEAST < colourfulness(tinted) < 1.0
