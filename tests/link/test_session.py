"""The session: inputs, reconnection, quick looks, records and films."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from dreamlink.picture import Picture, Region
from dreamlink.recipe.expression import parse
from dreamlink.recipe.recipe import Recipe, RecipeError
from dreamlink.session import dream_record, look_size
from dreamlink.session.dream_record import DreamRecord, RecordError
from dreamlink.session.film_options import DIVE, FilmError, FilmOptions, frame_fields
from dreamlink.session.inputs import Pixels, RequestInputs
from dreamlink.session.names import names
from dreamlink.session.quick_looks import LOOKING, QuickLooks
from dreamlink.session.reconnection import RECONNECTIONS_MAX, ReconnectPolicy
from dreamlink.wire.frame_order import in_frame_order
from dreamlink.wire.messages import DreamRequest, Frame, Header

REGION = Region(0, 0, 3, 2)


# Inputs


def inputs(**fields: Any) -> RequestInputs:
    return RequestInputs(Pixels(Picture(3, 2), bytes(24)), **fields)


def test_frame_order_is_picture_mask_strength_guide() -> None:
    assert in_frame_order("p", "m", "s", "g") == ["p", "m", "s", "g"]
    assert in_frame_order("p", guide="g") == ["p", "g"]


@pytest.mark.parametrize("mask", [None, bytes(6)])
@pytest.mark.parametrize("strength", [None, Pixels(Picture(3, 2, order="G"), bytes(6))])
@pytest.mark.parametrize("guide", [None, Pixels(Picture(5, 4, order="RGB"), bytes(60))])
def test_a_request_is_accepted_with_the_frames_of_its_inputs(
    mask: Frame | None, strength: Pixels | None, guide: Pixels | None
) -> None:
    whole = inputs(mask=mask, strength=strength, guide=guide)
    request = whole.request(Recipe(), REGION, live=True)
    read = DreamRequest.of(request.header(), whole.frames())
    assert read == request
    assert read.live
    assert (read.mask, bool(read.strength), bool(read.guide)) == (
        mask is not None,
        strength is not None,
        guide is not None,
    )


# Reconnection


def test_each_loss_allows_one_attempt() -> None:
    policy = ReconnectPolicy()
    assert policy.try_again()
    assert not policy.try_again(), "the first attempt has not succeeded"
    policy.connected()
    assert policy.try_again()


def test_a_connection_that_breaks_again_and_again_is_given_up() -> None:
    policy = ReconnectPolicy()
    for _ in range(RECONNECTIONS_MAX):
        assert policy.try_again()
        policy.connected()
    assert not policy.try_again()


# The size of a look


def test_a_picture_is_reduced_no_further_than_the_coarsest_octave() -> None:
    recipe = Recipe.of({"octaves": 3, "octave_scale": 2.0})
    assert look_size.reduction(Region(0, 0, 100, 50), recipe, 360) == 1.0
    assert look_size.reduction(Region(0, 0, 540, 720), recipe, 360) == 2.0
    assert look_size.reduction(Region(0, 0, 7200, 10), recipe, 360) == 4.0
    assert look_size.longest_side(recipe, 384) == 1536


def test_a_painted_picture_is_looked_at_whole() -> None:
    recipe = Recipe.of({"method": "painted", "octaves": 3, "octave_scale": 2.0})
    assert look_size.reduction(Region(0, 0, 7200, 10), recipe, 360) == 20.0
    assert look_size.longest_side(recipe, 384) >= 30_000
    from_noise = replace(recipe, start="noise")  # which is not painted
    assert look_size.longest_side(from_noise, 384) == 1536


def test_all_of_a_region_fits_into_a_look_and_its_surroundings_into_a_request() -> None:
    region = Region(10, 10, 768, 100)
    assert look_size.reduction_to_fit(region, Region(0, 0, 800, 120), 384) == 2.0
    assert look_size.reduction_to_fit(region, Region(0, 0, 768 * 4, 120), 384) == 4.0
    assert look_size.reduction_to_fit(Region(0, 0, 9, 9), Region(0, 0, 9, 9), 384) == 1.0


def test_the_recipe_of_a_look_has_shorter_feather_and_a_fixed_seed() -> None:
    recipe = Recipe.of({"feather": 12.0, "seed": 0})
    assert look_size.reduced_recipe(recipe, 4.0) == replace(recipe, feather=3.0, seed=1)
    assert look_size.reduced_recipe(replace(recipe, seed=7), 4.0).seed == 7


# Quick looks


class Connection:
    """A sender that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, header: Mapping[str, Any], *frames: Frame) -> None:
        self.sent.append(dict(header))

    @property
    def ops(self) -> list[str]:
        return [header["op"] for header in self.sent]


