"""Flow: where things were a frame ago, what was not there, and what is dreamed moving along."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from dreamlayer.engine.image.flow import KnownPlane, MovedPlane, motion
from dreamlayer.engine.image.planes import as_plane, read_all
from dreamlayer.engine.objectives.binding import network_for
from dreamlayer.geometry import Span, Window
from dreamlink.recipe.recipe import Recipe
from tests.bench.film_sequences import pan, parallax
from tests.engine.looks import photo, run_dream

RECIPE = Recipe.of({"octaves": 3, "steps": 3, "seed": 5, "step_size": 3.0})


@pytest.fixture(scope="module")
def network():
    return network_for(RECIPE)


def moves_of(now, before):
    return read_all(motion(as_plane(now), as_plane(before)))


def moved(picture, now, before):
    return read_all(MovedPlane(as_plane(picture), motion(as_plane(now), as_plane(before))))


def test_a_pan_is_found_and_undone():
    before, now = pan(2, still=False).frames
    moves = moves_of(now, before)
    inner = moves[..., 20:-20, 20:-20]
    assert (inner[:, 0] - 2).abs().median() < 0.1  # to the right
    assert (inner[:, 1] - 1).abs().median() < 0.1  # down
    assert inner[:, 2].mean() > 0.98
    assert (moved(before, now, before) - now)[..., 20:-20, 20:-20].abs().mean() < 4 / 255


def test_what_comes_into_view_is_not_known():
    before, now = parallax(2, still=False).frames
    left, right = now.clone(), now.clone()
    bar = photo("coffee.png")[..., :120, :40]
    left[..., 40:160, 60:100] = bar
    right[..., 40:160, 100:140] = bar  # moves by its own width: all of its old place is new
    known = moves_of(right, left)[:, 2]
    assert known[..., 60:140, 66:94].mean() < 0.5
    assert known[..., 60:140, 180:].mean() > 0.9
    lost = moves_of(before.flip(-1), now)[:, 2]  # another picture altogether
    assert lost.mean() < 0.5


def test_the_same_numbers_with_any_number_of_threads():
    before, now = parallax(2, still=False).frames
    usual, found = torch.get_num_threads(), []
    for threads in (1, 2, 3):
        cv2.setNumThreads(threads)
        torch.set_num_threads(threads)
        found.append(moved(before, now, before))
    torch.set_num_threads(usual)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_large_pictures_are_looked_at_at_a_reduced_size_and_move_as_far():
    before, now = (
        torch.nn.functional.interpolate(frame, scale_factor=6, mode="bicubic").clamp(0, 1)
        for frame in pan(2, still=False).frames
    )
    inner = motion(as_plane(now), as_plane(before)).read(Window(Span(400, 800), Span(400, 1000)))
    assert (inner[:, 0] - 12).abs().median() < 0.6
    assert (inner[:, 1] - 6).abs().median() < 0.6


def test_a_part_is_moved_as_in_the_whole():
    before, now = parallax(2, still=False).frames
    plane = MovedPlane(as_plane(before), motion(as_plane(now), as_plane(before)))
    window = Window(Span(33, 120), Span(50, 161))
    part, whole = plane.read(window), read_all(plane)[window.slices()]
    assert torch.allclose(part, whole, atol=1e-4)
    assert torch.equal(plane.read(window, 2), part[..., ::2, ::2])


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (15, 15), (16, 16), (17, 300)])
def test_small_pictures_are_taken_as_still_or_looked_at(size):
    picture = photo("chelsea.png")[..., : size[0], : size[1]]
    moves = moves_of(picture, picture)
    assert moves.shape == (1, 3, *size)
    assert moves[:, :2].abs().max() < 0.01
    assert moves[:, 2].min() == 1


def test_invalid_pixels_do_no_harm():
    before, now = pan(2, still=False).frames
    now = now.clone()
    now[..., 50:60, 50:60] = np.nan
    assert moves_of(now, before).isfinite().all()


def test_a_carry_of_one_gives_the_moved_detail_where_it_is_known(network):
    picture = photo("chelsea.png")[..., 40:140, 60:180]
    previous = (torch.rand(picture.shape, generator=torch.Generator().manual_seed(3)) - 0.5) * 0.2
    known = torch.ones(1, 1, *picture.shape[-2:])
    known[..., :40] = 0
    mask = torch.ones(1, 1, *picture.shape[-2:])
    mask[..., 80:] = 0
    detail = run_dream(
        picture, network, RECIPE, mask=mask,
        previous_detail=as_plane(previous * known), carry=1.0, known=as_plane(known),
    ).detail  # fmt: skip
    assert torch.allclose(detail[..., 40:80], previous[..., 40:80], atol=1e-6)
    assert not detail[..., 80:].any()


def test_what_has_moved_is_carried_into_every_octave(network):
    """Half of it is mixed into the result; more than that has been there before."""
    picture = photo("chelsea.png")[..., 40:140, 60:180] * 0.5 + 0.25
    previous = (torch.rand(picture.shape, generator=torch.Generator().manual_seed(3)) - 0.5) * 0.2
    detail = run_dream(
        picture, network, replace(RECIPE, step_size=0.001), previous_detail=as_plane(previous),
        carry=0.5, known=as_plane(torch.ones(1, 1, *picture.shape[-2:])),
    ).detail  # fmt: skip
    share = float((detail * previous).sum() / previous.square().sum())
    assert share == pytest.approx(0.5 * (1 - 0.5) + 0.5, abs=0.02)


def test_a_film_that_moves_flickers_less_and_is_as_strong(network):
    film = parallax(4, still=False)
    alone = [run_dream(frame, network, RECIPE).detail for frame in film.frames]
    together = alone[:1]
    for now, before in zip(film.frames[1:], film.frames, strict=False):
        moves = motion(as_plane(now), as_plane(before))
        start = MovedPlane(as_plane(together[-1]), moves)
        more = {"previous_detail": start, "carry": 0.8, "known": KnownPlane(moves)}
        together.append(run_dream(now, network, RECIPE, **more).detail)

    def change(details):
        late, early = film.pairs(details[3], details[2], 3)
        return float((late - early).abs().mean())

    assert change(together) < 0.3 * change(alone)
    assert 0.75 < together[-1].abs().mean() / alone[-1].abs().mean() < 1.25
