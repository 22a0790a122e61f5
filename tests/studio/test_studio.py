"""The local studio's results, with the real network on small pictures."""

from dataclasses import replace

import numpy as np
import pytest

from dreamlayer.networks.kinds import kinds
from dreamlayer.networks.kinds.classes import KINDS
from dreamlayer.networks.network import Network
from dreamlayer.networks.registry import registry
from dreamlayer.studio.local import LocalStudio
from dreamlayer.studio.model_list import EXAMPLES
from dreamlink.picture import Edges, Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.messages import DreamRequest

QUICK = Recipe.of({"octaves": 1, "steps": 1, "seed": 4})


@pytest.fixture(scope="module")
def studio():
    return LocalStudio()


def finish(studio, request, *frames):
    steps, seen = studio.dream(request, frames), []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as done:
            return done.value, seen


def random_pixels(layout):
    rng = np.random.default_rng(1)
    size = (layout.height, layout.width, layout.samples)
    if layout.depth.startswith("U"):
        return rng.integers(0, 256, size).astype({"U8": "u1", "U16": "u2"}[layout.depth])
    return rng.random(size).astype({"F16": "f2", "F32": "f4"}[layout.depth])


@pytest.mark.parametrize("depth", ["U8", "U16", "F16", "F32"])
@pytest.mark.parametrize("order", ["RGBA", "BGRA", "RGB", "GA", "G"])
def test_every_layout_is_dreamed_and_keeps_its_alpha(studio, depth, order):
    layout = Picture(48, 40, depth, order, "linear" if depth != "U8" else "srgb")
    raw = random_pixels(layout)
    finished, _ = finish(studio, DreamRequest(QUICK, layout, layout.region), raw.tobytes())
    result = np.frombuffer(finished.pixels, raw.dtype).reshape(raw.shape)
    assert len(finished.pixels) == layout.nbytes
    if order in ("RGBA", "BGRA", "GA"):
        assert np.array_equal(result[..., -1], raw[..., -1])
    assert (result != raw).any()


def test_the_order_of_the_channels_does_not_matter_to_the_dream(studio):
    rgba = Picture(40, 40)
    raw = random_pixels(rgba)
    straight, _ = finish(studio, DreamRequest(QUICK, rgba, rgba.region), raw.tobytes())
    bgra = replace(rgba, order="BGRA")
    swapped, _ = finish(
        studio, DreamRequest(QUICK, bgra, bgra.region), raw[..., [2, 1, 0, 3]].tobytes()
    )
    again = np.frombuffer(swapped.pixels, np.uint8).reshape(raw.shape)[..., [2, 1, 0, 3]]
    assert again.tobytes() == bytes(straight.pixels)


def test_only_the_region_comes_back_and_the_mask_is_kept(studio):
    layout, region = Picture(90, 80), Region(30, 20, 40, 36)
    raw = random_pixels(layout)
    source = raw[20:56, 30:70]
    mask = np.zeros((36, 40), np.uint8)
    mask[10:20, 10:30] = 255
    request = DreamRequest(QUICK, layout, region, mask=True)
    finished, _ = finish(studio, request, raw.tobytes(), mask.tobytes())
    result = np.frombuffer(finished.pixels, np.uint8).reshape(36, 40, 4)
    assert np.array_equal(result[mask == 0], source[mask == 0])
    assert (result[mask > 0] != source[mask > 0]).any()
    assert np.array_equal(result[..., 3], source[..., 3])

    clipping = replace(request, clip=True)
    finished, _ = finish(studio, clipping, raw.tobytes(), mask.tobytes())
    result = np.frombuffer(finished.pixels, np.uint8).reshape(36, 40, 4)
    assert not result[mask == 0][:, 3].any()
    assert np.array_equal(result[mask > 0][:, 3], source[mask > 0][:, 3])


def test_the_surroundings_affect_the_dream(studio):
    """What lies around the region changes the dream in it."""
    layout, region = Picture(120, 120), Region(40, 40, 40, 40)
    raw = random_pixels(layout)
    other = raw.copy()
    other[:40] = 128
    request = DreamRequest(QUICK, layout, region)
    assert (
        finish(studio, request, raw.tobytes())[0].pixels
        != finish(studio, request, other.tobytes())[0].pixels
    )


class Counted:
    """Counts the pixels that the network processes."""

    def __init__(self, monkeypatch):
        self.pixels = 0
        run = Network.run

        def counting(network, x, *arguments):
            self.pixels += x.shape[-2] * x.shape[-1]
            return run(network, x, *arguments)

        monkeypatch.setattr(Network, "run", counting)

    def of(self, studio, request, *frames):
        before = self.pixels
        finished, _ = finish(studio, request, *frames)
        return self.pixels - before, finished


