"""A warm start needs a kept dream of the same size that is not from noise."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dreamlayer.engine.image import resize
from dreamlayer.engine.image.planes import read_all
from dreamlayer.studio.local import LocalStudio
from dreamlayer.studio.warm_start import FROM_NOISE, OTHER_SIZE
from dreamlink.picture import Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest
from tests.bench.film_sequences import pan
from tests.studio.test_studio import random_pixels

RECIPE = Recipe.of({"octaves": 2, "steps": 3, "seed": 4, "layer": "features.3", "step_size": 6.0})
LAYOUT, REGION = Picture(96, 80), Region(8, 4, 70, 60)
RAW = random_pixels(LAYOUT).tobytes()


@pytest.fixture(scope="module")
def studio():
    return LocalStudio()


@pytest.fixture(scope="module")
def first(studio):
    return dreamed(studio, asked())


def asked(recipe=RECIPE, region=REGION, carry=0.5, **more):
    return DreamRequest(recipe, LAYOUT, region, after="the first", carry=carry, **more)


def dreamed(studio, request, before=None):
    steps = studio.dream(request, [RAW], before)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def distance(one, other):
    a, b = (np.frombuffer(bytes(dream.pixels), np.uint8).astype(int) for dream in (one, other))
    return np.abs(a - b).mean()


def test_it_starts_from_what_was_dreamed(studio, first):
    other = replace(RECIPE, seed=99)
    alone = dreamed(studio, asked(other))
    going_on = dreamed(studio, asked(other, carry=0.8), first.overlay)
    assert going_on.notes == ()
    assert distance(going_on, first) < 0.8 * distance(alone, first)
    assert bytes(going_on.overlay.blend(going_on.recipe)) == bytes(going_on.pixels)
    assert going_on.recipe == other


def test_without_a_dream_before_or_carry_nothing_changes(studio, first):
    plain = DreamRequest(RECIPE, LAYOUT, REGION)
    for before, carry in ((None, 0.5), (first.overlay, 0.0)):
        finished = dreamed(studio, asked(carry=carry), before)
        assert bytes(finished.pixels) == bytes(dreamed(studio, plain).pixels)
        assert finished.notes == ()


def test_another_size_starts_from_scratch_with_a_note(studio, first):
    region = Region(8, 4, 70, 61)
    finished = dreamed(studio, asked(region=region), first.overlay)
    assert finished.notes == (OTHER_SIZE,)
    alone = dreamed(studio, DreamRequest(RECIPE, LAYOUT, region))
    assert bytes(finished.pixels) == bytes(alone.pixels)


def test_dreams_from_noise_start_from_scratch(studio, first):
    noise = replace(RECIPE, start="noise", octaves=1, steps=1)
    covering = dreamed(studio, asked(noise), first.overlay)
    assert covering.notes == (FROM_NOISE,)
    assert dreamed(studio, asked(), covering.overlay).notes == (FROM_NOISE,)


def test_the_carried_detail_is_enlarged_with_the_picture(studio):
    recipe = replace(RECIPE, octaves=1)
    whole = asked(recipe, region=LAYOUT.region)
    before = dreamed(studio, whole).overlay
    still = replace(whole, carry=1.0, zoom=1.5)  # nothing is dreamed on top
    found = read_all(dreamed(studio, still, before).overlay.detail)
    large = read_all(resize.zoom_plane(before.detail, 1.5))
    alike = torch.corrcoef(torch.stack([found.flatten(), large.flatten()]))[0, 1]
    assert alike > 0.9  # but for what goes beyond black and white


def test_a_quick_dream_has_a_warm_start_too(studio, first):
    other = replace(RECIPE, seed=99)
    alone = dreamed(studio, asked(other, carry=0.8, quick=True))
    going_on = dreamed(studio, asked(other, carry=0.8, quick=True), first.overlay)
    assert distance(going_on, first) < distance(alone, first)


def frames_of_a_pan():
    layout = Picture(240, 200, "U8", "RGB")
    return layout, [
        (frame[0].permute(1, 2, 0) * 255).round().byte().numpy().tobytes()
        for frame in pan(2, still=False).frames
    ]


def test_what_was_dreamed_moves_along_with_the_picture(studio):
    layout, frames = frames_of_a_pan()
    region = Region(20, 20, 200, 160)  # flow is that of the region, without its surroundings

    def dream(number, before=None, **more):
        recipe = replace(RECIPE, **more)
        request = DreamRequest(recipe, layout, region, after="the first", carry=1.0)
        steps = studio.dream(request, [frames[number]], before)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                return read_all(done.value.overlay.detail)

    request = DreamRequest(RECIPE, layout, region)
    first = dreamed_on(studio, request, frames[0])
    there = read_all(first.overlay.detail)[..., 1:, 2:]
    along, at_rest = (dream(1, first.overlay, flow=flow) for flow in (True, False))

    def apart(detail):
        return float((detail[..., :-1, :-2] - there).abs()[..., 10:-10, 10:-10].mean())

    assert apart(along) < 0.4 * apart(at_rest)


def dreamed_on(studio, request, pixels):
    steps = studio.dream(request, [pixels])
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def test_an_enlarged_picture_is_not_compared_with_the_one_before(studio):
    request = asked(replace(RECIPE, octaves=1), region=LAYOUT.region, zoom=1.3)
    before = dreamed(studio, replace(request, zoom=1.0)).overlay
    found = [
        dreamed(studio, replace(request, recipe=replace(request.recipe, flow=flow)), before)
        for flow in (True, False)
    ]
    assert bytes(found[0].pixels) == bytes(found[1].pixels)
