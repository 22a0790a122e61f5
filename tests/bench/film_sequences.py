"""Three short films made of photos, whose motion is known: a pan, a zoom, and things in front.

Each has camera noise of its own in every frame. `pairs` says which pixels of two neighbouring
frames show the same, so that they can be compared without resampling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

from tests.engine import looks

SIZE = (200, 240)  # px, (h, w)
NOISE = 2 / 255
ZOOM = 1.012  # a frame
ON_A_PIXEL = 0.06  # px; where a zoom leads from a pixel to a pixel
Pair = tuple[Tensor, Tensor]  # pixels of a frame, and the same things in the frame before


class KnownFilm(NamedTuple):
    """A film.

    Attributes:
        frames: (1, 3, h, w) of 8 bits.
        pairs: the pixels of frames `number` and `number − 1`, given them, that show the same.
    """

    frames: Sequence[Tensor]
    pairs: Callable[[Tensor, Tensor, int], Pair]


def pan(count: int, *, still: bool) -> KnownFilm:
    """A part of a photo of a cat that moves by 1 px down and 2 to the right a frame."""
    photo, step = looks.photo("chelsea.png"), 0 if still else 1
    down, right = step, 2 * step

    def frame(number: int) -> Tensor:
        top, left = 40 + number * down, 60 + number * right
        return photo[..., top : top + SIZE[0], left : left + SIZE[1]]

    def pairs(late: Tensor, early: Tensor, _number: int) -> Pair:
        kept = late[..., : SIZE[0] - down, : SIZE[1] - right]
        return kept, early[..., down:, right:]

    return KnownFilm(_noisy([frame(number) for number in range(count)]), pairs)


def zoom(count: int, *, still: bool) -> KnownFilm:
    """The middle of a photo of a temple, enlarged by 1.2 % a frame."""
    photo, factor = looks.photo("china.jpg", 480), 1.0 if still else ZOOM
    across = [(torch.arange(length) + 0.5 - length / 2) for length in SIZE]

    def frame(number: int) -> Tensor:
        down, right = (offsets / factor**number for offsets in across)
        height, width = photo.shape[-2:]
        grid = torch.stack(
            [
                (right * 2 / width).expand(SIZE[0], -1),
                (down * 2 / height)[:, None].expand(-1, SIZE[1]),
            ],
            dim=-1,
        )
        return F.grid_sample(photo, grid[None], mode="bicubic", align_corners=False).clamp(0, 1)

    def pairs(late: Tensor, early: Tensor, _number: int) -> Pair:
        for axis, (offsets, length) in enumerate(zip(across, SIZE, strict=True), start=-2):
            places = offsets / factor + length / 2 - 0.5
            on = torch.where((places - places.round()).abs() < ON_A_PIXEL)[0]
            late = late.index_select(axis, on)
            early = early.index_select(axis, places[on].round().long())
        return late, early

    return KnownFilm(_noisy([frame(number) for number in range(count)]), pairs)


def parallax(count: int, *, still: bool) -> KnownFilm:
    """A cup that moves to the right in front of a sunset that moves to the left."""
    ground, cup = looks.photo("sunset.jpg", 480), looks.photo("coffee.png", 130)
    step = 0 if still else 1
    height, width = cup.shape[-2:]
    ends = [(torch.arange(length) + 0.5) / length * 2 - 1 for length in (height, width)]
    round_ = (torch.hypot(*torch.meshgrid(*ends, indexing="ij")) < 0.85)[None, None]

    def place(number: int) -> tuple[slice, slice]:
        top, left = 30 + step * number, 10 + 3 * step * number
        return slice(top, top + height), slice(left, left + width)

    def frame(number: int) -> Tensor:
        left = 40 + step * number
        picture = ground[..., 60 : 60 + SIZE[0], left : left + SIZE[1]].clone()
        inside = (Ellipsis, *place(number))
        picture[inside] = torch.where(round_, cup, picture[inside])
        return picture

    def in_front(number: int) -> Tensor:
        shown = torch.zeros(1, 1, *SIZE, dtype=torch.bool)
        shown[(Ellipsis, *place(number))] = round_
        return shown

    def pairs(late: Tensor, early: Tensor, number: int) -> Pair:
        end = SIZE[1] - step
        free = ~(in_front(number)[..., :end] | in_front(number - 1)[..., step:])
        both = free.expand(-1, 3, -1, -1)
        inside = round_.expand(-1, 3, -1, -1)
        here, there = (Ellipsis, *place(number)), (Ellipsis, *place(number - 1))
        return (
            torch.cat([late[..., :end][both], late[here][inside]]),
            torch.cat([early[..., step:][both], early[there][inside]]),
        )

    return KnownFilm(_noisy([frame(number) for number in range(count)]), pairs)


FILMS = {"pan": pan, "zoom": zoom, "parallax": parallax}


def _noisy(frames: Sequence[Tensor]) -> list[Tensor]:
    random = torch.Generator().manual_seed(1)
    noise = [NOISE * torch.randn(frame.shape, generator=random) for frame in frames]
    return [
        ((frame + one).clamp(0, 1) * 255).round() / 255
        for frame, one in zip(frames, noise, strict=True)
    ]
