"""Complete dreams: what they add and what they leave unchanged; stopping and repeating them."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dreamlayer.engine.dream import PictureTooSmall, dream
from dreamlayer.engine.image import resize
from dreamlayer.engine.image.planes import as_plane
from dreamlayer.engine.objectives.binding import bind, network_for
from dreamlayer.engine.tiling import workers
from dreamlayer.geometry import Span, Window
from dreamlink.recipe.recipe import Recipe
from tests.engine.looks import dream_detail, photo
from tests.engine.networks import pooled

QUICK = Recipe.of({"octaves": 2, "steps": 2, "seed": 5})
SMALL = replace(QUICK, layer="features.6")  # for networks.pooled()


@pytest.fixture(scope="module")
def network():
    return network_for(QUICK)


@pytest.fixture(scope="module")
def cat():
    return photo("chelsea.png")[..., :160, :200].clone()


def small_source(size=(40, 52)):
    torch.manual_seed(3)
    return torch.rand(1, 3, *size, dtype=torch.float64) * 0.6 + 0.2


@given(
    st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 16), st.floats(1.05, 3.0),
    st.integers(1, 300),
)  # fmt: skip
def test_octaves_grow_to_the_source_and_none_is_too_small(height, width, count, scale, minimum):
    sizes = resize.octave_sizes(height, width, count, scale, minimum)
    assert sizes[-1] == (height, width)
    assert len(sizes) <= count
    assert sizes == sorted(sizes)
    assert all(min(size) >= minimum for size in sizes[:-1])


def test_the_detail_depends_on_the_seed_only(network, cat):
    first, again = dream_detail(cat, network, QUICK), dream_detail(cat, network, QUICK)
    assert torch.equal(first, again)
    assert not torch.equal(first, dream_detail(cat, network, replace(QUICK, seed=6)))


@pytest.mark.parametrize("values", [{}, {"model": "efficientnet-lite0", "layer": "6"}])
def test_tiles_do_not_change_the_picture(values):
    """Bit-identical on the CPU. The default recipe is tested in tests/cli/test_cli.py."""
    recipe = replace(QUICK, **values)
    network, woman = network_for(recipe), photo("astronaut.png")
    untiled = dream_detail(woman, network, replace(recipe, tile=8192))
    tiled = dream_detail(woman, network, replace(recipe, tile=128))
    assert torch.equal(tiled, untiled)


def test_the_detail_has_the_size_of_the_window(network, cat):
    window = Window(Span(40, 90), Span(60, 140))
    detail = dream_detail(cat, network, QUICK, window)
    assert detail.shape[-2:] == (50, 80)
    assert detail.abs().mean() > 0.005


def test_without_activations_the_detail_is_zero():
    """The reference's re-injection was a no-op: its picture became soft. Ours adds to the source.

    With a network whose activations are all zero the detail is zero to the last bit, although the
    source went through every octave.
    """
    silent = pooled()
    for weight in silent.module.parameters():
        weight.zero_()
    recipe = replace(SMALL, octaves=4)
    assert not dream_detail(small_source((80, 90)), silent, recipe).any()


def test_detail_of_coarse_octaves_survives_the_fine_ones():
    """With steps at the coarse octave only, its detail must still be in the final one."""
    network, source = pooled(), small_source((64, 64))
    steps = replace(SMALL, octaves=3, octave_scale=1.5, steps=1, smooth=0.0, step_size=8.0)
    alone = dream_detail(source, network, replace(steps, octaves=1))
    together = dream_detail(source, network, steps)
    assert together.abs().mean() > 1.2 * alone.abs().mean()


def test_a_step_changes_the_picture_by_its_size():
    """Step size is in 1/255 of the range, as the mean absolute change."""
    network, source = pooled(), small_source()
    recipe = replace(SMALL, octaves=1, steps=1, step_size=3.0)
    detail = dream_detail(source, network, recipe)
    assert float(detail.abs().mean()) == pytest.approx(3.0 / 255, rel=1e-6)


def test_noise_reaches_the_network():
    """The reference's noise ran over range(0)."""
    network, source = pooled(), small_source()
    without = dream_detail(source, network, SMALL)
    noisy = dream_detail(source, network, replace(SMALL, noise=0.3))
    more = dream_detail(source, network, replace(SMALL, noise=0.3, noise_samples=4))
    assert not torch.equal(without, noisy)
    assert not torch.equal(noisy, more)
    # Without noise the number of samples has no effect.
    assert torch.equal(without, dream_detail(source, network, replace(SMALL, noise_samples=4)))


