"""SmoothGrad noise: normally distributed, a function of position, and without an array."""

import pytest
import torch

from dreamlayer.engine.image.noise import Noise
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.geometry import Span, Window

LIKE = torch.zeros(1, 3, 1, 1)


def field(noise, rows=range(400), columns=range(500), like=LIKE):
    return noise.sample(torch.tensor(rows), torch.tensor(columns), like)


def test_noise_is_normal_with_the_given_deviation():
    found = field(Noise(0.2, 12345)) / 0.2
    count = found.numel()
    assert found.shape == (1, 3, 400, 500)
    assert abs(found.mean()) < 4 / count**0.5
    assert float(found.std()) == pytest.approx(1.0, abs=0.01)
    assert float((found**4).mean()) == pytest.approx(3.0, abs=0.05)
    assert 4 < found.abs().max() < 6
    within = float((found.abs() < 1).float().mean())
    assert within == pytest.approx(0.6827, abs=0.005)


def test_noise_is_uncorrelated_between_positions_channels_and_keys():
    found, other = field(Noise(1.0, 7)), field(Noise(1.0, 8))
    pairs = [
        (found[..., 1:], found[..., :-1]),
        (found[..., 1:, :], found[..., :-1, :]),
        (found[..., 1:, 1:], found[..., :-1, :-1]),
        (found[..., 2:], found[..., :-2]),
        (found[:, :1], found[:, 1:2]),
        (found[:, :1], found[:, 2:]),
        (found, other),
        (found[..., 1:, :], other[..., :-1, :]),
    ]
    for a, b in pairs:
        assert abs(float((a * b).mean())) < 4.5 / a.numel() ** 0.5


def test_noise_depends_on_the_position_only():
    everywhere = field(Noise(0.1, 3))
    rows, columns = [5, 399, 5, 17], [0, 499, 250]
    assert torch.equal(field(Noise(0.1, 3), rows, columns), everywhere[..., rows, :][..., columns])
    in_double = field(Noise(0.1, 3), like=LIKE.double())
    assert torch.allclose(in_double.float(), everywhere, atol=1e-6)


@pytest.mark.parametrize("wrap", [False, True])
def test_crops_of_a_canvas_show_one_noisy_picture(wrap):
    canvas = PictureCanvas(30, 40, 50, (20, 30), wrap, noise=Noise(0.1, 9))
    picture = torch.rand(1, 3, 30, 40)
    seen = canvas.take(picture, Window.whole(*canvas.size))
    crop = Window(Span(3, 44), Span(21, 60))
    found = canvas.take(picture, crop)
    assert torch.equal(found, seen[..., crop.rows.slice(), crop.columns.slice()])
    own = canvas.take(picture, canvas.to_canvas(Window.whole(30, 40))) - picture
    assert torch.allclose(own, field(Noise(0.1, 9), range(30), range(40)), atol=1e-6)
    assert picture.max() <= 1  # the picture itself is not written to


def test_a_pixel_and_its_repetitions_have_the_same_noise():
    """So that the network sees one noisy picture, continued by reflection or without a seam."""
    picture = torch.zeros(1, 3, 12, 12)
    noisy = PictureCanvas(12, 12, 24, (12, 12), wrap=True, noise=Noise(0.1, 9))
    seen = noisy.take(picture, Window.whole(36, 36))
    assert torch.equal(seen[..., :12, :12], seen[..., 12:24, 24:])
