"""Planes: reading and writing by windows, storage formats, strips and resizing."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamlayer.engine.dream import dream
from dreamlayer.engine.image import planes, resize
from dreamlayer.engine.image.padding import mirrored, nearest, opposite
from dreamlayer.engine.image.planes import (
    DETAIL_FORMAT,
    GRADIENT_FORMAT,
    MASK_FORMAT,
    PICTURE_FORMAT,
    ComputedPlane,
    InsetPlane,
    PlaneWindow,
    StoredPlane,
    as_stored_plane,
    exact_format,
    extended_indices,
    gather,
    read_all,
    rewrite,
)
from dreamlayer.engine.objectives.binding import network_for
from dreamlayer.geometry import Span, Window
from dreamlink.recipe.recipe import Recipe
from tests.engine import looks


def picture(height, width, seed=1):
    random = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, height, width, dtype=torch.float64, generator=random)


def window(data, height, width):
    spans = []
    for length in (height, width):
        start = data.draw(st.integers(0, length - 1))
        spans.append(Span(start, data.draw(st.integers(start + 1, length))))
    return Window(*spans)


def cut(tensor, place):
    return tensor[..., place.rows.slice(), place.columns.slice()]


# Storage formats.


@pytest.mark.parametrize(
    ("form", "low", "high", "error"),
    [
        (PICTURE_FORMAT, 0.0, 1.0, 0.5 / 65535),
        (DETAIL_FORMAT, -1.0, 1.0, 0.5 / 32767),
        (MASK_FORMAT, 0.0, 1.0, 0.5 / 255),
        (exact_format(torch.float32), -5.0, 5.0, 0.0),
    ],
)
def test_values_are_stored_to_half_a_level(form, low, high, error):
    values = torch.rand(1, 3, 9, 7) * (high - low) + low
    values[..., 0, :2] = torch.tensor([low, high])
    plane = StoredPlane(torch.zeros(values.shape, dtype=form.dtype), form)
    plane.write(Window.whole(9, 7), values)
    assert float((read_all(plane) - values).abs().max()) <= error * 1.001
    again = read_all(plane).clone()
    plane.write(Window.whole(9, 7), again)
    assert torch.equal(read_all(plane), again)  # writing it again causes no drift
    assert read_all(plane)[0, 0, 0, :2].tolist() == pytest.approx([low, high], abs=1e-9)


def test_levels_of_8_bits_are_kept_exactly():
    levels = (torch.arange(256.0) / 255).view(1, 1, 1, 256)
    plane = StoredPlane(torch.zeros(levels.shape, dtype=torch.int16), PICTURE_FORMAT)
    plane.write(Window.whole(1, 256), levels)
    assert torch.equal(read_all(plane), levels)


@pytest.mark.parametrize(("form", "beyond"), [(PICTURE_FORMAT, 1.7), (DETAIL_FORMAT, -3.0)])
def test_values_out_of_range_are_clamped_without_overflow(form, beyond):
    plane = StoredPlane(torch.zeros(1, 3, 2, 2, dtype=form.dtype), form)
    plane.write(Window.whole(2, 2), torch.full((1, 3, 2, 2), beyond))
    assert read_all(plane).flatten().tolist() == pytest.approx([max(-1, min(1, beyond))] * 12,
                                                                 abs=1e-4)  # fmt: skip


@pytest.mark.parametrize("size", [1e-20, 1.0, 1e20])
def test_gradients_of_any_magnitude_are_stored_to_half_a_percent(size):
    values = torch.randn(1, 3, 20, 20) * size
    plane = StoredPlane(torch.zeros(values.shape, dtype=GRADIENT_FORMAT.dtype), GRADIENT_FORMAT)
    plane.add(Window.whole(20, 20), values)
    assert float(((read_all(plane) - values) / values).abs().max()) < 0.004


# Windows.


@given(st.integers(1, 20), st.integers(1, 20), st.data())
def test_a_window_of_a_plane_equals_that_part_of_the_whole(height, width, data):
    source = picture(height, width)
    hole = window(data, height, width)
    inner = picture(hole.rows.length, hole.columns.length, seed=2)
    composed = ComputedPlane(
        torch.sub,
        (
            InsetPlane(as_stored_plane(source), hole, as_stored_plane(inner)),
            as_stored_plane(source),
        ),
    )
    expected = source.clone()
    cut(expected, hole).copy_(inner)
    expected -= source
    place, step = window(data, height, width), data.draw(st.integers(1, 4))
    assert torch.equal(composed.read(place, step), cut(expected, place)[..., ::step, ::step])
    part = PlaneWindow(composed, place)
    assert part.shape == cut(expected, place).shape
    assert torch.equal(read_all(part), cut(expected, place))


def test_a_part_shares_its_storage():
    whole_plane = as_stored_plane(torch.zeros(1, 3, 6, 6))
    whole_plane[..., 2:4, 3:5].write(Window.whole(2, 2), torch.ones(1, 3, 2, 2))
    assert read_all(whole_plane).sum() == 12
    assert read_all(whole_plane)[..., 2:4, 3:5].sum() == 12


@pytest.mark.parametrize("strip", [1, 8, 1 << 19])
def test_adding_in_strips_equals_adding_at_once(strip, monkeypatch):
    monkeypatch.setattr(planes, "STRIP", strip)
    whole_plane = as_stored_plane(torch.ones(1, 3, 9, 8))
    values = torch.arange(3 * 5 * 4).reshape(1, 3, 5, 4)
    whole_plane.add(Window(Span(2, 7), Span(3, 7)), values)
    expected = torch.ones(1, 3, 9, 8)
    expected[..., 2:7, 3:7] += values
    assert torch.equal(read_all(whole_plane), expected)


class RecordingPlane(StoredPlane):
    """A plane that records how many pixels are read."""

    def read(self, place, step=1):
        pixels_read.append(place.area)
        return super().read(place, step)


pixels_read: list[int] = []


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([nearest, opposite, mirrored]),
       st.data())  # fmt: skip
def test_pixels_beyond_the_edges_follow_the_border(height, width, border, data):
    source, place = picture(height, width), window(data, height, width)
    by = data.draw(st.integers(0, 30))
    rows, columns = (
        extended_indices(span, by, length, border)
        for span, length in zip(place, (height, width), strict=True)
    )
    mode = {nearest: "edge", opposite: "wrap", mirrored: "symmetric"}[border]
    padded = np.pad(source.numpy(), ((0, 0), (0, 0), (by, by), (by, by)), mode)
    down, right = (slice(span.start, span.stop + 2 * by) for span in place)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(planes, "STRIP", data.draw(st.sampled_from([1, 50, 1 << 19])))
        found = gather(as_stored_plane(source), rows, columns)
    assert np.array_equal(found.numpy(), padded[..., down, right])


def test_gathering_across_a_seam_does_not_read_the_pixels_between():
    pixels_read.clear()
    plane = RecordingPlane(picture(100, 1000), exact_format(torch.float64))
    rows, columns = (extended_indices(Span(0, 5), 3, length, opposite) for length in (100, 1000))
    assert gather(plane, rows, columns).shape[-2:] == (11, 11)
    assert sum(pixels_read) == 11 * 11


@pytest.mark.parametrize("border", [nearest, mirrored])
def test_gathering_beyond_an_edge_reads_no_more_pixels(border):
    pixels_read.clear()
    plane = RecordingPlane(picture(100, 1000), exact_format(torch.float64))
    rows, columns = (extended_indices(Span(0, length), 3, length, border) for length in (100, 1000))
    assert gather(plane, rows, columns).shape[-2:] == (106, 1006)
    assert sum(pixels_read) <= 106 * 1006


# Strips.


@given(st.integers(1, 90), st.integers(0, 9), st.booleans(), st.integers(1, 300))
def test_rewriting_in_strips_reads_old_values_only(height, reach, wrap, strip):
    source = picture(height, 4)
    border = opposite if wrap else nearest

    def blurred(plane):
        def fresh(place):
            rows = extended_indices(place.rows, reach, height, border)
            around = gather(plane, rows, range(4))
            return sum(around.narrow(-2, i, place.rows.length) for i in range(2 * reach + 1))

        return fresh

    at_once = blurred(as_stored_plane(source))(Window.whole(height, 4))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(planes, "STRIP", strip)
        plane = as_stored_plane(source.clone())
        rewrite(plane, blurred(plane), reach, wrap)
    assert torch.equal(read_all(plane), at_once)


@pytest.mark.parametrize("changes", [
    {}, {"tv": 0.5, "stay": 0.3, "noise": 0.05}, {"conditioning": "laplacian", "wrap": True},
    {"supersample": 1}, {"start": "noise", "layer": "features.3"},
])  # fmt: skip
def test_strips_and_16_bits_change_a_dream_by_rounding_only(changes):
    """A single step, before roundings can change the dream's course; with small strips."""
    values = {"octaves": 2, "steps": 1, "seed": 5, "layer": "features.6", **changes}
    recipe = Recipe.of(values)
    network, source = network_for(recipe), looks.photo("chelsea.png", 160)
    plain = looks.dream_detail(source, network, recipe)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(planes, "STRIP", 20 * 160)
        by_strips = looks.dream_detail(source, network, recipe)
        patched.setattr(planes, "COMPACT_FROM", 1)
        finished = looks.run_dream(source, network, recipe)
        again = looks.run_dream(source, network, Recipe.of({**values, "tile": 64}))
    assert torch.equal(by_strips, plain)
    assert finished.detail_plane.format == DETAIL_FORMAT
    assert looks.decibels(finished.detail, plain) > 60
    assert torch.equal(finished.detail, again.detail)