def test_roll_shifts_the_grid_of_the_network():
    network, source = pooled(), small_source()
    still = replace(SMALL, roll=False, octaves=1, steps=1)
    # Without roll and noise nothing is random.
    unseeded = dream_detail(source, network, replace(still, seed=6))
    assert torch.equal(dream_detail(source, network, still), unseeded)
    shifted = dream_detail(source, network, replace(still, roll=True))
    assert not torch.equal(dream_detail(source, network, still), shifted)


def test_the_dreamed_picture_stays_in_range():
    network, source = pooled(), small_source()
    detail = dream_detail(source, network, replace(SMALL, step_size=50.0))
    assert (source + detail).min() >= -1e-12
    assert (source + detail).max() <= 1 + 1e-12


def test_progress_rises_from_tile_to_tile_and_shows_the_picture(network, cat):
    recipe = replace(QUICK, tile=64)
    events = list(dream(cat, network, recipe, Window.whole(*cat.shape[-2:])))
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)
    assert len(events) > recipe.octaves * recipe.steps * 2
    assert {(e.octave, e.step) for e in events} == {(o, s) for o in (1, 2) for s in (1, 2)}
    assert events[-1].picture().shape == cat.shape


def test_a_partial_result_is_available_after_each_octave_but_the_last(network, cat):
    recipe = replace(QUICK, octaves=3)
    steps, offered = dream(cat, network, recipe, Window.whole(160, 200)), []
    while True:
        try:
            now = next(steps)
        except StopIteration as done:
            detail = done.value.detail
            break
        if now.partial_result is not None:
            offered.append((now.octave, now.step, now.partial_result()))
    assert [(octave, step) for octave, step, _ in offered] == [(1, 2), (2, 2)]
    sizes = [float(so_far.detail.abs().mean()) for *_, so_far in offered]
    assert 0 < sizes[0] < sizes[1] < float(detail.abs().mean())
    assert all(so_far.detail_plane.shape == (1, 3, 160, 200) for *_, so_far in offered)
    assert torch.equal(detail, dream_detail(cat, network, recipe))


class CountingPlane:
    """A plane that counts how many pixels are read."""

    def __init__(self, picture):
        self.picture, self.pixels = as_plane(picture), 0
        self.shape, self.dtype, self.device = picture.shape, picture.dtype, picture.device

    def read(self, window, step=1):
        self.pixels += window.area
        return self.picture.read(window, step)


def test_the_cost_of_a_partial_result_depends_on_the_selection_only(network):
    read = []
    for side in (320, 640):
        source = CountingPlane(torch.rand(1, 3, side, side))
        window = Window(Span(100, 140), Span(90, 130))
        for now in dream(source, network, QUICK, window):
            if now.partial_result is not None:
                before = source.pixels
                now.partial_result()
                read.append(source.pixels - before)
                break
    assert 0 < read[0] < 20 * 40 * 40
    assert read[1] == pytest.approx(read[0], rel=0.2)


def test_closing_the_generator_waits_only_for_running_tiles(cat):
    network = pooled(torch.float32)
    steps = dream(cat, network, replace(SMALL, tile=32), Window.whole(*cat.shape[-2:]))
    next(steps)
    steps.close()
    assert len(network.seen) <= workers.shared.count


