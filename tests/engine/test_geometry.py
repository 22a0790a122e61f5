"""Spans and windows: splitting, scaling, widening, intersection; which cells see which pixels."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dreamlayer.engine.tiling.receptive_layout import cells_seeing, pixels_seen
from dreamlayer.geometry import Span, Window

STRIDES = st.sampled_from([1, 2, 4, 8, 16])


@given(st.integers(0, 50), st.integers(1, 200), st.integers(1, 60))
def test_split_spans_have_no_gap_and_no_overlap(start, length, largest):
    found = Span(start, start + length).split(largest)
    cells = [cell for block in found for cell in range(*block)]
    assert cells == list(range(start, start + length))
    assert max(block.length for block in found) <= largest
    assert max(b.length for b in found) - min(b.length for b in found) <= 1


@given(STRIDES, st.integers(0, 40), st.integers(1, 20), st.integers(0, 90), st.integers(0, 90))
def test_the_pixels_seen_are_the_receptive_fields_clipped_to_the_axis(
    stride, first, count, before, after
):
    reach = (-before, stride - 1 + after)
    length = 61 * stride
    found = pixels_seen(Span(first, first + count), stride, reach, length)
    assert found.start == max(0, first * stride - before)
    assert found.stop == min(length, (first + count - 1) * stride + reach[1] + 1)


@given(STRIDES, st.integers(0, 300), st.integers(1, 100), st.integers(0, 90), st.integers(0, 90))
def test_cells_see_pixels_if_their_receptive_field_intersects_them(
    stride, start, length, before, after
):
    reach, count = (-before, stride - 1 + after), 500 // stride
    span = Span(start, start + length)
    found = cells_seeing(span, stride, reach, count)
    for cell in range(count):
        field = Span(cell * stride + reach[0], cell * stride + reach[1] + 1)
        assert (cell in range(*found)) == bool(field.intersect(span).length)


@given(STRIDES, st.integers(0, 600), st.integers(1, 300), st.integers(0, 400), st.integers(1, 900))
def test_a_widened_span_contains_the_span_and_begins_on_the_multiple(
    stride, first, length, least, whole
):
    span = Span(0, whole).intersect(Span(first, first + length))
    if not span.length:
        return
    wide = span.widen(least, stride, whole)
    assert wide.start % stride == 0
    assert 0 <= wide.start <= span.start
    assert span.stop <= wide.stop <= whole
    assert wide.length >= min(least, whole)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 100))
def test_split_windows_cover_each_cell_once(rows, columns, largest):
    counted = [[0] * columns for _ in range(rows)]
    for block in Window.whole(rows, columns).split(largest):
        for row in range(*block.rows):
            for column in range(*block.columns):
                counted[row][column] += 1
    assert all(count == 1 for row in counted for count in row)


@given(st.data(), st.integers(1, 500), st.integers(1, 500), st.integers(1, 500))
def test_a_scaled_window_covers_the_original_and_stays_inside(data, side, new, other):
    start = data.draw(st.integers(0, side - 1))
    stop = data.draw(st.integers(start + 1, side))
    window = Window(Span(start, stop), Span(0, 1))
    rows = window.scale((side, 1), (new, other)).rows
    assert 0 <= rows.start < rows.stop <= new
    assert rows.start * side <= start * new
    assert rows.stop * side >= stop * new or rows.stop == new


spans = st.tuples(st.integers(-20, 20), st.integers(-20, 20)).map(lambda pair: Span(*pair))
windows = st.builds(Window, spans, spans)


@given(spans, spans)
def test_intersection_and_hull_are_those_of_the_sets_of_integers(one, other):
    both, either = set(range(*one)) & set(range(*other)), set(range(*one)) | set(range(*other))
    assert set(range(*one.intersect(other))) == both
    hull = one.hull(other)
    assert hull.length == (max(either) - min(either) + 1 if either else 0)
    assert either <= set(range(*hull))


@given(windows, windows, st.integers(-9, 9), st.integers(-9, 9))
def test_windows_are_shifted_and_intersected_along_both_axes(one, other, down, right):
    both = one.intersect(other)
    assert both == (one.rows.intersect(other.rows), one.columns.intersect(other.columns))
    assert one.shift(down, right) == (one.rows.shift(down), one.columns.shift(right))
    assert one.relative_to(other).shift(*other.origin) == one
    assert one.area == one.size[0] * one.size[1]


def test_the_slices_of_a_window_take_it_out_of_a_picture_with_an_origin():
    picture = np.arange(3 * 10 * 12).reshape(3, 10, 12)
    window, crop = Window(Span(4, 7), Span(5, 12)), Window(Span(3, 9), Span(2, 12))
    assert np.array_equal(picture[window.slices()], picture[:, 4:7, 5:12])
    cropped = picture[crop.slices()]
    assert np.array_equal(cropped[window.slices(crop.origin)], picture[window.slices()])
    assert Window.whole(10, 12) == ((0, 10), (0, 12))
