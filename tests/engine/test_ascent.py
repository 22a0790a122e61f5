"""One ascent step: its length, its noise, the regularisers, and what it must not change."""

from dataclasses import replace

import pytest
import torch

from dreamlayer.engine.ascent.ascent import Ascent
from dreamlayer.engine.objectives.binding import bind, network_for
from dreamlayer.geometry import Span, Window
from dreamlink.recipe.recipe import Recipe
from tests.engine import looks
from tests.engine.networks import pooled

STEP = Recipe.of({"layer": "features.6", "seed": 5, "smooth": 0.0})
HUGE = 1 << 20


def picture(size=(48, 60), seed=3):
    random = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, *size, dtype=torch.float64, generator=random) * 0.6 + 0.2


def silent():
    """A network whose activations are all zero."""
    network = pooled()
    for weight in network.module.parameters():
        weight.zero_()
    return network


def stepped(x, recipe=STEP, base=None, *, window=None, mask=None, side=HUGE, scale=1.0, steps=1,
            network=None):  # fmt: skip
    """The result of some steps on a copy of `x`."""
    network = network or pooled()
    random = torch.Generator().manual_seed(recipe.seed)
    ascent = Ascent(network, bind(recipe.expression(), network, None), recipe, side, random)
    base, x = x if base is None else base, x.clone()
    for _ in range(steps):
        list(ascent.step(x, base, window or Window.whole(*x.shape[-2:]), mask, scale))
    return x


def mean_size(change, mask=None):
    return float(
        change.abs().mean() if mask is None else (change.abs() * mask).sum() / mask.sum() / 3
    )


# Position and length of steps


@pytest.mark.parametrize("conditioning", ["plain", "laplacian", "spectral"])
def test_the_mean_change_of_a_step_is_its_size(conditioning):
    x = picture()
    change = stepped(x, replace(STEP, step_size=3.0, conditioning=conditioning)) - x
    assert mean_size(change) == pytest.approx(3.0 / 255, rel=1e-6)