@pytest.mark.parametrize(
    ("size", "recipe", "words"),
    [
        ((16, 300), QUICK, "300 × 16 pixels are too few for features.10 of squeezenet1_1"),
        ((64, 64), replace(QUICK, channels="512"), "there is no channel 512"),
        ((64, 64), replace(QUICK, layer="10 + 10:512"), "In “10 [+] »10:512«”.*no channel 512"),
    ],
)
def test_errors_are_sentences_for_the_user(network, size, recipe, words):
    with pytest.raises((PictureTooSmall, ValueError), match=words):
        dream_detail(torch.rand(1, 3, *size), network, recipe)


def test_where_the_mask_is_empty_nothing_is_dreamed(network, cat):
    mask = torch.zeros(1, 1, *cat.shape[-2:])
    mask[..., 30:90, 50:150] = 1.0
    masked, plain = dream_detail(cat, network, QUICK, mask=mask), dream_detail(cat, network, QUICK)
    inside = (mask > 0).expand_as(masked)
    # Coarse octaves resolve the mask's edge to one of their pixels; resizing adds two.
    far = torch.nn.functional.max_pool2d(mask, 17, 1, 8).expand_as(masked) == 0
    assert not masked[far].any()
    # The step length is measured inside the mask, so that it dreams as deep as a whole picture.
    assert masked[inside].abs().mean() == pytest.approx(float(plain.abs().mean()), rel=0.3)


def test_octaves_above_the_source_end_at_its_size(network, cat):
    small = cat[..., :80, :100].clone()
    recipe = replace(QUICK, octaves=3, octave_scale=1.5, supersample=1)
    steps, heights = dream(small, network, recipe, Window.whole(80, 100)), []
    try:
        while True:
            heights.append(next(steps).picture().shape[-2])
    except StopIteration as done:
        detail = done.value.detail
    assert sorted(set(heights)) == [53, 80, 120]
    assert detail.shape == small.shape
    assert detail.abs().mean() > 0.005


def test_a_guide_pulls_the_dream_towards_its_own_features(cat):
    """The result must resemble its own guide more than another guide."""
    recipe = replace(QUICK, layer="features.6:guide", steps=4)
    network = network_for(recipe)
    stripes = torch.zeros(1, 3, 96, 96)
    stripes[..., ::8] = stripes[..., 1::8] = stripes[..., 2::8] = 1.0
    spots = (torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(1)) > 0.6).float()
    spots = torch.nn.functional.interpolate(spots, size=(96, 96)).expand(1, 3, 96, 96)
    found = {}
    for name, guide in (("stripes", stripes), ("spots", spots)):
        after = cat + dream_detail(cat, network, recipe, guide=guide)
        for other, picture in (("stripes", stripes), ("spots", spots)):
            objective = bind(recipe.expression(), network, picture)
            found[name, other] = float(objective.value(network(after)))
    assert found["stripes", "stripes"] > found["spots", "stripes"]
    assert found["spots", "spots"] > found["stripes", "spots"]


def test_a_missing_guide_is_an_error(cat):
    recipe = replace(QUICK, layer="features.6:guide")
    with pytest.raises(ValueError, match="follows a guide picture, and none was given"):
        dream_detail(cat, network_for(recipe), recipe)


def test_a_negative_weight_reduces_activations(cat):
    recipe = replace(QUICK, layer="-features.10", steps=4)
    network = network_for(recipe)
    after = cat + dream_detail(cat, network, recipe)
    assert network(after)[0].square().mean() < 0.8 * network(cat)[0].square().mean()


def test_a_dream_from_noise_does_not_depend_on_the_source(cat):
    """The result is the imagined picture and its detail; the source has no influence."""
    recipe = replace(QUICK, layer="features.10:30", start="noise", steps=1)
    network, small = network_for(recipe), cat[..., :96, :128].clone()
    steps = dream(small, network, recipe, Window.whole(96, 128))
    events = []
    try:
        while True:
            events.append(next(steps))
    except StopIteration as done:
        found = done.value
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    assert found.base.shape == small.shape
    again = dream(torch.zeros_like(small), network, recipe, Window.whole(96, 128))
    try:
        while True:
            next(again)
    except StopIteration as done:
        assert torch.equal(done.value.base, found.base)