def test_all_planes_of_a_dream_come_from_the_allocator(monkeypatch):
    monkeypatch.setattr(planes, "COMPACT_FROM", 1)
    recipe = Recipe.of({"octaves": 2, "steps": 1, "seed": 5, "layer": "features.3"})
    source, kept = looks.photo("chelsea.png", 128), []

    def allocate(shape, dtype, device):
        kept.append(torch.zeros(shape, dtype=dtype, device=device))
        return kept[-1]

    height, width = source.shape[-2:]
    for _ in dream(
        source, network_for(recipe), recipe, Window.whole(height, width), allocator=allocate
    ):
        pass
    sizes = [(tuple(tensor.shape[-2:]), tensor.dtype) for tensor in kept]
    small = (round(height / 1.4), round(width / 1.4))
    assert sizes == [
        (size, dtype)
        for size in (small, (height, width))
        for dtype in (torch.int16, torch.bfloat16)
    ]


# Resizing.


@settings(deadline=None)
@given(st.integers(2, 60), st.integers(2, 60), st.integers(2, 90), st.integers(2, 90))
def test_resizing_equals_torch_interpolate(height, width, new_height, new_width):
    """Also where torch gives every row the same value: pictures of one column."""
    source = picture(height, width)
    expected = F.interpolate(source, (new_height, new_width), mode="bicubic", antialias=True)
    found = resize.resize(source, (new_height, new_width))
    assert torch.allclose(found, expected, atol=1e-9)


