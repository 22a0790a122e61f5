"""How much a dreamed film flickers, still and moving, with and without carried detail and flow.

python -m tests.bench.flicker [FRAMES [PRESET …]]

The films are made of photos (`film_sequences.py`), each once as it moves and once as its first
frame, under new noise in each frame as a camera has it. Flicker is the mean difference of
neighbouring frames where they show the same, in levels of 255; the film itself has some, by its
noise. Dreamed is the mean of the detail of the last frame: carrying must make a film neither
stronger nor weaker.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import torch
from torch import Tensor

from dreamlayer.engine.image.flow import KnownPlane, MovedPlane, motion
from dreamlayer.engine.image.planes import as_plane
from dreamlayer.engine.objectives.binding import network_for
from dreamlink.recipe.presets import find
from dreamlink.recipe.recipe import Recipe
from tests.bench.film_sequences import FILMS, KnownFilm
from tests.engine import looks

PRESETS = ("animals", "stripes")
CARRIES = (0.0, 0.5, 0.8)
SEED = 7


def dreamed(
    frames: Sequence[Tensor], recipe: Recipe, carry: float, *, flow: bool
) -> tuple[list[Tensor], float]:
    """The film's frames, and the mean of what was dreamed in the last, in levels."""
    network, shown = network_for(recipe), []
    before = earlier = None
    for frame in frames:
        going_on = {}
        if before is not None and carry:
            going_on = {"previous_detail": as_plane(before), "carry": carry}
            if flow:
                moves = motion(as_plane(frame), as_plane(earlier))
                going_on["previous_detail"] = MovedPlane(as_plane(before), moves)
                going_on["known"] = KnownPlane(moves)
        dream = looks.run_dream(frame, network, recipe, **going_on)
        shown.append(looks.blended(looks.overlay(frame, dream, recipe), frame, recipe))
        before, earlier = dream.detail, frame
    return shown, float(before.abs().mean() * 255)


def flicker(film: KnownFilm, frames: Sequence[Tensor]) -> float:
    """The mean difference of neighbouring frames of a film where both show the same."""
    differences = []
    for number in range(2, len(frames)):  # the first two are only beginning
        late, early = film.pairs(frames[number], frames[number - 1], number)
        differences.append(float((late - early).abs().mean()))
    return sum(differences) / len(differences) * 255


def main() -> None:
    torch.set_num_threads(1)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    print("| preset | film | carry | flow | flicker, still | moving | ratio | dreamed | moving |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, make in FILMS.items():
        still, moving = make(count, still=True), make(count, still=False)
        own = [flicker(film, film.frames) for film in (still, moving)]
        print(f"| none | {name} | | | {own[0]:.2f} | {own[1]:.2f} | {own[1] / own[0]:.2f} | | |")
    for preset in sys.argv[2:] or PRESETS:
        recipe = Recipe.of({**find(preset).values, "seed": SEED})
        for name, make in FILMS.items():
            films = make(count, still=True), make(count, still=False)
            for carry in CARRIES:
                for flow in (False, True) if carry else (False,):
                    made = [dreamed(film.frames, recipe, carry, flow=flow) for film in films]
                    still, moving = (
                        flicker(film, frames) for film, (frames, _) in zip(films, made, strict=True)
                    )
                    print(
                        f"| {preset} | {name} | {carry} | {'on' if flow else 'off'} |"
                        f" {still:.2f} | {moving:.2f} | {moving / still:.2f} |"
                        f" {made[0][1]:.1f} | {made[1][1]:.1f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
