"""The op looks: a request is checked before its pixels are, an answer before a host shows it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dreamlink.picture import Picture, PictureError, Region
from dreamlink.recipe.recipe import Recipe, RecipeError
from dreamlink.wire.looks import LOOKS_SIDE, LookAnswer, LooksRequest
from dreamlink.wire.messages import MessageError, pack, unpack

LAYOUT = Picture(30, 20, "U8", "BGRA")
RECIPES = [Recipe.of({"layer": f"features.{number}"}) for number in range(3, 12)]
REQUEST = LooksRequest.make(RECIPES, LAYOUT, Region(5, 5, 10, 10), mask=True, reduced=2.5)
SMALL = Picture(2, 1, "U8", "RGB")
LOOK: dict[str, Any] = {"op": "look", "index": 3, "complete": False, "preview": SMALL.to_dict()}


def test_a_request_survives_the_way() -> None:
    header = unpack(pack(REQUEST.header()))
    assert LooksRequest.announced(header, [LAYOUT.nbytes, 100]) == REQUEST
    assert LooksRequest.of(header, [bytes(LAYOUT.nbytes), bytes(100)]) == REQUEST
    assert [dream.recipe for dream in REQUEST.dreams] == RECIPES
    assert {dream.id for dream in REQUEST.dreams} == {REQUEST.id}
    assert all(dream.quick and dream.reduced == 2.5 for dream in REQUEST.dreams)


def test_another_id_is_that_of_all() -> None:
    other = REQUEST.with_id("other")
    assert other.id == "other"
    assert {dream.id for dream in other.dreams} == {"other"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recipes": []}, "1 to 9 recipes"),
        ({"recipes": [{}] * 10}, "1 to 9 recipes"),
        ({"recipes": {}}, "1 to 9 recipes"),
        ({"recipes": ["dogs"]}, "needs a recipe"),
        ({"recipes": [{}, {"steps": 0}]}, "steps must be between"),
        ({"recipes": [{}, {"layer": "10:"}]}, "10:"),
        ({"region": [25, 5, 10, 10]}, "outside"),
        ({"mask": False}, "don't fit their layout"),
        ({"mask": 1}, "mask has an invalid value"),
        ({"reduced": 0.5}, "can be reduced"),
        ({"reduced": "2"}, "reduced has an invalid value"),
        ({"picture": replace(LAYOUT, width=2000).to_dict()}, "don't fit|at most"),
    ],
)
def test_a_bad_request_is_a_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises((MessageError, PictureError, RecipeError), match=words):
        LooksRequest.announced({**REQUEST.header(), **changes}, [LAYOUT.nbytes, 100])


def test_what_looks_have_not_is_not_read() -> None:
    """A request can't ask for what only a dream may: keeping, a device, a long dream."""
    header = {**REQUEST.header(), "keep": True, "quick": False, "device": "cuda", "preview": 4000}
    assert LooksRequest.announced(header, [LAYOUT.nbytes, 100]) == REQUEST


def test_a_large_picture_is_refused() -> None:
    large = Picture(LOOKS_SIDE + 1, 8, "U8", "G")
    request = LooksRequest.make(RECIPES[:1], large, large.region)
    with pytest.raises(PictureError, match="at most 384 pixels"):
        LooksRequest.announced(request.header(), [large.nbytes])


def test_a_look_is_a_picture_or_a_reason() -> None:
    look = LookAnswer.of(LOOK, [bytearray(6)], 9)
    assert (look.index, look.complete, look.text) == (3, False, "")
    assert look.picture == (SMALL, bytearray(6))
    failed = LookAnswer.of({**LOOK, "complete": True, "text": "No such layer."}, [], 9)
    assert (failed.text, failed.picture) == ("No such layer.", None)


@pytest.mark.parametrize(
    ("changes", "frames"),
    [
        ({"index": 9}, [bytearray(6)]),
        ({"index": -1}, [bytearray(6)]),
        ({"index": True}, [bytearray(6)]),
        ({"complete": 1}, [bytearray(6)]),
        ({"text": 5}, [bytearray(6)]),
        ({"preview": None}, [bytearray(6)]),
        ({"preview": {**SMALL.to_dict(), "depth": "F32"}}, [bytearray(24)]),
        ({}, []),
        ({}, [bytearray(5)]),
        ({}, [bytearray(6), bytearray(6)]),
    ],
)
def test_a_damaged_look_is_refused(changes: dict[str, Any], frames: list[bytearray]) -> None:
    with pytest.raises(MessageError, match="invalid"):
        LookAnswer.of({**LOOK, **changes}, frames, 9)
