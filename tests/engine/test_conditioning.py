"""Conditioning filters as specified, shifts nothing, and respects periodic borders."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamlayer.engine.ascent import conditioning
from dreamlayer.engine.image import planes, pyramid
from dreamlayer.engine.image.planes import as_stored_plane, read_all


def in_place(name):
    """Wrap a conditioner of planes for tensors; returns the changed tensor."""

    def conditioned(gradient, *arguments, **more):
        getattr(conditioning, name)(as_stored_plane(gradient), *arguments, **more)
        return gradient

    return conditioned


condition, gaussian, laplacian, spectral, calm_colours = map(
    in_place, ("condition", "gaussian", "laplacian", "spectral", "calm_colours")
)


def split(picture, count, wrap=False):
    """The bands of a picture and its rest."""
    return [
        read_all(band)
        for band in pyramid.bands(pyramid.levels(as_stored_plane(picture), count, wrap), wrap)
    ]


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


def test_blurring_a_constant_gradient_changes_nothing_even_at_its_edges():
    even = torch.full((1, 3, 5, 2), 0.25, dtype=torch.float64)  # smaller than the blur
    assert torch.allclose(gaussian(even.clone(), 3.0), even)


@pytest.mark.parametrize("blurred", [lambda g: gaussian(g, 0.8), lambda g: calm_colours(g, 0.5)])
def test_a_blur_is_bit_identical_for_any_number_of_threads(blurred):
    """Each thread takes a part of a row, and the ends of parts are summed one by one."""
    gradient, usual, found = torch.randn(1, 3, 301, 403), torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 5):
            torch.set_num_threads(threads)
            found.append(blurred(gradient.clone()))
    finally:
        torch.set_num_threads(usual)
    assert all(torch.equal(one, found[0]) for one in found)


def test_a_blur_of_zero_changes_nothing():
    gradient = torch.rand(1, 3, 6, 6)
    assert torch.equal(gaussian(gradient.clone(), 0.0), gradient)
    assert torch.equal(condition(gradient.clone(), "plain", 0.0), gradient)


def luma(colours):
    """ITU-R BT.601."""
    return (colours * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)


def test_calm_colours_leave_the_luma_and_damp_and_blur_the_chroma():
    gradient = torch.randn(1, 3, 40, 50, dtype=torch.float64)
    calmed = calm_colours(gradient.clone(), 0.5)
    assert torch.allclose(luma(calmed), luma(gradient), atol=1e-7)
    expected = 0.5 * gaussian(gradient - luma(gradient), 1.5)
    assert torch.allclose(calmed - luma(calmed), expected, atol=1e-7)


def test_fully_calm_colours_change_lightness_only():
    calmed = calm_colours(torch.randn(1, 3, 9, 11, dtype=torch.float64), 1.0)
    assert torch.allclose(calmed, luma(calmed).expand_as(calmed), atol=1e-7)


def test_colours_that_are_not_calmed_keep_every_bit():
    gradient = torch.rand(1, 3, 9, 11)
    assert torch.equal(calm_colours(gradient.clone(), 0.0), gradient)


def test_a_grey_gradient_has_no_colours_to_calm():
    grey = torch.randn(1, 1, 30, 30).expand(1, 3, -1, -1).clone()
    assert torch.allclose(calm_colours(grey.clone(), 0.7), grey, atol=1e-6)


@settings(deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 5), st.booleans())
def test_the_bands_of_a_pyramid_add_up_to_the_picture(height, width, bands, wrap):
    picture = torch.randn(1, 3, height, width, dtype=torch.float64)
    levels = pyramid.levels(as_stored_plane(picture), bands, wrap)
    assert [tuple(level.shape[-2:]) for level in levels] == [
        (math.ceil(height / 2**k), math.ceil(width / 2**k)) for k in range(bands + 1)
    ]
    merged = read_all(pyramid.weighted_sum(levels, [1.0] * (bands + 1), wrap))
    assert torch.allclose(merged, picture, atol=1e-12)


@pytest.mark.parametrize("wrap", [False, True])
def test_each_band_has_its_own_weight(wrap):
    picture, weights = torch.randn(1, 3, 45, 37, dtype=torch.float64), [0.5, 3.0, 0.0, 2.0]
    found = read_all(
        pyramid.weighted_sum(pyramid.levels(as_stored_plane(picture), 3, wrap), weights, wrap)
    )
    bands = pyramid.bands(pyramid.levels(as_stored_plane(picture), 3, wrap), wrap)
    expected = read_all(bands[-1]) * weights[-1]
    for band, weight in zip(bands[-2::-1], weights[-2::-1], strict=True):
        enlarged = read_all(pyramid.enlarge(as_stored_plane(expected), band, wrap))
        expected = enlarged + weight * read_all(band)
    assert torch.allclose(found, expected, atol=1e-12)


def test_fine_waves_lie_in_fine_bands_and_coarse_ones_in_coarse():
    places = torch.arange(128, dtype=torch.float64)
    strongest = []
    for length in (3.0, 8.0, 16.0, 64.0):
        wave = torch.sin(2 * math.pi * places / length).expand(1, 1, 128, 128).clone()
        levels = split(wave, 3)
        strongest.append(max(range(4), key=lambda k, found=levels: float(found[k].square().mean())))
    assert strongest == [0, 1, 2, 3]


def test_laplacian_gives_all_bands_the_same_rms():
    """For a gradient that is nearly all grain, its shapes become as strong as the grain."""
    torch.manual_seed(5)
    grain = torch.randn(1, 3, 96, 120, dtype=torch.float64)
    shapes = torch.nn.functional.interpolate(torch.randn(1, 3, 12, 15).double(), (96, 120))
    before = grain + 0.05 * gaussian(shapes, 3.0)
    levels = split(laplacian(before.clone()), 3)
    sizes = [float(level.square().mean().sqrt()) for level in levels[:3]]
    assert max(sizes) / min(sizes) < 2.0  # the bands overlap
    raw = [float(level.square().mean().sqrt()) for level in split(before, 3)[:3]]
    assert max(raw) / min(raw) > 3


def test_laplacian_does_not_amplify_the_mean():
    """The rest must not be normalised by its own RMS: that would shift the picture's brightness."""
    waves = [torch.sin(torch.arange(128.0).double() * 2 * math.pi / n) for n in (4, 8, 16)]
    gradient = sum(waves).expand(1, 3, 128, 128) + 0.001
    found = laplacian(gradient.clone(), wrap=True)
    assert float(found.mean()) < 0.02 * float(found.std())


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (7, 7)])
@pytest.mark.parametrize("kind", ["laplacian", "spectral"])
def test_conditioning_accepts_small_and_zero_gradients(kind, size):
    found = condition(torch.rand(1, 3, *size), kind, 0.8)
    assert found.shape[-2:] == size
    assert found.isfinite().all()
    assert not condition(torch.zeros(1, 3, *size), kind, 0.8).any()


