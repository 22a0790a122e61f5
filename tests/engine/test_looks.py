"""The figures themselves: each detects the defect that it is meant for."""

import pytest
import torch

from tests.engine import looks


@pytest.fixture(scope="module")
def detail():
    """Smooth, homogeneous noise, as detail without defects."""
    torch.manual_seed(4)
    noise = torch.randn(1, 3, 168, 248)
    return 0.05 * torch.nn.functional.avg_pool2d(noise, 3, 1, 1) * 3


def photo():
    return looks.photo("raccoon.jpg", 200)


def test_photos_have_eight_bits_at_any_size():
    small = looks.photo("coffee.png", 100)
    assert small.shape == (1, 3, 67, 100)
    assert torch.equal((small * 255).round() / 255, small)
    assert looks.photo("coffee.png", 5000).shape == (1, 3, 400, 600)


def test_fine_detail_is_above_a_quarter_of_the_sampling_rate():
    across = torch.arange(256.0)
    low, high = (
        (torch.sin(2 * torch.pi * rate * across) * 0.4 + 0.5).expand(1, 3, 256, 256)
        for rate in (0.2, 0.3)
    )
    assert looks.high_frequencies(high) > 1e4 * looks.high_frequencies(low)


def test_chroma_is_perceptual():
    """A colour made lighter has more R, G and B, and hardly more chroma; grey has none."""
    red = torch.tensor([0.5, 0.35, 0.35]).view(1, 3, 1, 1)
    grey = torch.full((1, 3, 1, 1), 0.6)
    assert looks.chroma(grey) == pytest.approx(0, abs=1e-6)
    assert looks.chroma(red * 1.5) / looks.chroma(red) < 1.4
    assert looks.chroma_ratio(grey, red) == pytest.approx(1 + looks.chroma(red) / looks.MUTED)
    assert looks.chroma_ratio(red, red) == 1


def test_a_pixel_is_clipped_if_a_sample_is():
    picture = torch.full((1, 3, 2, 2), 0.5)
    picture[0, 1, 0, 0], picture[0, 2, 1, 1] = 0.001, 1.0
    assert looks.clipped(picture) == 0.5


def test_the_edge_index_detects_weak_edges(detail):
    """Independently of the photo's content at its edges."""
    ramp = torch.linspace(0.2, 2, 248)
    weak = detail.clone()
    weak[..., :8] *= 0.3
    weak[..., -8:] *= 0.3
    weak[..., :8, :] *= 0.3
    weak[..., -8:, :] *= 0.3
    assert looks.edge_index(detail * ramp, detail * ramp) == 1
    assert looks.edge_index(weak * ramp, detail * ramp) < 0.7


def test_the_lattice_index_detects_dots(detail):
    assert looks.lattice_index(detail, 16) < 1.03
    for stride in (8, 16):
        dotted = detail.clone()
        dotted[..., ::stride, ::stride] += 0.1
        assert looks.lattice_index(dotted, stride) > 1.1


def test_the_lattice_index_detects_phase_dependent_detail(detail):
    """The network's grid shows not only as dots, but also as a modulation of fine detail."""
    down, right = torch.arange(168)[:, None] % 8, torch.arange(248) % 8
    assert looks.lattice_index(detail * torch.where((down < 4) & (right < 4), 1.3, 1.0), 16) > 1.07


def test_the_seam_index_detects_a_seam(detail):
    rows, columns = [56, 112], [80, 160]
    assert looks.seam_index(detail, rows, columns) == pytest.approx(1, abs=0.05)
    stepped = detail.clone()
    for border in columns:
        stepped[..., border:] += 0.02
    assert looks.seam_index(stepped, rows, columns) > 1.05


def test_similarity_falls_with_the_difference(detail):
    source = photo()
    part = detail[..., : source.shape[-2], : source.shape[-1]]
    similar = [looks.ssim(source, source + share * part) for share in (0, 0.5, 1)]
    assert similar[0] == pytest.approx(1)
    assert similar == sorted(similar, reverse=True)