class Host:
    """Looks over a connection, with what was shown of them."""

    def __init__(self) -> None:
        self.connection = Connection()
        self.texts: list[str] = []
        self.looks = QuickLooks(lambda: self.texts.append(self.looks.text))

    def ask(self, **recipe: Any) -> dict[str, Any]:
        """Ask for a look and send it; the request's header."""
        whole = inputs()
        request = whole.request(Recipe.of({"seed": 1, **recipe}), REGION, quick=True)
        self.looks.ask(request, whole.frames())
        self.looks.send(self.connection)
        return self.connection.sent[-1]

    def answer(self, asked: dict[str, Any], op: str, *frames: bytes, **fields: Any) -> bool:
        if op == "done":
            fields = {"seconds": 1.0, "recipe": asked["recipe"], **fields}
        header = {"op": op, "id": asked["id"], **fields}
        return self.looks.receive(header, [bytearray(frame) for frame in frames])

    def pixels(self) -> bytes | None:
        return bytes(self.looks.picture[1]) if self.looks.picture else None


def test_a_look_gets_better_until_it_is_done() -> None:
    host = Host()
    asked = host.ask()
    assert host.looks.text == LOOKING
    preview = {"width": 1, "height": 1, "order": "RGB"}
    assert host.answer(asked, "progress", b"abc", fraction=0.5, text="Half.", preview=preview)
    assert (host.pixels(), host.looks.text, host.looks.busy) == (b"abc", "Half.", True)
    assert host.answer(asked, "done", bytes(range(24)))
    assert (host.pixels(), host.looks.text, host.looks.busy) == (bytes(range(24)), "", False)
    assert host.connection.ops == ["dream", "received"]


def test_a_newer_look_replaces_the_older_one() -> None:
    host = Host()
    old, new = host.ask(), host.ask(octaves=2)
    assert host.connection.ops == ["dream", "cancel", "dream"]
    assert not host.answer(old, "done", bytes(24)), "it was replaced"
    assert host.answer(new, "done", bytes(24))


def test_a_look_that_was_not_sent_is_never_sent() -> None:
    host, whole = Host(), inputs()
    for seed in (1, 2):
        request = whole.request(Recipe.of({"seed": seed}), REGION, quick=True)
        host.looks.ask(request, whole.frames())
    host.looks.send(host.connection)
    host.looks.send(host.connection)
    assert [header["recipe"]["seed"] for header in host.connection.sent] == [2]


def test_live_parameters_are_blended_when_the_look_is_done() -> None:
    host = Host()
    assert not host.looks.blend(Recipe.of({"strength": 0.5})), "there is no look to blend"
    asked = host.ask()
    assert host.looks.blend(Recipe.of({"strength": 0.5}))
    host.looks.send(host.connection)
    assert host.connection.ops == ["dream"]
    host.answer(asked, "done", bytes(24))
    assert host.looks.busy
    host.looks.send(host.connection)
    blend = host.connection.sent[-1]
    assert (blend["op"], blend["of"], blend["recipe"]["strength"]) == ("blend", asked["id"], 0.5)
    assert host.answer(blend, "done", b"\7" * 24)
    assert (host.pixels(), host.looks.busy) == (b"\7" * 24, False)


def test_after_a_failed_blend_the_next_change_dreams_anew() -> None:
    host = Host()
    host.answer(host.ask(), "done", bytes(24))
    assert host.looks.blend(Recipe.of({"strength": 0.5}))
    host.looks.send(host.connection)
    host.answer(host.connection.sent[-1], "error", text="That dream is gone.")
    assert (host.looks.text, host.looks.busy) == ("That dream is gone.", False)
    assert not host.looks.blend(Recipe.of({"strength": 0.7}))


