"""The blur of a step's gradient is a Gaussian, and moves nothing."""

import pytest
import torch

from dreamlayer.engine.conditioning import gaussian


def test_an_impulse_becomes_a_gaussian():
    impulse = torch.zeros(1, 3, 41, 41, dtype=torch.float64)
    impulse[0, 1, 20, 20] = 1.0
    blurred = gaussian(impulse, 2.0)
    assert blurred.sum() == pytest.approx(1.0)
    assert not blurred[0, [0, 2]].any()  # the colours do not mix
    offsets = torch.arange(41, dtype=torch.float64) - 20
    for axis in (0, 1):
        spread = (blurred[0, 1].sum(dim=axis) * offsets**2).sum().sqrt()
        assert float(spread) == pytest.approx(2.0, rel=0.03)  # cut off at 3 σ
        assert (blurred[0, 1].sum(dim=axis) * offsets).sum().abs() < 1e-12
    expected = torch.exp(-0.5 * torch.tensor((2.0 / 2) ** 2 + (3.0 / 2) ** 2))
    found = blurred[0, 1, 22, 23] / blurred[0, 1, 20, 20]
    assert float(found) == pytest.approx(float(expected), rel=1e-6)


def test_an_even_gradient_stays_as_it_is_up_to_its_edges():
    even = torch.full((1, 3, 5, 2), 0.25, dtype=torch.float64)  # smaller than the blur
    assert torch.allclose(gaussian(even, 3.0), even)


def test_no_blur_is_no_change():
    gradient = torch.rand(1, 3, 6, 6)
    assert gaussian(gradient, 0.0) is gradient
