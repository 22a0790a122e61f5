"""Headers and requests: round trips, and refusal of invalid ones in a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamlink.picture import Edges, Picture, PictureError, Region
from dreamlink.recipe.recipe import Recipe, RecipeError
from dreamlink.wire.messages import (
    GUIDE_MAX,
    HEADER_MAX,
    QUICK_MAX,
    BlendRequest,
    DreamRequest,
    MessageError,
    new_id,
    pack,
    unpack,
)

PICTURE = Picture(12, 10, "U16", "RGBA")
plain = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False),
    st.text(max_size=20), st.binary(max_size=20),
)  # fmt: skip
values = st.recursive(
    plain,
    lambda v: st.one_of(
        st.lists(v, max_size=4), st.dictionaries(st.text(max_size=5), v, max_size=4)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=10), values, max_size=6), st.text(max_size=10))
def test_headers_survive_packing(header: dict[str, Any], op: str) -> None:
    header["op"] = op
    assert unpack(pack(header)) == header
    assert unpack(bytearray(pack(header))) == unpack(memoryview(pack(header))) == header


@given(st.binary(max_size=200))
def test_any_bytes_are_either_a_header_or_refused(data: bytes) -> None:
    try:
        header = unpack(data)
    except MessageError as error:
        assert str(error).endswith(".")
    else:
        assert isinstance(header["op"], str)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc0", b"\x81\x01\x02", pack({"op": 1}), pack({}), pack({"op": "x"}) + b"\x00",
     b"\x91" * 3000 + b"\xc0", bytes(HEADER_MAX + 1)],
)  # fmt: skip
def test_invalid_headers_are_refused(data: bytes) -> None:
    with pytest.raises(MessageError):
        unpack(data)


def test_ids_do_not_repeat() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000


@st.composite
def requests(draw: st.DrawFn) -> tuple[DreamRequest, list[bytes]]:
    order = draw(st.sampled_from(["RGBA", "RGB", "G", "GA", "BGRA"]))
    picture = Picture(draw(st.integers(1, 20)), draw(st.integers(1, 20)), "U8", order)
    x, y = draw(st.integers(0, picture.width - 1)), draw(st.integers(0, picture.height - 1))
    width, height = (
        draw(st.integers(1, picture.width - x)),
        draw(st.integers(1, picture.height - y)),
    )
    mask = draw(st.booleans())
    guide = draw(st.none() | st.builds(Picture, st.integers(1, 20), st.integers(1, 20)))
    depths, orders = st.sampled_from(["U8", "U16", "F16", "F32"]), st.sampled_from(["G", "RGBA"])
    maps = st.builds(Picture, st.just(width), st.just(height), depths, orders)
    strength = draw(st.none() | maps)
    whole = (width, height) == (picture.width, picture.height)
    request = DreamRequest(
        Recipe.of({"seed": draw(st.integers(0, 100)), "roll": draw(st.booleans())}),
        picture,
        Region(x, y, width, height),
        mask=mask,
        guide=guide,
        edges=draw(st.none() | st.builds(Edges, *[st.booleans()] * 4)),
        clip=draw(st.booleans()) and "A" in order,
        preview=draw(st.integers(0, 4096)),
        gain=draw(st.booleans()),
        device=draw(st.sampled_from(["auto", "cpu", "cuda:1"])),
        strength=strength,
        live=draw(st.booleans()),
        **draw(st.sampled_from([{}, {"after": "before"}, {"after": "before", "carry": 0.5}])),
        zoom=draw(st.floats(1.0, 2.0)) if whole else 1.0,
        **draw(st.sampled_from([{}, {"quick": True, "reduced": 2.5}, {"keep": True}])),
    )
    frames = [bytes(picture.nbytes)]
    if mask:
        frames.append(bytes(width * height))
    if strength:
        frames.append(bytes(strength.nbytes))
    if guide:
        frames.append(bytes(guide.nbytes))
    return request, frames


@given(requests())
def test_requests_survive_the_wire(case: tuple[DreamRequest, list[bytes]]) -> None:
    request, frames = case
    received = DreamRequest.of(unpack(pack(request.header())), frames)
    assert received == request
    assert received.result.width == request.region.width
    assert received.result.nbytes == (
        request.region.width * request.region.height * request.picture.samples
    )


def header(**change: Any) -> dict[str, Any]:
    request = DreamRequest(Recipe.of({}), PICTURE, PICTURE.region)
    return {**request.header(), **change}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"recipe": "bold"}, MessageError),
        ({"recipe": {"octaves": 0}}, RecipeError),
        ({"picture": {}}, PictureError),
        ({"region": [0, 0, 13, 10]}, PictureError),
        ({"region": [-1, 0, 5, 5]}, PictureError),
        ({"region": [0, 0, -5, 5]}, PictureError),
        ({"preview": 4097}, MessageError),
        ({"preview": 1.0}, MessageError),
        ({"gain": 1}, MessageError),
        ({"live": 1}, MessageError),
        ({"strength": {}}, PictureError),
        ({"strength": Picture(12, 9, "U8", "G").to_dict()}, PictureError),
        ({"strength": Picture(12, 10, "U8", "G").to_dict()}, MessageError),  # its pixels lack
        ({"carry": 0.5}, MessageError),
        ({"carry": 1.5, "after": "before"}, MessageError),
        ({"carry": float("nan"), "after": "before"}, MessageError),
        ({"after": "a" * 101}, MessageError),
        ({"zoom": 0.99}, MessageError),
        ({"zoom": 2.01}, MessageError),
        ({"zoom": float("nan")}, MessageError),
        ({"zoom": 1.5, "region": [0, 0, 12, 9]}, MessageError),
        ({"clip": None}, MessageError),
        ({"id": 5}, MessageError),
        ({"guide": 5}, PictureError),
        ({"guide": Picture(GUIDE_MAX + 1, 1).to_dict()}, PictureError),
        ({"edges": [True, True, True]}, PictureError),
        ({"edges": [1, 1, 1, 1]}, PictureError),
        ({"device": "d" * 101}, MessageError),
        ({"quick": 1}, MessageError),
        ({"keep": None}, MessageError),
        ({"quick": True, "keep": True}, MessageError),
        ({"reduced": 2.0}, MessageError),  # but for a quick one
        ({"quick": True, "reduced": 0.5}, MessageError),
        ({"quick": True, "reduced": float("nan")}, MessageError),
        ({"quick": True, "reduced": "2"}, MessageError),
        ({"keep": True, "id": "x" * 15}, MessageError),
    ],
)
def test_invalid_requests_are_refused(change: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=r"\.$"):
        DreamRequest.of(header(**change), [bytes(PICTURE.nbytes)])


def test_a_quick_dream_has_a_small_picture() -> None:
    for size in ((QUICK_MAX, 1), (1, QUICK_MAX)):
        small = Picture(*size, "U8", "G")
        request = DreamRequest(Recipe(), small, small.region, quick=True)
        assert DreamRequest.of(request.header(), [bytes(small.nbytes)]).quick
    for size in ((QUICK_MAX + 1, 1), (1, QUICK_MAX + 1)):
        large = Picture(*size, "U8", "G")
        request = DreamRequest(Recipe(), large, large.region, quick=True)
        with pytest.raises(MessageError, match=r"768 pixels"):
            DreamRequest.of(request.header(), [bytes(large.nbytes)])


def test_frames_must_have_the_announced_lengths() -> None:
    good = bytes(PICTURE.nbytes)
    assert DreamRequest.of(header(), [memoryview(good).cast("H")]).picture == PICTURE
    mask = bytes(120)
    assert DreamRequest.of(header(mask=True), [good, mask]).mask
    for frames in ([], [good[:-1]], [good + b"x"], [good, mask]):
        with pytest.raises(MessageError, match="don't fit"):
            DreamRequest.of(header(), frames)
    guide, shades = Picture(6, 5, "U8", "RGB").to_dict(), bytes(90)
    assert DreamRequest.of(header(guide=guide), [good, shades]).guide == Picture(6, 5, "U8", "RGB")
    assert DreamRequest.of(header(guide=guide, mask=True), [good, mask, shades]).mask
    for frames in ([good, mask[:-1]], [good, shades], [good, mask, shades]):
        with pytest.raises(MessageError, match="don't fit"):
            DreamRequest.of(header(mask=True), frames)
    with pytest.raises(MessageError, match="don't fit"):
        DreamRequest.of(header(guide=guide, mask=True), [good, shades, mask])


@pytest.mark.parametrize(
    ("region", "edges"),
    [
        (Region(0, 0, 12, 10), Edges(True, True, True, True)),
        (Region(2, 0, 10, 9), Edges(False, True, True, False)),
        (Region(0, 3, 5, 7), Edges(True, False, False, True)),
    ],
)
def test_edges_default_to_those_of_the_pixels_sent(region: Region, edges: Edges) -> None:
    assert DreamRequest(Recipe(), PICTURE, region).own_edges == edges
    said = Edges(False, False, False, True)
    assert DreamRequest(Recipe(), PICTURE, region, edges=said).own_edges == said


def test_blends_survive_the_wire() -> None:
    request = BlendRequest("a dream", Recipe(strength=0.3))
    assert BlendRequest.read(unpack(pack(request.header()))) == request
    for odd in ({"recipe": {}}, {"of": "x"}, {"of": "x", "recipe": 3}, {"of": 1, "recipe": {}}):
        with pytest.raises(MessageError):
            BlendRequest.read({"op": "blend", **odd})


def test_clip_needs_a_picture_with_alpha() -> None:
    opaque = Picture(4, 4, "U8", "RGB")
    with pytest.raises(MessageError, match="alpha"):
        DreamRequest.of(
            header(picture=opaque.to_dict(), region=[0, 0, 4, 4], clip=True), [bytes(48)]
        )
