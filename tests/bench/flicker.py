"""How much a dreamed film flickers, with and without carrying detail from frame to frame.

python -m tests.bench.flicker [FRAMES]

The film is a photo that moves by whole pixels, under new noise in each frame as a camera has it.
Flicker is the mean difference of neighbouring frames where they show the same, in levels of 255;
the film itself has some, by its noise. The second figure is the mean of the detail: carrying
must make a film neither stronger nor weaker.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from dreamlayer.engine.image.planes import as_plane
from dreamlayer.engine.objectives.binding import network_for
from dreamlink.recipe.presets import find
from dreamlink.recipe.recipe import Recipe
from tests.engine import looks

PHOTO = "chelsea.png"
SIZE = (200, 240)  # px, (h, w)
CORNER = (40, 60)  # px of the photo, of the first frame
MOTIONS = ((0, 0), (1, 2))  # px a frame, (down, right)
NOISE = 2 / 255
PRESETS = ("animals", "stripes")
CARRIES = (0.0, 0.25, 0.5, 0.8)
SEED = 7
Motion = tuple[int, int]


def film(count: int, motion: Motion) -> list[Tensor]:
    """Frames (1, 3, h, w) of 8 bits."""
    photo, random, frames = looks.photo(PHOTO), torch.Generator().manual_seed(1), []
    for number in range(count):
        top, left = (c + number * m for c, m in zip(CORNER, motion, strict=True))
        frame = photo[..., top : top + SIZE[0], left : left + SIZE[1]]
        noisy = frame + NOISE * torch.randn(frame.shape, generator=random)
        frames.append((noisy.clamp(0, 1) * 255).round() / 255)
    return frames


def dreamed(frames: Sequence[Tensor], recipe: Recipe, carry: float) -> tuple[list[Tensor], float]:
    """The film's frames, and the mean of what was dreamed in the last, in levels."""
    network, shown, before = network_for(recipe), [], None
    for frame in frames:
        going_on = {} if before is None else {"previous_detail": as_plane(before), "carry": carry}
        dream = looks.run_dream(frame, network, recipe, **(going_on if carry else {}))
        shown.append(looks.blended(looks.overlay(frame, dream, recipe), frame, recipe))
        before = dream.detail
    return shown, float(before.abs().mean() * 255)


def flicker(frames: Sequence[Tensor], motion: Motion) -> float:
    """The mean difference of neighbouring frames where both show the same."""
    down, right = motion
    differences = [
        (late[..., : SIZE[0] - down, : SIZE[1] - right] - early[..., down:, right:]).abs().mean()
        for early, late in pairwise(frames)
    ]
    return float(torch.stack(differences[1:]).mean() * 255)  # the first two are only beginning


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    print("| preset | px a frame | carry | flicker | the film's own | dreamed |")
    print("|---|---|---|---|---|---|")
    for preset in PRESETS:
        recipe = Recipe.of({**find(preset).values, "seed": SEED})
        for motion in MOTIONS:
            frames = film(count, motion)
            own = flicker(frames, motion)
            for carry in CARRIES:
                shown, strength = dreamed(frames, recipe, carry)
                print(
                    f"| {preset} | {motion[0]}, {motion[1]} | {carry} |"
                    f" {flicker(shown, motion):.2f} | {own:.2f} | {strength:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
