"""The colours of a dream map: round trips, and refusal of what binds none in a sentence."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dreamlink.picture import Picture, PictureError
from dreamlink.recipe.bindings import (
    BINDINGS_MAX,
    LEAST_DISTANCE,
    Binding,
    bindings_text,
    parse_bindings,
)
from dreamlink.recipe.expression import parse
from dreamlink.recipe.recipe import Recipe, RecipeError
from dreamlink.session.inputs import Pixels, RequestInputs
from dreamlink.wire.messages import DreamRequest, MessageError, pack, unpack

TEXTS = ("10:30", "kind:big cats", "class:castle - 3*0.5", 'class:"a; b" + 6', "sum(10:3, 12)")
level = st.integers(0, 255)
one = st.builds(Binding, st.tuples(level, level, level), st.sampled_from(TEXTS).map(parse))


@given(st.lists(one, min_size=1, max_size=BINDINGS_MAX))
def test_bindings_survive_their_text(bindings: list[Binding]) -> None:
    assume(all(a.distance(b) >= LEAST_DISTANCE for a, b in combinations(bindings, 2)))
    assert parse_bindings(bindings_text(bindings)) == tuple(bindings)
    recipe = Recipe.of({"bind": bindings_text(bindings)})
    assert Recipe.of(recipe.to_dict()).bindings() == tuple(bindings)
    assert recipe.expressions() == tuple(bound.expression for bound in bindings)


def test_a_recipe_without_bindings_dreams_its_layer() -> None:
    assert Recipe.of({"bind": "  "}).expressions() == (Recipe().expression(),)
    assert Recipe.of({"bind": "#FF0000 = 10:guide;"}).needs_guide
    assert not Recipe.of({"layer": "10:guide", "bind": "#ff0000=10"}).needs_guide


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("red=10", "write a colour and what to dream there"),
        ("#ff00=10", "write a colour"),
        ("10:30", "binds no colour"),
        ("#ff0000=", "stands for nothing"),
        ("#ff0000=10:", "For #ff0000 of the dream map"),
        ("#ff0000=10; #FF0000=12", "bound twice"),
        ("#ff0000=10; #fe0510=12", "can hardly be told apart"),
        ("; ".join(f"#{n * 28:02x}0000=10" for n in range(9)), "at most 8"),
    ],
)
def test_what_binds_no_colour_is_refused_in_a_sentence(text: str, part: str) -> None:
    with pytest.raises(RecipeError, match=part) as caught:
        Recipe.of({"bind": text})
    assert str(caught.value).endswith(".")


def inputs(width: int = 5, height: int = 4) -> RequestInputs:
    return RequestInputs(
        Pixels(Picture(12, 10, "U8", "RGB"), bytes(360)),
        guide=Pixels(Picture(3, 2, "U8", "G"), bytes(6)),
        dream_map=Pixels(Picture(width, height, "U8", "RGBA"), bytes(width * height * 4)),
    )


def test_a_request_carries_the_map_as_its_last_frame() -> None:
    sent = inputs()
    request = sent.request(Recipe.of({"bind": "#ff0000=10"}), sent.picture.layout.region)
    frames = sent.frames()
    assert [len(frame) for frame in frames] == [360, 6, 80]
    assert DreamRequest.of(unpack(pack(request.header())), frames) == request
    with pytest.raises(MessageError, match="don't fit"):
        DreamRequest.of(request.header(), frames[:-1])


def test_a_header_without_a_map_is_one_of_before() -> None:
    request = DreamRequest(Recipe(), Picture(2, 2, "U8", "G"), Picture(2, 2).region)
    header = request.header()
    del header["map"]
    assert DreamRequest.of(header, [bytes(4)]) == request


def test_a_map_larger_than_its_region_is_refused() -> None:
    layout = Picture(12, 10, "U8", "G")
    request = DreamRequest(
        Recipe(), layout, layout.region, dream_map=Picture(4096, 1025, "U8", "G")
    )
    with pytest.raises(PictureError, match="larger than the region"):
        DreamRequest.announced(request.header(), [120, 4096 * 1025])
