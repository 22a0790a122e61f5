"""The op see: a request is checked before its pixels are, an answer before a host shows it."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from dreamlink.picture import Picture, PictureError, Region
from dreamlink.wire.messages import MessageError, pack, unpack
from dreamlink.wire.seeing import SEE_MAX, Seen, SeeRequest

LAYOUT = Picture(30, 20, "U8", "RGB")
REQUEST = SeeRequest(LAYOUT, Region(5, 5, 10, 10), mask=True, model="squeezenet1_1", layers=("12",))
ROW = {
    "address": "squeezenet1_1/features.12/7", "model": "squeezenet1_1", "name": "7",
    "expression": "features.12:7", "score": 2.5, "peak": 4.0, "place": [1.0, 2.0],
}  # fmt: skip
ANSWER: dict[str, Any] = {
    "op": "seen", "channels": [ROW], "layers": [ROW], "kinds": [], "notes": ["A note."],
    "classes": [{"model": "m", "number": 3, "name": "cat", "probability": 0.5}],
    "together": [{"model": "m", "expression": "1:2*0.5"}],
    "heat": {"width": 3, "height": 2},
}  # fmt: skip


def test_a_request_survives_the_way() -> None:
    header = unpack(pack(REQUEST.header()))
    assert SeeRequest.announced(header, [LAYOUT.nbytes, 100]) == REQUEST
    assert SeeRequest.of(header, [bytes(LAYOUT.nbytes), bytes(100)]) == REQUEST


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"region": [25, 5, 10, 10]}, "outside"),
        ({"region": [5, 5, 0, 10]}, "outside"),
        ({"region": "all"}, "four whole numbers"),
        ({"count": 0}, "count must be between 1 and 64"),
        ({"count": True}, "count has an invalid value"),
        ({"layers": "features.12"}, "layers must be a list"),
        ({"layers": ["12"] * 65}, "layers must be a list"),
        ({"layers": [12]}, "a layer has an invalid value"),
        ({"model": ""}, "name it in model"),
        ({"model": "x" * 101}, "model has an invalid value"),
        ({"thumbnails": 1}, "thumbnails has an invalid value"),
        ({"mask": 1}, "mask has an invalid value"),
        ({"mask": False}, "don't fit their layout"),
        ({"picture": replace(LAYOUT, width=SEE_MAX + 1).to_dict()}, "at most 2048 pixels"),
        ({"picture": None}, "described by"),
    ],
)
def test_a_bad_request_is_a_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises((MessageError, PictureError), match=words):
        SeeRequest.announced({**REQUEST.header(), **changes}, [LAYOUT.nbytes, 100])


def test_an_answer_is_rows_with_their_heat_maps() -> None:
    seen = Seen.of(ANSWER, [bytes(range(12))])
    assert seen.channels[0].heat == bytes(range(6))
    assert seen.layers[0].heat == bytes(range(6, 12))
    assert seen.channels[0].place == (1.0, 2.0)
    assert (seen.heat_size, seen.notes, seen.classes[0].name) == ((3, 2), ("A note.",), "cat")


def test_thumbnails_go_to_the_rows_that_have_one() -> None:
    other = {**ROW, "thumbnail": True, "specific": False}
    answer = {**ANSWER, "channels": [ROW, other], "thumbnails": {"side": 2}}
    seen = Seen.of(answer, [bytes(18), bytes(range(12))])
    assert [row.thumbnail for row in seen.channels] == [b"", bytes(range(12))]
    assert [row.specific for row in seen.channels] == [True, False]
    assert (seen.thumbnail_side, seen.layers[0].thumbnail) == (2, b"")
    for frames in ([bytes(18)], [bytes(18), bytes(11)], [bytes(18), bytes(12), b""]):
        with pytest.raises(MessageError, match="answer is invalid"):
            Seen.of(answer, frames)


def broken() -> list[Any]:
    """Answers with one thing missing or wrong."""
    found = []
    for name in ("channels", "layers", "kinds", "classes", "together", "heat"):
        found += [{key: value for key, value in ANSWER.items() if key != name}]
        found += [{**ANSWER, name: value} for value in (None, 7, "x", [None], [ROW] * 65)]
    for name in ROW:
        for value in (None, [], float("nan"), {}, "x" * 2000):
            answer = copy.deepcopy(ANSWER)
            answer["channels"][0][name] = value
            found.append(answer)
    found += [{**ANSWER, "heat": {"width": 0, "height": 2}}]
    found += [{**ANSWER, "thumbnails": value} for value in ([], {"side": 257}, {"side": "64"})]
    return found


@pytest.mark.parametrize("answer", broken())
def test_a_broken_answer_is_a_sentence(answer: dict[str, Any]) -> None:
    with pytest.raises(MessageError, match="answer is invalid"):
        Seen.of(answer, [bytes(12)])


@pytest.mark.parametrize("frames", [[], [bytes(11)], [bytes(12), bytes(1)]])
def test_heat_maps_that_do_not_fit_are_a_sentence(frames: list[bytes]) -> None:
    with pytest.raises(MessageError, match="heat maps"):
        Seen.of(ANSWER, frames)