def test_a_selection_costs_what_it_and_its_halo_take(studio, monkeypatch):
    """Not its surroundings: in a picture of four times the area the work is the same."""
    counted = Counted(monkeypatch)
    recipe = replace(QUICK, steps=2, roll=False, layer="features.3")
    places = {
        "in a picture": (Picture(320, 320), Region(128, 128, 64, 64)),
        "in a larger one": (Picture(640, 640), Region(288, 288, 64, 64)),
        "twice as wide and high": (Picture(640, 640), Region(256, 256, 128, 128)),
        "all of it": (Picture(640, 640), Region(0, 0, 640, 640)),
    }
    work, told = {}, {}
    finish(studio, DreamRequest(recipe, Picture(64, 64), Region(0, 0, 9, 9)), bytes(64 * 64 * 4))
    for name, (layout, region) in places.items():
        request = DreamRequest(recipe, layout, region)
        work[name], finished = counted.of(studio, request, random_pixels(layout).tobytes())
        told[name] = finished.megapixel_steps
    assert work["in a picture"] == work["in a larger one"]
    assert work["in a picture"] < work["twice as wide and high"] < work["all of it"] / 10
    assert told["in a picture"] == pytest.approx(64 * 64 * 2 / 1e6)
    assert told["twice as wide and high"] == pytest.approx(4 * told["in a picture"])


def test_nothing_is_dreamed_where_the_mask_is_black(studio):
    """And the step is measured inside the mask only: pixels outside do not weaken it."""
    layout = Picture(96, 96)
    raw = random_pixels(layout)
    mask = np.zeros((96, 96), np.uint8)
    mask[:, :32] = 255
    request = DreamRequest(QUICK, layout, layout.region, mask=True, clip=True)
    finished, _ = finish(studio, request, raw.tobytes(), mask.tobytes())
    result = np.frombuffer(finished.pixels, np.uint8).reshape(96, 96, 4)
    assert np.array_equal(result[:, 32:, :3], raw[:, 32:, :3])
    assert np.abs(result[:, :32, :3].astype(int) - raw[:, :32, :3]).mean() == pytest.approx(
        1.0,
        abs=0.3,  # one step of one level
    )


def test_a_mask_that_selects_nothing_is_refused(studio):
    layout = Picture(64, 64)
    request = DreamRequest(QUICK, layout, layout.region, mask=True)
    with pytest.raises(ValueError, match="Nothing is selected"):
        finish(studio, request, random_pixels(layout).tobytes(), bytes(64 * 64))


@pytest.mark.parametrize("depth", ["U8", "F32"])
@pytest.mark.parametrize("clip", [False, True])
def test_a_blend_with_the_same_recipe_gives_the_same_bytes(studio, depth, clip):
    layout = Picture(80, 60, depth)
    recipe = replace(QUICK, dither=True, colour="source", feather=5.0, seed=0)
    request = DreamRequest(
        recipe, layout, Region(10, 5, 64, 50), mask=True, clip=clip, edges=Edges(*[False] * 4)
    )
    mask = np.random.default_rng(2).integers(0, 256, (50, 64), np.uint8)
    finished, _ = finish(studio, request, random_pixels(layout).tobytes(), mask.tobytes())
    assert bytes(finished.overlay.blend(finished.recipe)) == bytes(finished.pixels)
    assert bytes(finished.overlay.blend(recipe)) == bytes(finished.pixels)  # its seed was drawn
    weaker = finished.overlay.blend(replace(finished.recipe, strength=0.5))
    assert bytes(weaker) != bytes(finished.pixels)


def test_a_selection_is_feathered_where_the_request_says_that_it_ends(studio):
    layout = Picture(64, 64)
    raw = random_pixels(layout)
    request = DreamRequest(replace(QUICK, feather=10.0, strength=2.0), layout, layout.region)
    for edges, untouched in ((None, False), (Edges(True, False, True, True), True)):
        finished, _ = finish(studio, replace(request, edges=edges), raw.tobytes())
        result = np.frombuffer(finished.pixels, np.uint8).reshape(raw.shape)
        assert np.array_equal(result[0], raw[0]) == untouched
        assert not np.array_equal(result[63], raw[63])


# From noise, seamless, with a guide.


def test_from_noise_an_empty_layer_is_filled_and_covered(studio):
    layout = Picture(64, 64)
    recipe = replace(QUICK, start="noise", layer="features.3")
    request = DreamRequest(recipe, layout, Region(16, 8, 40, 48))
    finished, seen = finish(studio, request, bytes(layout.nbytes))
    result = np.frombuffer(finished.pixels, np.uint8).reshape(48, 40, 4)
    assert (result[..., 3] == 255).all()
    assert result[..., :3].std() > 10
    assert "Imagining from noise…" in [progress.text for progress in seen]
    nothing = finished.overlay.blend(replace(finished.recipe, strength=0.0))
    assert bytes(nothing) == bytes(48 * 40 * 4)


@pytest.mark.parametrize("edges", [None, Edges(True, True, True, False)])
def test_a_seamless_dream_of_a_selection_is_refused(studio, edges):
    layout = Picture(64, 64)
    region = layout.region if edges else Region(0, 0, 64, 63)
    request = DreamRequest(replace(QUICK, wrap=True), layout, region, edges=edges)
    with pytest.raises(ValueError, match="whole picture: remove the selection"):
        finish(studio, request, random_pixels(layout).tobytes())


