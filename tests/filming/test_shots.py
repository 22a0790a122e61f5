"""Where a film is cut, and what its shots are."""

import numpy as np
import pytest
from PIL import Image

from dreamlayer.files.opening import FileError
from dreamlayer.files.reading import ImageFile
from dreamlayer.filming.shots import FilmShot, look_through, shots_of
from tests.bench.film_sequences import FILMS


def frames(name, count, *, still=False):
    made = FILMS[name](count, still=still).frames
    return [
        ImageFile(Image.fromarray((frame[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)))
        for frame in made
    ]


def found(*parts):
    return look_through([frame for part in parts for frame in part], lambda _number: None)


def test_cuts_are_found_between_things_that_move():
    scenes = [frames(name, 5) for name in ("pan", "zoom", "parallax")]
    assert found(*scenes) == (15, [6, 11])


@pytest.mark.parametrize("name", sorted(FILMS))
def test_a_film_that_moves_has_no_cuts(name):
    assert found(frames(name, 8)) == (8, [])


def test_a_flash_is_no_cut():
    film = frames("pan", 6)
    film[3] = ImageFile(Image.new("RGB", film[0].size, "white"))
    assert found(film) == (6, [])


def test_frames_without_colour_and_with_alpha_are_looked_at_too():
    kinds = ("L", "I;16", "RGBA", "LA")
    pictures = [ImageFile(Image.new(kind, (20, 10))) for kind in kinds]
    assert look_through(pictures, lambda _number: None)[0] == len(kinds)


def test_shots_cover_all_frames_once():
    assert shots_of(10, [4, 8]) == [FilmShot(1, 1, 3), FilmShot(2, 4, 7), FilmShot(3, 8, 10)]
    assert shots_of(3, []) == [FilmShot(1, 1, 3)]
    for starts in ([0], [11]):
        with pytest.raises(FileError):
            shots_of(10, starts)
