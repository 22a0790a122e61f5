"""Imagining from noise: the right content, repeatable, at any size, and cancellable."""

import pytest
import torch

from dreamlayer.engine.imagine.imagine import imagine
from dreamlayer.engine.objectives.binding import bind
from dreamlayer.networks.network import extract
from dreamlayer.networks.registry import registry
from dreamlink.recipe.recipe import Recipe
from tests.engine.unseen import imagined, probabilities

MODEL = "squeezenet1_1"
pytestmark = pytest.mark.slow


def recipe_for(layer, **more):
    return Recipe.of({"layer": layer, "steps": 1, **more})


@pytest.fixture(scope="module")
def classifier():
    return extract(MODEL, ["class"])


@pytest.fixture(scope="module")
def early():
    return extract(MODEL, ["4"])


@pytest.mark.parametrize("name", ["castle", "strawberry"])
def test_an_imagined_class_is_recognised_in_unseen_views(name, classifier):
    """At a reduced size and fewer steps; in full: tests/bench/classes.py."""
    picture = imagined(recipe_for(f"class:{name}", steps=6), (128, 128), 1, classifier)
    found = probabilities(picture, classifier)[:, registry.class_number(MODEL, name)]
    assert found.mean() >= 0.95
    assert found.min() >= 0.8


def test_a_channel_is_excited_more_than_the_others():
    network = extract(MODEL, ["9"])
    picture = imagined(recipe_for("9:10"), (96, 96), 1, network)
    with torch.no_grad():
        activity = network(picture)[0].mean(dim=(0, 2, 3))
    assert activity.argmax() == 10
    assert activity[10] > 10 * activity.median()


def test_a_channel_inactive_in_noise_becomes_active():
    """Channel 67 of layer 12 is zero everywhere in grey noise, so it has no gradient."""
    network = extract(MODEL, ["12"])
    grey = torch.full((1, 3, 128, 128), 0.5)
    noise = torch.randn(grey.shape, generator=torch.Generator().manual_seed(1))
    picture = imagined(recipe_for("12:67", steps=4), (128, 128), 1, network)
    with torch.no_grad():
        assert network(grey + 0.1 * noise)[0][0, 67].max() == 0
        assert network(picture)[0][0, 67].max() > 0


@pytest.mark.parametrize("size", [(1, 1), (5, 301), (129, 33), (64, 64)])
@pytest.mark.parametrize("wrap", [False, True])
def test_any_size_can_be_imagined(size, wrap, early):
    picture = imagined(recipe_for("4:9", wrap=wrap), size, 1, early)
    assert picture.shape == (1, 3, *size)
    assert picture.dtype == torch.float32
    assert 0 <= picture.min() <= picture.max() <= 1


def test_the_same_seed_imagines_the_same_picture(early):
    recipe = recipe_for("4:9")
    torch.manual_seed(1)
    one = imagined(recipe, (64, 48), 5, early)
    torch.manual_seed(2)  # the global generator is not used
    assert torch.equal(one, imagined(recipe, (64, 48), 5, early))
    assert not torch.allclose(one, imagined(recipe, (64, 48), 6, early), atol=0.1)


def test_more_steps_imagine_more(early):
    faint, deep = (imagined(recipe_for("4:9", steps=n), (64, 64), 1, early) for n in (3, 10))
    with torch.no_grad():
        assert early(deep)[0][0, 9].mean() > early(faint)[0][0, 9].mean()


def recording(network):
    """The network, and the sizes of all its inputs."""
    sizes = []

    def record(picture):
        sizes.append(tuple(picture.shape[-2:]))
        return network(picture)

    record.minimum, record.device, record.dtype = network.minimum, network.device, network.dtype
    return record, sizes


def test_imagining_can_be_stopped_after_every_step(early):
    network, seen = recording(early)
    recipe = recipe_for("4:9")
    objective = bind(recipe.expression(), early)
    steps = imagine((64, 64), network, objective, recipe, torch.Generator().manual_seed(1))
    fractions = [next(steps) for _ in range(3)]
    steps.close()
    assert len(seen) == 3
    assert 0 < fractions[0] < fractions[1] < fractions[2] < 1
    assert torch.is_grad_enabled()


def test_a_large_picture_starts_at_a_small_size(early):
    """So that it becomes one object in the middle, not many small ones."""
    network, seen = recording(early)
    recipe = recipe_for("4:9")
    objective = bind(recipe.expression(), early)
    steps = imagine((30, 300), network, objective, recipe, torch.Generator().manual_seed(1))
    assert list(steps)[-1] == 1.0
    assert set(seen) == {(22, 224), (30, 300)}
    assert seen == sorted(seen)


def test_progress_ends_at_one(early):
    recipe = recipe_for("4:9")
    objective = bind(recipe.expression(), early)
    steps = imagine((32, 32), early, objective, recipe, torch.Generator().manual_seed(1))
    assert list(steps)[-1] == 1.0


def test_a_seamless_picture_is_continuous_across_its_edges(early):
    def edge_over_inside(picture):
        across = (picture[..., 0] - picture[..., -1]).abs().mean()
        return across / (picture[..., 1:] - picture[..., :-1]).abs().mean()

    seamless, plain = (
        imagined(recipe_for("4", wrap=wrap, steps=5), (96, 128), 1, early) for wrap in (True, False)
    )
    assert edge_over_inside(seamless) < 1.5
    with torch.no_grad():
        found = early(seamless.roll((48, 64), (2, 3)))[0].square().mean(dim=(0, 1))
    rows, columns = (side // 2 for side in found.shape)
    assert found[:, columns - 1 : columns + 1].mean() > 0.5 * found.mean()
    assert found[rows - 1 : rows + 1].mean() > 0.5 * found.mean()
    assert edge_over_inside(plain) > 1.5
