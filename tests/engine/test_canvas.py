"""A canvas is the picture shifted and reflected, and adds gradients back at the right pixels."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.geometry import Span, Window


@st.composite
def canvases(draw):
    margin = draw(st.integers(0, 12))
    shift = (draw(st.integers(0, margin)), draw(st.integers(0, margin)))
    return PictureCanvas(draw(st.integers(2, 20)), draw(st.integers(2, 20)), margin, shift)


@given(canvases())
def test_the_canvas_is_the_picture_reflected_at_its_edges(canvas):
    picture = torch.rand(1, 3, canvas.height, canvas.width, dtype=torch.float64)
    (down, right), margin = canvas.shift, canvas.margin
    expected = np.pad(
        picture.numpy(),
        ((0, 0), (0, 0), (down, margin - down), (right, margin - right)),
        mode="reflect",
    )
    assert np.array_equal(canvas.take(picture, Window.whole(*canvas.size)).numpy(), expected)


@settings(deadline=None)
@given(canvases(), st.data())
def test_gradients_are_added_at_the_pixels_that_were_read(canvas, data):
    """Compared with autograd, for canvas pixels inside the window that are no reflections."""
    height, width = canvas.size
    crop = Window(span(data, height), span(data, width))
    window = Window(span(data, canvas.height), span(data, canvas.width))
    part = torch.rand(1, 2, crop.rows.length, crop.columns.length, dtype=torch.float64)
    total = torch.zeros(1, 2, window.rows.length, window.columns.length, dtype=torch.float64)
    canvas.add(total, window, crop, part)

    of_canvas = torch.zeros(1, 2, height, width, dtype=torch.float64)
    of_canvas[..., crop.rows.slice(), crop.columns.slice()] = part
    down, right = canvas.shift
    own = of_canvas[..., down : down + canvas.height, right : right + canvas.width]
    assert torch.equal(total, own[..., window.rows.slice(), window.columns.slice()])


def span(data, length):
    start = data.draw(st.integers(0, length - 1))
    return Span(start, data.draw(st.integers(start + 1, length)))
