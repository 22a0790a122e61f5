"""Films with carried detail: frames differ less, are as strong, and respect window and mask."""

from dataclasses import replace

import pytest
import torch

from dreamlayer.engine.dream import dream
from dreamlayer.engine.image.planes import as_plane
from dreamlayer.engine.objectives.binding import network_for
from dreamlayer.engine.quick_look import run_quick_look
from dreamlayer.geometry import Span, Window
from dreamlink.recipe.recipe import Recipe
from tests.engine.looks import dream_detail, photo, run_dream

RECIPE = Recipe.of({"octaves": 3, "steps": 4, "seed": 5, "step_size": 3.0})


@pytest.fixture(scope="module")
def network():
    return network_for(RECIPE)


@pytest.fixture(scope="module")
def frames():
    """The same picture three times, with camera noise."""
    cat = photo("chelsea.png")[..., 40:180, 60:240]
    random = torch.Generator().manual_seed(1)
    noise = [torch.randn(cat.shape, generator=random) * 2 / 255 for _ in range(3)]
    return [(cat + one).clamp(0, 1) for one in noise]


def film(frames, network, carry):
    found = [dream_detail(frames[0], network, RECIPE)]
    for frame in frames[1:]:
        found.append(
            dream_detail(frame, network, RECIPE, previous_detail=as_plane(found[-1]), carry=carry)
        )
    return found


def test_frames_with_carried_detail_differ_less_and_are_as_strong(network, frames):
    alone = [dream_detail(frame, network, RECIPE) for frame in frames]
    together = film(frames, network, 0.5)

    def between(details):
        return float((details[-1] - details[-2]).abs().mean())

    assert between(together) < 0.6 * between(alone)
    strength = together[-1].abs().mean() / alone[-1].abs().mean()
    assert 0.8 < strength < 1.25


def test_a_carry_of_zero_has_no_effect_to_the_bit(network, frames):
    previous = as_plane(torch.rand(frames[0].shape) - 0.5)
    alone = dream_detail(frames[1], network, RECIPE)
    assert torch.equal(
        dream_detail(frames[1], network, RECIPE, previous_detail=previous, carry=0.0), alone
    )


def test_a_carry_of_one_keeps_the_previous_detail(network, frames):
    first = dream_detail(frames[0], network, RECIPE)
    second = dream_detail(frames[1], network, RECIPE, previous_detail=as_plane(first), carry=1.0)
    both = torch.stack([first.flatten(), second.flatten()])
    assert float(torch.corrcoef(both)[0, 1]) > 0.7  # all but what is too fine for resizing


def test_detail_is_carried_only_inside_window_and_mask(network, frames):
    window = Window(Span(20, 120), Span(30, 150))
    previous = as_plane(torch.full((1, 3, 100, 120), 0.2))
    mask = torch.zeros(1, 1, 100, 120)
    mask[..., 60:] = 1
    steps = dream(
        frames[0],
        network,
        replace(RECIPE, octaves=1),
        window,
        mask=mask,
        previous_detail=previous,
        carry=1.0,
    )
    seen = None
    while True:
        try:
            now = next(steps)
        except StopIteration as done:
            detail = done.value.detail
            break
        seen = now.picture()
    assert seen.shape[-2:] == (100, 120)
    assert not detail[..., :60].any()
    inside = frames[0][..., 20:120, 90:150]
    expected = (inside + 0.2).clamp(max=1.0) - inside
    assert torch.allclose(detail[..., 60:], expected, atol=1e-6)


def test_a_quick_look_carries_detail_too(network, frames):
    first = run_dream(frames[0], network, RECIPE).detail
    looks = []
    for more in ({}, {"previous_detail": as_plane(first), "carry": 0.5}):
        steps = run_quick_look(
            frames[1], network, RECIPE, Window.whole(*frames[1].shape[-2:]), **more
        )
        while True:
            try:
                next(steps)
            except StopIteration as done:
                looks.append(done.value.detail)
                break
    alone, going_on = looks
    assert (going_on - first).abs().mean() < (alone - first).abs().mean()