def test_a_recipe_that_names_no_value_calms_the_colours_of_its_steps():
    """Fine chroma of a step at the default is less than half of that without; 0 keeps it all."""
    x = picture()
    sizes = {}
    for calm in (0.0, Recipe().calm_colours):
        change = stepped(x, replace(STEP, step_size=3.0, calm_colours=calm)) - x
        grey = (change * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
        sizes[calm] = float((change - grey).square().mean().sqrt() / grey.square().mean().sqrt())
    assert sizes[Recipe().calm_colours] < 0.5 * sizes[0.0]


def test_steps_are_measured_and_taken_inside_the_mask():
    x, mask = picture(), torch.zeros(1, 1, 48, 60, dtype=torch.float64)
    mask[..., 10:30, 20:50] = 1.0
    mask[..., 30:34, 20:50] = 0.25
    change = stepped(x, replace(STEP, step_size=3.0, smooth=0.8), mask=mask) - x
    assert mean_size(change, mask) == pytest.approx(3.0 / 255, rel=1e-6)
    assert not change[(mask == 0).expand_as(change)].any()
    assert (change[(mask > 0).expand_as(change)] != 0).double().mean() > 0.9
    unmasked = stepped(x, replace(STEP, step_size=3.0, smooth=0.8)) - x
    assert mean_size(unmasked, mask) != pytest.approx(3.0 / 255, rel=0.02)


def test_the_network_sees_real_surroundings_and_reflects_only_the_picture_edges():
    window = Window(Span(24, 40), Span(0, 30))
    x = picture((64, 80))
    first = stepped(x, window=window)
    outside = torch.ones(1, 1, 64, 80, dtype=torch.bool)
    outside[..., 24:40, 0:30] = False
    assert torch.equal(first[outside.expand_as(x)], x[outside.expand_as(x)])
    other = x.clone()
    other[..., 18:24, :] = picture((6, 80), seed=4)  # just above the window
    assert not torch.equal(stepped(other, window=window)[..., 24:40, :30], first[..., 24:40, :30])


# Roll


def test_without_roll_there_is_a_lattice_of_dots():
    """And none with it: the gate is 1.1."""
    source = looks.photo("coffee.png")[..., 60:260, 120:360].clone()
    recipe = Recipe.of({"seed": 7, "octaves": 1, "steps": 10})
    network = network_for(recipe)
    found = {}
    for roll in (False, True):
        detail = stepped(source, replace(recipe, roll=roll), network=network, steps=10) - source
        found[roll] = looks.lattice_index(detail, network.stride)
    assert found[True] < 1.1 < found[False]
    assert found[False] > 1.1 * found[True]


# Noise


def test_noise_changes_the_gradient_and_samples_average_it():
    """The reference's noise ran over range(0): it changed nothing.

    The variance of a step over the seeds falls as one over the number of samples.
    """
    x, still = picture(), replace(STEP, roll=False)
    without = stepped(x, still)
    variance = {}
    for samples in (1, 4, 16):
        recipe = replace(still, noise=0.02, noise_samples=samples)
        drawn = torch.stack([stepped(x, replace(recipe, seed=seed)) for seed in range(1, 17)])
        variance[samples] = float(drawn.var(dim=0).mean())
    far = float((drawn[0] - without).abs().mean())
    assert far > 0.01 * float((without - x).abs().mean())
    assert variance[1] / variance[4] == pytest.approx(4.0, rel=0.35)
    assert variance[4] / variance[16] == pytest.approx(4.0, rel=0.35)


def test_noise_is_less_in_smaller_octaves():
    """As if the noise had been reduced with the picture."""
    x, noisy = picture(), replace(STEP, roll=False, noise=0.02)
    half = stepped(x, noisy, scale=0.5)
    assert torch.equal(half, stepped(x, replace(noisy, noise=0.01)))
    assert torch.equal(stepped(x, noisy, scale=1.5), stepped(x, noisy))


@pytest.mark.parametrize("conditioning", ["plain", "laplacian", "spectral"])
def test_noise_and_conditioning_do_not_depend_on_the_tiles(conditioning):
    x = picture((64, 80))
    recipe = replace(STEP, noise=0.1, noise_samples=2, conditioning=conditioning)
    whole_picture = stepped(x, recipe)
    for side in (13, 32):
        assert torch.allclose(stepped(x, recipe, side=side), whole_picture, atol=1e-12)


# Regularisers


def test_stay_pulls_the_dream_back_to_the_picture():
    """The reference had the wrong sign: it pushed the dream away from the picture."""
    base, nothing = picture(), silent()
    dreamt = base + 0.1 * (picture(seed=4) - 0.5)
    drawn = stepped(dreamt, replace(STEP, stay=1.0), base, network=nothing)
    before, after = dreamt - base, drawn - base
    assert torch.allclose(after, before * float((after / before).mean()))
    assert 0.9 < float((after / before).mean()) < 0.99
    active = replace(STEP, step_size=4.0)
    near, free = (stepped(base, replace(active, stay=stay), steps=10) for stay in (1.0, 0.0))
    assert (near - base).square().mean() < 0.8 * (free - base).square().mean()


def total_variation(detail):
    return sum(float(detail.diff(dim=axis).abs().mean()) for axis in (-2, -1))


def test_tv_reduces_the_variation_of_the_detail():
    """With the wrong sign the variation would grow."""
    base, nothing = picture(), silent()
    dreamt = base + 0.1 * (picture(seed=4) - 0.5)
    found = [
        total_variation(stepped(dreamt, replace(STEP, tv=tv), base, network=nothing) - base)
        for tv in (0.0, 0.5, 1.0, 2.0)
    ]
    assert found == sorted(found, reverse=True)
    assert found[2] < 0.8 * found[0]
    edge = base.clone()
    edge[..., 30:] += 0.1  # an edge of the dream is no grain and must stay
    after = stepped(edge, replace(STEP, tv=1.0), base, network=nothing, steps=3) - base
    assert float(after[..., 30:].mean() - after[..., :30].mean()) > 0.09


@pytest.mark.parametrize("held", [{"tv": 2.0}, {"stay": 2.0}])
@pytest.mark.parametrize("wrap", [False, True])
def test_regularisers_do_not_change_the_photo_itself(held, wrap):
    base = picture()  # maximally grainy
    recipe = replace(STEP, step_size=50.0, wrap=wrap, **held)
    assert torch.equal(stepped(base, recipe, network=silent()), base)


@pytest.mark.parametrize("held", [{"tv": 2.0}, {"stay": 2.0}, {"tv": 2.0, "stay": 2.0}])
def test_regularisers_never_overshoot(held):
    base = torch.full((1, 3, 48, 60), 0.5, dtype=torch.float64)
    dreamt = base + 0.2 * (picture(seed=4) - 0.5)
    after = stepped(dreamt, replace(STEP, step_size=50.0, **held), base, network=silent(), steps=3)
    assert (after - base).abs().max() <= (dreamt - base).abs().max()
    assert (after - base).square().mean() < 0.6 * (dreamt - base).square().mean()