def test_spectral_divides_by_the_frequency():
    places = torch.arange(96, dtype=torch.float64)
    gains = {}
    for length in (3.0, 6.0, 12.0, 96.0):
        wave = torch.cos(2 * math.pi * places / length).expand(1, 1, 96, 96).clone()
        gains[length] = float(spectral(wave.clone(), 0.0, wrap=True).std() / wave.std())
    assert gains[6.0] / gains[3.0] == pytest.approx(2.0, rel=0.06)
    assert gains[12.0] / gains[6.0] == pytest.approx(2.0, rel=0.2)
    assert gains[96.0] < 16.5  # limited by LONGEST_WAVE


def test_spectral_blurs_like_gaussian():
    gradient = torch.randn(1, 3, 60, 64, dtype=torch.float64)
    both = spectral(gradient.clone(), 1.5, wrap=True)
    after = gaussian(spectral(gradient.clone(), 0.0, wrap=True), 1.5, wrap=True)
    assert float((both - after).norm() / after.norm()) < 0.01  # `gaussian` is cut off at 3 σ


def test_spectral_does_not_wrap_around_by_default():
    """Reflected: a gradient at one edge has no effect at the opposite edge."""
    gradient = torch.zeros(1, 3, 80, 90, dtype=torch.float64)
    gradient[..., :4] = 1.0
    found = spectral(gradient.clone(), 0.0)
    assert found[..., -4:].abs().max() < 0.02 * found[..., :4].abs().max()
    around = spectral(gradient.clone(), 0.0, wrap=True)
    assert around[..., -4:].abs().max() > 0.2 * around[..., :4].abs().max()


@pytest.mark.parametrize("kind", ["plain", "laplacian", "spectral"])
def test_conditioning_with_wrap_commutes_with_rolling(kind):
    """Conditioning commutes with rolling, where the pyramid's halving allows it."""
    gradient = torch.randn(1, 3, 64, 80, dtype=torch.float64)
    expected = condition(gradient.clone(), kind, 0.8, 0.5, wrap=True).roll((24, 40), (-2, -1))
    rolled = gradient.roll((24, 40), (-2, -1))
    assert torch.allclose(condition(rolled.clone(), kind, 0.8, 0.5, wrap=True), expected, atol=1e-9)
    bordered = condition(rolled.clone(), kind, 0.8, 0.5)
    assert not torch.allclose(bordered, expected, atol=1e-2)


@pytest.mark.parametrize("kind", ["plain", "laplacian", "spectral"])
@pytest.mark.parametrize("wrap", [False, True])
def test_conditioning_in_strips_gives_the_same_result(kind, wrap, monkeypatch):
    """The gradient of a large picture is conditioned in strips, in place."""
    gradient = torch.randn(1, 3, 701, 20, dtype=torch.float64)
    at_once = condition(gradient.clone(), kind, 0.8, 0.5, wrap)
    monkeypatch.setattr(planes, "STRIP", 500)
    in_strips = condition(gradient.clone(), kind, 0.8, 0.5, wrap)
    # The impulse response of `spectral` has no sharp end.
    tolerance = 1e-3 if kind == "spectral" else 1e-12
    assert float((in_strips - at_once).abs().max() / at_once.abs().max()) < tolerance