def test_the_guide_follows_the_mask_and_affects_the_dream(studio):
    layout, guide = Picture(64, 64), Picture(70, 50, "U8", "RGB")
    recipe = replace(QUICK, layer="features.3:guide")
    request = DreamRequest(recipe, layout, layout.region, mask=True, guide=guide)
    mask = np.full((64, 64), 255, np.uint8)
    results = set()
    for shade in (40, 200):
        stripes = np.full((50, 70, 3), shade, np.uint8)
        stripes[:, ::4] = 255 - shade
        frames = (random_pixels(layout).tobytes(), mask.tobytes(), stripes.tobytes())
        results.add(bytes(finish(studio, request, *frames)[0].pixels))
    assert len(results) == 2


def test_a_dream_with_a_guide_needs_one(studio):
    layout = Picture(64, 64)
    request = DreamRequest(replace(QUICK, layer="features.3:guide"), layout, layout.region)
    with pytest.raises(ValueError, match="guide picture"):
        finish(studio, request, random_pixels(layout).tobytes())


def test_the_report_says_what_was_done(studio):
    layout = Picture(64, 48)
    request = DreamRequest(replace(QUICK, seed=0, steps=3), layout, layout.region, gain=True)
    finished, seen = finish(studio, request, random_pixels(layout).tobytes())
    assert finished.recipe.seed > 0  # drawn, so that it can be asked for again
    assert finished.megapixel_steps == pytest.approx(64 * 48 * 3 / 1e6)
    assert finished.gain > 1
    assert seen[0].text == "Loading the network…"
    assert [p.step for p in seen[1:]] == [1, 2, 3]
    layout, data = seen[-1].preview(32)
    assert (layout.width, layout.height, layout.order) == (32, 24, "RGB")
    assert len(data) == layout.nbytes
    assert studio.networks[-1].startswith(f"squeezenet1_1 features.10 on {finished.device} (")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "vgg99"}, "vgg99"),
        ({"layer": "features.99"}, "features.99"),
        ({"channels": "9999"}, "no channel 9999"),
    ],
)
def test_unknown_names_are_refused_in_a_sentence(studio, change, words):
    layout = Picture(64, 64)
    request = DreamRequest(replace(QUICK, **change), layout, layout.region)
    with pytest.raises(ValueError, match=words):
        finish(studio, request, random_pixels(layout).tobytes())


def test_every_kind_is_listed_with_examples_of_its_classes(studio):
    classes = registry.categories("squeezenet1_1")
    rows = {row["name"]: row["examples"] for row in studio.layers("squeezenet1_1")["kinds"]}
    assert list(rows) == kinds.names("squeezenet1_1")
    assert set(rows.pop(kinds.MENAGERIE)) <= set(kinds.ANIMALS)
    for name, examples in rows.items():
        assert set(examples) <= {classes[number] for number in KINDS[name]}
        assert len(set(examples)) == min(EXAMPLES, len(KINDS[name]))
    assert studio.layers("vgg16")["kinds"] == []


def test_an_unknown_device_is_refused_in_a_sentence(studio):
    layout = Picture(64, 64)
    request = DreamRequest(QUICK, layout, layout.region, device="abacus")
    with pytest.raises(ValueError, match="no device 'abacus'"):
        finish(studio, request, random_pixels(layout).tobytes())


def test_a_quick_dream_shows_whole_looks_and_ends_as_the_dream(studio):
    layout, region = Picture(150, 140, "U8", "BGRA"), Region(10, 20, 130, 110)
    raw = random_pixels(layout)
    recipe = replace(QUICK, octaves=3, steps=4, strength=0.5)
    request = DreamRequest(recipe, layout, region, preview=65)
    full, _ = finish(studio, request, raw.tobytes())
    quick, seen = finish(studio, replace(request, quick=True), raw.tobytes())
    assert bytes(quick.pixels) == bytes(full.pixels)
    looks = [now for now in seen if now.look]
    assert looks
    assert all(now.preview is None and now.text for now in seen if not now.look)
    for now in looks:
        shown, pixels = now.preview(65)
        assert (shown.width, shown.height, len(pixels)) == (65, 55, 65 * 55 * 3)
    blended = np.frombuffer(looks[-1].preview(130)[1], np.uint8).reshape(110, 130, 3)
    source = raw[20:130, 10:140, 2::-1]
    assert 1 < np.abs(blended.astype(int) - source).mean() < 20  # laid over the picture


def test_memory_is_released_after_a_dream_and_after_its_result_is_sent(studio, monkeypatch):
    given_back, kernels = [], []
    monkeypatch.setattr(studio._memory, "trim", lambda: given_back.append(1))
    monkeypatch.setattr("dreamlayer.studio.local.release_memory", lambda: kernels.append(1))
    layout = Picture(48, 40)
    finish(studio, DreamRequest(QUICK, layout, layout.region), random_pixels(layout).tobytes())
    assert 0 < studio.drop_idle() <= 5  # seconds: once more then
    assert studio.drop_idle() is None  # there is nothing to be done before the next dream
    assert len(given_back) == len(kernels) == 2
