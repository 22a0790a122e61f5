"""Several looks at one picture by the real studio: their order, their ends, what goes wrong."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from dreamlayer.runtime.interruption import Interrupted, interruptible
from dreamlayer.studio.local import LocalStudio
from dreamlayer.studio.looks import computing_order
from dreamlayer.studio.progress import RecipeLook
from dreamlink.picture import Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.looks import LooksRequest
from tests.engine.looks import photo

DOGS = Recipe.of({"layer": "kind:dogs", "method": "painted", "seed": 1})
FUR = Recipe.of({"layer": "features.10", "seed": 1})
LITE = Recipe.of({"model": "efficientnet-lite0", "layer": "4", "seed": 1})
BROKEN = Recipe.of({"layer": "features.99", "seed": 1})


@pytest.fixture(scope="module")
def studio() -> LocalStudio:
    return LocalStudio()


@pytest.fixture(scope="module")
def pixels() -> tuple[Picture, bytes]:
    cat = (photo("chelsea.png", 128)[0].permute(1, 2, 0) * 255).byte().numpy()
    opaque = np.full((*cat.shape[:2], 1), 255, np.uint8)
    layout = Picture(cat.shape[1], cat.shape[0], "U8", "RGBA")
    return layout, np.concatenate([cat, opaque], 2).tobytes()


def take(
    studio: LocalStudio, recipes: list[Recipe], pixels: tuple[Picture, bytes]
) -> list[RecipeLook]:
    layout, frame = pixels
    request = LooksRequest.make(recipes, layout, layout.region, reduced=3.0)
    return [step.look for step in studio.looks(request, [frame]) if step.look is not None]


def test_every_recipe_is_looked_at_roughly_before_one_is_finished(
    studio: LocalStudio, pixels: tuple[Picture, bytes]
) -> None:
    looks = take(studio, [DOGS, LITE, FUR], pixels)
    first = {look.index: place for place, look in reversed(list(enumerate(looks)))}
    done = {look.index: place for place, look in enumerate(looks) if look.complete}
    assert set(first) == set(done) == {0, 1, 2}
    assert max(first.values()) == 2
    assert first[0] == 0, "the middle comes first"
    frames = []
    for look in looks:
        assert look.picture is not None
        layout, frame = look.picture
        assert layout == Picture(pixels[0].width, pixels[0].height, "U8", "RGB")
        assert len(frame) == layout.nbytes
        frames.append(bytes(frame))
    assert len(set(frames)) == len(frames), "no look is like another"


def test_a_look_does_not_depend_on_those_beside_it(
    studio: LocalStudio, pixels: tuple[Picture, bytes]
) -> None:
    (alone,) = [look for look in take(studio, [FUR], pixels) if look.complete]
    beside = [look for look in take(studio, [DOGS, FUR], pixels) if look.complete]
    assert alone.picture == next(look for look in beside if look.index == 1).picture


def test_an_unknown_layer_is_told_and_the_others_go_on(
    studio: LocalStudio, pixels: tuple[Picture, bytes]
) -> None:
    looks = take(studio, [BROKEN, FUR], pixels)
    (broken,) = [look for look in looks if look.index == 0]
    assert broken.complete and broken.picture is None and "features.99" in str(broken.error)
    assert any(look.index == 1 and look.complete and look.picture for look in looks)


def test_only_what_is_selected_changes(studio: LocalStudio, pixels: tuple[Picture, bytes]) -> None:
    layout, frame = pixels
    region = Region(16, 8, 64, 48)
    mask = np.zeros((48, 64), np.uint8)
    mask[:, :32] = 255
    request = LooksRequest.make([FUR], layout, region, mask=True, reduced=3.0)
    looks = [step.look for step in studio.looks(request, [frame, mask.tobytes()]) if step.look]
    assert looks[-1].picture is not None
    picture, seen = looks[-1].picture
    assert (picture.width, picture.height) == (64, 48)
    got = np.frombuffer(bytes(seen), np.uint8).reshape(48, 64, 3)
    sent = np.frombuffer(frame, np.uint8).reshape(layout.height, layout.width, 4)
    before = sent[8:56, 16:80, :3]
    assert (got[:, 32:] == before[:, 32:]).all() and (got[:, :32] != before[:, :32]).any()


def test_closing_ends_all_and_leaves_the_number_of_threads(
    studio: LocalStudio, pixels: tuple[Picture, bytes]
) -> None:
    layout, frame = pixels
    usual = torch.get_num_threads()
    steps = studio.looks(LooksRequest.make([DOGS, FUR], layout, layout.region), [frame])
    for _ in range(3):
        next(steps)
        assert torch.get_num_threads() == usual
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


def test_an_interruption_is_no_look(studio: LocalStudio, pixels: tuple[Picture, bytes]) -> None:
    layout, frame = pixels
    ended = [False]
    steps = studio.looks(LooksRequest.make([DOGS] * 9, layout, layout.region), [frame])
    with interruptible(lambda: ended[0]), pytest.raises(Interrupted):
        for count, step in enumerate(steps):
            assert step.look is None or step.look.error is None
            ended[0] = count > 5
            began = time.monotonic()
    assert time.monotonic() - began < 2.0


def test_recipes_of_a_network_are_computed_together() -> None:
    layout = Picture(8, 8, "U8", "RGB")
    recipes = [FUR, LITE, DOGS, FUR, LITE]
    order = computing_order(LooksRequest.make(recipes, layout, layout.region))
    assert order == [0, 3, 2, 1, 4]
