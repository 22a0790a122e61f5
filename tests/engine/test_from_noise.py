"""The parts of imagining from noise: spectrum, views, ReLU override, log odds."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it

from dreamlayer.engine.imagine.log_odds import with_log_odds
from dreamlayer.engine.imagine.relu_override import ReluOverride
from dreamlayer.engine.imagine.spectrum import COLOURS, Spectrum
from dreamlayer.engine.imagine.transforms import ViewSampler
from dreamlayer.engine.objectives.objective import Objective, WeightedTerm
from dreamlayer.engine.objectives.terms import ChannelsTerm, LogitTerm
from tests.engine import looks

CPU = torch.device("cpu")


def test_the_colour_axes_are_those_of_the_test_pictures():
    covariances = []
    for name in ("chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg"):
        samples = looks.photo(name)[0].flatten(1).double().clamp(0.02, 0.98)
        covariances.append(torch.cov(torch.logit(samples)))
    variances, axes = torch.linalg.eigh(torch.stack(covariances).mean(dim=0))
    axes = (axes * variances.sqrt()).flip(1) / variances[-1].sqrt()
    axes *= axes[0].sign()  # an axis may point either way
    assert torch.allclose(axes, torch.tensor(COLOURS).double(), atol=0.002)


@pytest.mark.parametrize("size", [(1, 1), (8, 9), (37, 64)])
def test_the_initial_picture_is_nearly_grey(size):
    picture = Spectrum(size, torch.Generator().manual_seed(1), CPU).picture()
    assert picture.shape == (1, 3, *size)
    assert (picture - 0.5).abs().max() < 0.05


def test_low_frequencies_have_larger_amplitudes():
    picture = Spectrum((64, 64), torch.Generator().manual_seed(1), CPU).picture().detach()
    energy = torch.fft.rfft2(picture - picture.mean()).abs().square().mean(dim=(0, 1))
    assert energy[1:4, 1:4].mean() > 100 * energy[20:30, 20:30].mean()


@pytest.mark.parametrize("size", [(30, 41), (53, 24), (24, 31)])
def test_a_spectrum_copied_to_another_size_gives_the_same_picture(size):
    random = torch.Generator().manual_seed(1)
    small = Spectrum((24, 31), random, CPU)
    with torch.no_grad():
        small.coefficients[:, :, 5:-4, :] = 0.0  # no frequency that the other size lacks
        small.coefficients[:, :, :, 5:] = 0.0
        small.coefficients *= 100
    other = Spectrum(size, random, CPU)
    with torch.no_grad():
        other.coefficients.zero_()
    other.copy_from(small)
    with torch.no_grad():
        colours = torch.logit(small.picture()).mean(), torch.logit(other.picture()).mean()
        assert small.picture().std() > 0.05
        # Pixels (0, 0) coincide in both sizes.
        assert torch.allclose(small.picture()[..., 0, 0], other.picture()[..., 0, 0], atol=1e-4)
        assert colours[0] == pytest.approx(float(colours[1]), abs=1e-4)
        assert small.picture().std() == pytest.approx(float(other.picture().std()), rel=0.01)


def camera(size, margin=(0, 0), wrap=False):
    return ViewSampler(size, margin, wrap, torch.Generator().manual_seed(1))


@pytest.mark.parametrize("wrap", [False, True])
def test_views_of_a_constant_picture_are_constant(wrap):
    look = camera((20, 33), (3, 3), wrap)
    picture = torch.full((1, 3, 26, 39), 0.7)
    for _ in range(8):
        view = look.view(picture, 0.0)
        assert view.shape == (1, 3, 20, 33)
        assert torch.allclose(view, torch.tensor(0.7), atol=1e-5)


def test_a_circle_stays_a_circle_in_a_picture_that_is_not_square():
    rows, columns = torch.arange(60.0)[:, None] - 29.5, torch.arange(120.0) - 59.5
    disc = ((rows**2 + columns**2) < 15**2).float().expand(1, 3, -1, -1)
    look = camera((40, 100))
    for _ in range(8):
        seen = (look.view(disc, 0.0)[0, 0] > 0.5).nonzero().t().double()
        shortest, longest = torch.linalg.eigvalsh(torch.cov(seen))
        assert longest / shortest < 1.05


def test_seamless_views_begin_anywhere():
    halves = torch.cat([torch.zeros(1, 3, 40, 20), torch.ones(1, 3, 40, 20)], dim=3)
    for wrap, most in ((True, True), (False, False)):
        look = camera((40, 40), (3, 3), wrap)
        left = [float(look.view(halves, 0.0)[..., 15:25, :8].mean()) for _ in range(16)]
        assert (max(left) > 0.7) == most


def test_views_differ_and_gradients_flow_through_them():
    look = camera((16, 16), (2, 2))
    picture = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(3))
    picture.requires_grad_(True)
    one, other = look.view(picture, 0.0), look.view(picture, 0.0)
    assert (one - other).abs().max() > 0.1
    (slope,) = torch.autograd.grad(one.sum(), picture)
    assert slope.abs().sum() > 0


def test_closed_relus_pass_a_little_gradient_under_the_override():
    x = torch.tensor([-2.0, 3.0], requires_grad=True)
    for relu in (F.relu, torch.relu, torch.nn.ReLU(inplace=True)):
        (plain,) = torch.autograd.grad(relu(x * 1).sum(), x)
        with ReluOverride():
            value = relu(x * 1)
        (awake,) = torch.autograd.grad(value.sum(), x)
        assert value.tolist() == [0.0, 3.0]
        assert plain.tolist() == [0.0, 1.0]
        assert awake[1] == 1.0
        assert 0 < awake[0] < 1


def test_a_class_counts_by_its_log_odds():
    logits = torch.tensor([[1.0, -2.0, 0.5, 3.0]])
    term = LogitTerm(lambda cells: cells.mean(dim=(2, 3)), 2)
    cells = logits[..., None, None]
    p = logits.softmax(dim=1)[0, 2]
    value = with_log_odds(Objective((WeightedTerm(2.0, 0, 1.0, term),))).value([cells])
    assert value == pytest.approx(2 * float(torch.log(p / (1 - p))))


def test_log_odds_leave_negative_weights_and_other_terms_unchanged():
    terms = (
        WeightedTerm(-1.0, 0, 1.0, LogitTerm(lambda cells: cells, 2)),
        WeightedTerm(1.0, 0, 1.0, ChannelsTerm((3,))),
    )
    assert with_log_odds(Objective(terms)).terms == terms