def test_a_failed_look_says_why() -> None:
    host = Host()
    host.answer(host.ask(), "error", text="There is no such layer.")
    assert (host.looks.text, host.looks.busy) == ("There is no such layer.", False)
    assert not host.looks.blend(Recipe())


def test_a_look_whose_connection_is_gone_can_be_cancelled() -> None:
    class Broken(Connection):
        def send(self, header: Mapping[str, Any], *frames: Frame) -> None:
            super().send(header, *frames)
            if header["op"] == "cancel":
                raise ConnectionError

    host = Host()
    host.connection = Broken()
    host.ask()
    host.looks.cancel()
    assert host.connection.ops == ["dream", "cancel"]
    assert not host.looks.busy


# Records


def test_a_stored_record_is_read_back() -> None:
    recipe = Recipe.of({"seed": 7, "octaves": 2})
    entry = {**dream_record.origin("a", None, "selection"), "name": "cat", "selected": [1, 2, 3, 4]}
    record = DreamRecord.of(recipe.to_dict(), entry)
    assert record == DreamRecord(recipe, "a", None, "selection", "cat", [1, 2, 3, 4])


def test_parameters_of_a_newer_version_are_named_and_the_rest_is_read() -> None:
    record = DreamRecord.of({"seed": 7, "warmth": 3, "bloom": 1}, {"film": "nonsense"})
    assert (record.recipe.seed, record.unknown, record.film) == (7, ("bloom", "warmth"), None)


def test_a_record_with_an_invalid_recipe_is_refused() -> None:
    with pytest.raises(RecipeError):
        DreamRecord.of({"octaves": -1}, {})


def test_the_text_with_all_records_has_a_version() -> None:
    text = dream_record.write_records({"{id}": {"recipe": {"seed": 7}, "name": "Kätzchen"}})
    assert json.loads(text) == {
        "version": 1,
        "dreams": {"{id}": {"recipe": {"seed": 7}, "name": "Kätzchen"}},
    }
    assert dream_record.read_records(text) == json.loads(text)["dreams"]


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[]", b"7", b'{"dreams": 3}'])
def test_other_texts_have_no_records(text: bytes) -> None:
    assert dream_record.read_records(text) == {}


@pytest.mark.parametrize("version", [2, "two", None])
def test_records_of_a_newer_version_are_left_alone(version: object) -> None:
    with pytest.raises(RecordError, match="newer Dreamlayer"):
        dream_record.read_records(json.dumps({"version": version, "dreams": {}}).encode())


# Films


def test_stored_film_options_are_read_back() -> None:
    stored = {"kind": "dive", "first": 3, "last": 0, "carry": 0.25, "count": 9, "zoom": 1.5}
    assert FilmOptions.of(stored) == FilmOptions(DIVE, 3, 0, 0.25, 9, 1.5)
    assert FilmOptions.of({"else": 1}) == FilmOptions()


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "loop"},
        {"first": 2, "last": 1},
        {"first": -1},
        {"first": True},
        {"carry": 1.5},
        {"carry": 1},
        {"count": 0},
        {"zoom": 0.5},
        {"zoom": 3.0},
    ],
)
def test_film_options_that_make_no_film_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(FilmError):
        FilmOptions.of(values)


def test_each_frame_of_a_film_names_the_dream_before() -> None:
    assert frame_fields("", 0.5, 1.1) == {}
    assert frame_fields("id", 0.5) == {"after": "id", "carry": 0.5}
    assert frame_fields("id", zoom=1.1) == {"zoom": 1.1}
    assert frame_fields("id") == {}


# Names


@pytest.mark.parametrize(
    ("header", "offered"),
    [
        ({"op": "models", "models": [{"name": "vgg16"}]}, ["vgg16"]),
        ({"op": "layers", "layers": [{"name": "features.3"}]}, ["features.3"]),  # earlier daemons
        ({"op": "error", "text": "There is no network 'vgg'."}, []),
        (
            {
                "op": "layers",
                "layers": [{"name": "features.3"}],
                "kinds": [{"name": "big cats", "examples": ["lynx"]}, {"name": "snow + ice"}],
            },
            ["features.3", "kind:big cats", 'kind:"snow + ice"'],
        ),
    ],
)
def test_names_are_offered_as_they_can_be_typed(header: Header, offered: list[str]) -> None:
    assert names(header) == offered
    assert all(str(parse(name)) == name for name in offered)