@given(st.booleans(), st.data())
def test_a_window_of_a_resized_plane_equals_that_part_of_the_whole(wrap, data):
    source = picture(61, 83)
    size = data.draw(st.sampled_from([(44, 59), (90, 100), (61, 40)]))
    resized = resize.resize_plane(as_stored_plane(source), size, wrap)
    place = window(data, *size)
    assert torch.allclose(resized.read(place), cut(read_all(resized), place), atol=1e-12)


def test_resizing_a_window_reads_its_surroundings_only():
    pixels_read.clear()
    plane = RecordingPlane(picture(300, 300), exact_format(torch.float64))
    resize.resize_plane(plane, (150, 150), wrap=True).read(Window(Span(0, 10), Span(140, 150)))
    assert sum(pixels_read) < 40 * 40


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 90), st.integers(1, 90))
def test_resizing_a_mask_takes_the_maximum(height, width, down, right):
    mask = (torch.rand(1, 1, height, width) * 255 * (torch.rand(1, 1, height, width) > 0.8)).byte()
    found = resize.resize_mask(as_stored_plane(mask), (down, right))
    assert found.storage.dtype == torch.uint8
    expected = F.adaptive_max_pool2d(mask.float(), (down, right))
    assert torch.equal(found.storage.float(), expected)
