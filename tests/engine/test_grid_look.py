"""A look for a grid: soon something that tells one dream from another, then the dream itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from dreamlayer.engine import grid_look
from dreamlayer.engine.grid_look import run_grid_look
from dreamlayer.engine.image import resize
from dreamlayer.engine.image.planes import read_all
from dreamlayer.engine.objectives.binding import network_for
from dreamlayer.engine.quick_look import QuickLook, run_quick_look
from dreamlayer.geometry import Span, Window
from dreamlink.recipe import presets
from dreamlink.recipe.recipe import Recipe
from tests.engine.looks import photo

DOGS = replace(presets.find("dogs").recipe(), seed=3)
STEPS = Recipe.of({"seed": 3, "steps": 30})


@pytest.fixture(scope="module")
def cat() -> Tensor:
    return photo("chelsea.png", 160)


def looks(picture: Tensor, recipe: Recipe, reduced: float, run=run_grid_look, **more) -> list:  # type: ignore[no-untyped-def, type-arg]
    """The details of all looks of a picture; checks that progress only grows."""
    window = more.pop("window", Window.whole(*picture.shape[-2:]))
    steps = run(picture, network_for(recipe), recipe, window, reduced, **more)
    found, fractions = [], [0.0]
    while True:
        try:
            now = next(steps)
        except StopIteration as end:
            assert fractions == sorted(fractions) and fractions[-1] <= 1.0
            return [*found, read_all(end.value.detail)]
        fractions.append(now.fraction)
        if isinstance(now, QuickLook):
            found.append(read_all(now.result.detail))


def alike(one: Tensor, other: Tensor) -> float:
    """The cosine of two details, ignoring everything finer than four pixels."""
    small = (one.shape[-2] // 4, one.shape[-1] // 4)
    one, other = (resize.resize(detail, small).flatten() for detail in (one, other))
    return float(F.cosine_similarity(one, other, 0))


@pytest.mark.parametrize("recipe", [DOGS, STEPS])
def test_a_rough_look_comes_first_and_is_seen(cat: Tensor, recipe: Recipe) -> None:
    rough, fine = looks(cat, recipe, 3.0)
    assert rough.shape == fine.shape == cat.shape
    assert 0.7 < rough.std() / fine.std() < 1.4, "too faint, or too harsh"


@pytest.mark.parametrize("recipe", [DOGS, STEPS])
def test_the_finished_look_shows_what_the_quick_look_shows(cat: Tensor, recipe: Recipe) -> None:
    fine = looks(cat, recipe, 2.5)[-1]
    quick = looks(cat, recipe, 2.5, run_quick_look)[-1]
    assert alike(fine, quick) > 0.3
    other = looks(cat, replace(recipe, layer="features.6"), 2.5)[-1]
    assert alike(fine, quick) > alike(other, quick) + 0.1


def test_the_same_seed_gives_the_same_look(cat: Tensor) -> None:
    assert all(map(torch.equal, looks(cat, DOGS, 3.0), looks(cat, DOGS, 3.0)))


def test_larger_and_finer_things_differ(cat: Tensor) -> None:
    one = looks(cat, DOGS, 3.0)
    for size in (0.6, 1.6):
        other = looks(cat, replace(DOGS, size=size), 3.0)
        assert all(alike(a, b) < 0.9 for a, b in zip(one, other, strict=True)), size


def test_only_the_window_dreams_and_not_where_the_mask_is_black(cat: Tensor) -> None:
    height, width = cat.shape[-2:]
    window = Window(Span(10, height - 10), Span(20, width - 20))
    mask = torch.ones(1, 1, *window.size)
    mask[..., :30] = 0
    for detail in looks(cat, DOGS, 3.0, window=window, mask=mask):
        assert detail.shape[-2:] == window.size
        assert not detail[..., :30].any() and detail[..., 30:].any()


def test_one_pass_is_enough_where_it_is_as_quick() -> None:
    window = Window.whole(40, 60)
    few = replace(STEPS, steps=2)
    assert len(grid_look._passes((40, 60), window, few, 3.0, 32)) == 1
    assert len(grid_look._passes((128, 192), Window.whole(128, 192), STEPS, 3.0, 32)) == 2


@pytest.mark.parametrize("reduced", [1.0, 2.4, 16.0, 80.0])
def test_the_work_is_limited_whatever_the_picture(reduced: float) -> None:
    size = (192, 192)
    for name in presets.PRESETS:
        recipe = presets.find(name).recipe()
        if recipe.method != "painted" or recipe.start == "noise":
            continue
        rough, fine = grid_look._passes(size, Window.whole(*size), recipe, reduced, 32)
        assert rough.work <= 8 * 208**2
        assert fine.work <= max(grid_look.FINE_WORK, 12 * (2.4 * 192) ** 2) * 1.05


def test_from_noise_takes_few_steps() -> None:
    recipe = replace(presets.find("volcano").recipe(), steps=40)
    rough, fine = grid_look._passes((128, 192), Window.whole(128, 192), recipe, 3.0, 32)
    assert (rough.recipe.steps, fine.recipe.steps) == (3, 8)
