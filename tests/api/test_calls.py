"""`dreamlayer.dream` and `dream_all`, with a daemon whose dreams add one to each byte."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import dreamlayer
from dreamlayer.api.keywords import RecipeKeywords
from dreamlayer.files import reading
from dreamlink.recipe.recipe import PARAMETERS
from tests.server.daemons import Daemon, ask, daemon_at, wait_until

QUICK: dict[str, Any] = {"channels": "1", "seed": 7}  # one tile


@pytest.fixture(scope="module", autouse=True)
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    home = tmp_path_factory.mktemp("daemon") / "home"
    # Nothing is cancelled unless it is asked for.
    with daemon_at(home, DREAMLAYER_TEST_TILE="0.01", DREAMLAYER_GRACE="60") as daemon:
        yield daemon


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.new("RGB", (8, 6), (5, 5, 5)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def levels(shape: tuple[int, ...], dtype: str = "uint8") -> NDArray[Any]:
    return (np.arange(np.prod(shape)).reshape(shape) % 200).astype(dtype)


# The same kind comes back.


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (4, 6, 2), (4, 6, 3), (4, 6, 4)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", ">u2"])
def test_an_array_gives_an_array_of_its_shape_and_type(shape: tuple[int, ...], dtype: str) -> None:
    array = levels(shape, dtype)
    before = array.copy()
    result = dreamlayer.dream(array, **QUICK)
    assert (result.shape, result.dtype) == (array.shape, array.dtype)
    assert np.array_equal(array, before)
    little = array.astype(array.dtype.newbyteorder("<")).tobytes()
    expected = bytes((byte + 1) % 256 for byte in little)
    assert result.astype(result.dtype.newbyteorder("<")).tobytes() == expected
    result[...] = 0  # it is the caller's own


def test_parts_of_arrays_and_those_that_lie_elsewise_are_read() -> None:
    array = levels((12, 16, 3))
    for part in (array[2:9:2, ::-1], array.transpose(1, 0, 2)):
        assert np.array_equal(dreamlayer.dream(part, **QUICK), part + 1)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "I;16", "P", "1"])
def test_an_image_gives_an_image(mode: str) -> None:
    image = Image.new("RGB", (6, 4), (10, 20, 30)).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(np.full((4, 6), 300, np.uint16))
    image.info["dpi"] = (72, 72)
    with pytest.warns(dreamlayer.DreamWarning) if mode == "P" else contextlib.nullcontext():
        result = dreamlayer.dream(image, **QUICK)
    kept = {"P": "RGB", "1": "L"}.get(mode, mode)
    assert (type(result), result.mode, result.size) == (Image.Image, kept, image.size)
    assert result.info["dpi"] == (72, 72)
    assert json.loads(result.info["dreamlayer"])["recipe"]["seed"] == 7
    assert "dreamlayer" not in image.info
    first = int(np.asarray(image if mode == kept else image.convert(kept)).ravel()[0])
    step, levels = (257, 65536) if mode == "I;16" else (1, 256)
    assert np.asarray(result).ravel()[0] == (first + step) % levels


def test_a_path_gives_the_path_of_its_result(photo: Path, tmp_path: Path) -> None:
    given = photo.read_bytes()
    written = [dreamlayer.dream(photo, **QUICK) for _ in range(2)]
    assert written == [tmp_path / "photo-dream.png", tmp_path / "photo-dream-2.png"]
    assert dreamlayer.dream(str(photo), output=tmp_path / "x/{name}.bmp", **QUICK) == str(
        tmp_path / "x" / "photo.bmp"
    )
    for path in (*written, tmp_path / "x/photo.bmp"):
        with Image.open(path) as image:
            assert image.getpixel((0, 0)) == (6, 6, 6)
    assert photo.read_bytes() == given
    with pytest.raises(ValueError, match="or add overwrite=True"):
        dreamlayer.dream(photo, output=photo, **QUICK)
    Image.new("RGBA", (8, 8)).save(tmp_path / "clear.png")
    with pytest.raises(ValueError, match='or add start="noise"'):
        dreamlayer.dream(tmp_path / "clear.png", **QUICK)
    dreamlayer.dream(photo, output=photo, overwrite=True, **QUICK)
    with Image.open(photo) as image:
        assert image.getpixel((0, 0)) == (6, 6, 6)


# What to dream.


def test_a_selection_and_a_mask_change_only_their_pixels() -> None:
    array = levels((8, 9, 3))
    mask = np.zeros((8, 9), np.uint8)
    mask[3:6, 2:5] = 255
    for aside in (mask, mask.astype(np.float32) / 255, mask > 0, Image.fromarray(mask)):
        result = dreamlayer.dream(array, select=(3, 0, 4, 8), mask=aside, context=0, **QUICK)
        changed = (result != array).any(axis=2)
        assert np.array_equal(np.argwhere(changed).min(axis=0), [3, 3])
        assert np.array_equal(np.argwhere(changed).max(axis=0), [5, 4])


def test_a_strength_map_is_sent_for_the_region() -> None:
    with pytest.warns(dreamlayer.DreamWarning, match=r"Its strength has 12 bytes\."):
        dreamlayer.dream(
            levels((8, 9, 3)), select=(1, 2, 4, 3), strength_map=levels((8, 9)), **QUICK
        )


def test_a_preset_or_a_stored_recipe_is_changed_by_keywords(photo: Path, tmp_path: Path) -> None:
    def recipe(**options: Any) -> Any:
        with Image.open(photo) as image:
            info = dreamlayer.dream(image.copy(), **options).info
        return json.loads(info["dreamlayer"])["recipe"]

    assert recipe(preset="feathers", layer="10:1", seed=5)["colour"] == "capped"
    stored = recipe(layer="3", **QUICK)
    assert stored["layer"] == "3"
    assert recipe(recipe=stored) == stored
    assert recipe(recipe=stored, strength=0.5) == {**stored, "strength": 0.5}
    dreamlayer.dream(photo, output=tmp_path / "kept.png", recipe=stored)
    assert recipe(recipe=tmp_path / "kept.png") == stored


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"stepps": 3}, TypeError, "did you mean steps"),
        ({"strength_mapp": 3}, TypeError, "did you mean strength_map"),
        ({"zzz": 3}, TypeError, "no keyword 'zzz'"),
        ({"steps": 0}, ValueError, "steps must be between 1 and 500"),
        ({"steps": "many"}, ValueError, "steps must be a whole number"),
        ({"preset": "strawberry"}, ValueError, "strawberries"),
        ({"preset": "feathers", "recipe": {}}, ValueError, "omit one"),
        ({"recipe": 7}, TypeError, "recipe is names with values"),
        ({"layer": "10:guide"}, ValueError, "add guide=…"),
        ({"guide": levels((4, 4))}, ValueError, "omit guide"),
        ({"bind": "#ff0000=10"}, ValueError, "add map=…"),
        ({"map": levels((4, 4))}, ValueError, "bind="),
        ({"map": levels((4, 4)), "bind": "#ff0000=10"}, ValueError, "most frequent colours"),
        ({"select": (1, 2)}, ValueError, "four whole numbers"),
        ({"select": (1, 2, 0, 3)}, ValueError, "at least one pixel"),
        ({"select": (99, 0, 4, 4)}, ValueError, "outside the picture"),
        ({"mask": levels((4, 4))}, ValueError, "The mask has 4 × 4 pixels"),
        ({"mask": "none.png"}, ValueError, "no file"),
        ({"mask": 3}, TypeError, "The mask must be a path"),
        ({"output": "x.png"}, TypeError, "output is for paths"),
        ({"channels": "901"}, dreamlayer.DreamError, "only 512 channels"),
    ],
)  # fmt: skip
def test_what_cannot_be_dreamed_is_a_sentence(
    options: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        dreamlayer.dream(levels((6, 8, 3)), **options)


@pytest.mark.parametrize(
    ("picture", "kind", "words"),
    [
        (levels((4, 4), "float64"), ValueError, "convert it to uint8"),
        (levels((4, 4), "bool"), ValueError, "array of bool"),
        (levels((4,)), ValueError, "must have the shape"),
        (levels((4, 4, 5)), ValueError, "must have the shape"),
        (levels((0, 4)), ValueError, "must have the shape"),
        ([[1]], TypeError, "not builtins.list"),
        ("none.png", ValueError, "no file"),
        (Image.new("F", (4, 4)), ValueError, "The image has 32 bits"),
    ],
)
def test_a_picture_of_no_kind_is_refused(picture: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        dreamlayer.dream(picture, **QUICK)


# Progress, cancelling, threads.


def test_progress_is_told_from_none_to_all() -> None:
    told: list[tuple[float, str]] = []
    dreamlayer.dream(
        levels((6, 8)), channels="20", progress=lambda *progress: told.append(progress)
    )
    fractions = [fraction for fraction, _text in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert any("step" in text for _fraction, text in told)


def test_the_event_and_an_error_of_progress_cancel_the_dream(daemon: Daemon) -> None:
    event = threading.Event()
    with contextlib.closing(daemon.connect()) as other:
        before = ask(other, "status")["cancelled"]
        with pytest.raises(dreamlayer.DreamCancelled):
            dreamlayer.dream(
                levels((6, 8)), channels="800", cancel=event, progress=lambda *_: event.set()
            )

        def stop(fraction: float, _text: str) -> None:
            if fraction:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            dreamlayer.dream(levels((6, 8)), channels="800", progress=stop)
        wait_until(lambda: ask(other, "status")["jobs"] == [])
        assert ask(other, "status")["cancelled"] == before + 2


def test_several_threads_may_dream_at_once() -> None:
    arrays = [levels((6, 8)) + i for i in range(6)]
    with ThreadPoolExecutor(6) as threads:
        results = threads.map(lambda array: dreamlayer.dream(array, **QUICK), arrays)
        assert all(np.array_equal(a + 1, b) for a, b in zip(arrays, results, strict=True))


def test_reading_files_in_threads_leaves_warnings_and_the_error_stream_as_they_were(
    photo: Path,
) -> None:
    before = os.fstat(2), list(warnings.filters)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: reading.read(photo), range(400)))
    assert (os.fstat(2).st_ino, os.fstat(2).st_dev) == (before[0].st_ino, before[0].st_dev)
    assert warnings.filters == before[1]


# Many.


def test_many_pictures_come_back_in_their_order_and_kinds(photo: Path) -> None:
    pictures: list[Any] = [levels((6, 8)), photo, Image.new("L", (5, 5), 9), str(photo)]
    array, path, image, text = dreamlayer.dream_all(pictures, **QUICK)
    assert np.array_equal(array, pictures[0] + 1)
    assert (path.name, Path(text).name) == ("photo-dream.png", "photo-dream-2.png")
    assert image.getpixel((0, 0)) == 10


def test_no_more_pictures_are_taken_than_are_needed() -> None:
    taken = []

    def endless() -> Iterator[NDArray[np.uint8]]:
        while True:
            taken.append(1)
            yield np.full((4, 4), len(taken), np.uint8)

    results = dreamlayer.dream_all(endless(), **QUICK)
    assert [next(results)[0, 0] for _ in range(4)] == [2, 3, 4, 5]
    results.close()
    assert len(taken) <= 4 + 3


def test_an_error_ends_the_rest_or_is_handed_over(photo: Path) -> None:
    pictures = [str(photo), "none.png", str(photo)]
    with pytest.raises(ValueError, match="no file none"):
        list(dreamlayer.dream_all(pictures, **QUICK))
    errors = []
    done = list(
        dreamlayer.dream_all(pictures, on_error=lambda *error: errors.append(error), **QUICK)
    )
    assert len(done) == 2
    ((picture, error),) = errors
    assert picture == "none.png"
    assert "no file" in str(error)


def test_results_of_many_never_share_a_name(photo: Path, tmp_path: Path) -> None:
    other = tmp_path / "photo.bmp"
    Image.new("RGB", (4, 4)).save(other)
    names = [path.name for path in dreamlayer.dream_all([photo, other], **QUICK)]
    assert names == ["photo-dream.png", "photo-dream-2.png"]
    with pytest.raises(ValueError, match="would both be dreamed"):
        list(dreamlayer.dream_all([photo, other], output=tmp_path / "{name}-x.png", **QUICK))


def test_progress_of_many_is_that_of_all() -> None:
    told: list[tuple[float, str]] = []
    arrays = [levels((6, 8))] * 3
    list(dreamlayer.dream_all(arrays, progress=lambda *now: told.append(now), channels="5"))
    fractions = [fraction for fraction, _text in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {text.split(":")[0] for _fraction, text in told} >= {"1 of 3", "2 of 3", "3 of 3"}


# The package.


def test_importing_it_loads_nothing_heavy_and_dreaming_no_torch() -> None:
    code = """
import sys
import dreamlayer
heavy = {"torch", "zmq", "PIL", "numpy", "tqdm", "psutil"} & set(sys.modules)
assert not heavy, heavy
assert callable(dreamlayer.dream) and "torch" not in sys.modules
import numpy
dreamlayer.dream(numpy.zeros((4, 4), "uint8"), channels="1")
assert "torch" not in sys.modules
try:
    dreamlayer.dreem
except AttributeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("module 'dreamlayer' has no attribute 'dreem'\n", "")


def test_keywords_are_those_of_the_recipe() -> None:
    assert get_type_hints(RecipeKeywords) == {row.name: row.kind for row in PARAMETERS.values()}


def test_every_argument_is_documented() -> None:
    import inspect

    for call in (dreamlayer.dream, dreamlayer.dream_all):
        text = f"{dreamlayer.dream.__doc__}{call.__doc__}"
        names = inspect.signature(call).parameters
        assert [name for name in names if f" {name}: " not in text] == []
