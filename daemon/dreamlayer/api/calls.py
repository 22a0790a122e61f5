"""`dreamlayer.dream` and `dreamlayer.dream_all`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from PIL import Image

from dreamlayer.api import orders
from dreamlayer.api.errors import DreamError, in_python
from dreamlayer.api.following import CancelFlag, Follower, Progress
from dreamlayer.api.jobs import GivenJob, given_jobs
from dreamlayer.dreaming.in_turn import in_turn
from dreamlink.session.dream import Dream

if TYPE_CHECKING:
    from typing import Unpack  # the type checker's Python has it

    from numpy.typing import NDArray

    from dreamlayer.api.keywords import RecipeKeywords
    from dreamlink.recipe.recipe import Recipe

    # What goes in and what comes back is of one of these kinds.
    AnyPicture = TypeVar(
        "AnyPicture",
        str,
        Path,
        Image.Image,
        NDArray[np.uint8],
        NDArray[np.uint16],
        NDArray[np.float16],
        NDArray[np.float32],
    )

Aside = Any  # a path, a PIL image or an array


def dream(
    picture: AnyPicture,
    *,
    preset: str | None = None,
    recipe: Recipe | Mapping[str, object] | str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    select: Sequence[int] | None = None,
    mask: Aside = None,
    strength_map: Aside = None,
    guide: Aside = None,
    map: Aside = None,
    linear: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
    cancel: CancelFlag | None = None,
    **keywords: Unpack[RecipeKeywords],
) -> AnyPicture:
    """Dream on a picture, and give back the dreamed one as the same kind.

    The daemon dreams; it is started if it does not run. The result is that of `dreamlayer dream`
    with the same recipe, byte for byte. The picture given is never changed. May be called from
    several threads at once: each call has a connection of its own, and the daemon dreams on one
    picture after another.

    Args:
        picture: a path, whose result is written to `output` and whose value is the result's path; a
            PIL image, of whose modes others than RGB, RGBA, L, LA and I;16 are converted, and in
            whose result `info["dreamlayer"]` says how it was dreamed; or a NumPy array (H, W),
            (H, W, 1), (H, W, 2: grey and alpha), (H, W, 3) or (H, W, 4) of uint8, uint16, float16
            or float32, floats from 0 to 1.
        preset: a named recipe (`dreamlayer presets` lists them). Without `preset` and `recipe`, the
            default one, unless a keyword asks for another dream.
        recipe: names with values, or the path of a .png or .json file with a stored recipe.
        output: the file for a path's result: .png, .tif, .jpg, .webp or .bmp; may have the fields
            of the command line, e.g. "dreams/{name}.png". Without it, photo-dream.png beside
            photo.jpg, or the next free name.
        overwrite: let the result replace a file that it is made from, or that is write-protected.
        select: dream only in this rectangle: x, y, width, height in pixels.
        mask: dream only where this picture of the same size is neither black nor transparent. It,
            and the next three, may be a path, a PIL image or an array.
        strength_map: a picture of the same size whose light is each pixel's dream strength.
        guide: a picture of what to dream, for layer="LAYER:guide" or "LAYER:cosine".
        map: a dream map, stretched over the picture; `bind` says what its colours stand for.
        linear: an array's colours are linear light instead of sRGB.
        device: "auto", "cpu", "cuda", "cuda:1", "xpu", "mps", "webgpu" …
        progress: is called several times a second with a fraction and a line of text. What it
            raises cancels the dream.
        cancel: an event that cancels the dream when it is set, e.g. by another thread. Ctrl-C does
            so, too.
        keywords: parameters of the recipe, which change the preset or the recipe: seed=7,
            layer="10:30", strength=0.8 … `dreamlayer dream --help` explains each.

    Raises:
        TypeError: there is no such keyword, or the picture is of none of these kinds.
        ValueError: a value is out of range, or a file or array can't be used; the text says why.
        DreamError: the daemon could not dream; the text says why.
        DreamCancelled: `cancel` was set.
        ConnectionError: the daemon can't be started or reached.
    """
    orders.check_keywords(keywords, dream)
    order = orders.order_of(
        keywords, preset=preset, recipe=recipe, select=select, mask=mask,
        strength_map=strength_map, guide=guide, dream_map=map, device=device, overwrite=overwrite,
    )  # fmt: skip
    follower = Follower(progress, cancel, None)
    jobs = given_jobs([picture], order, output, linear=linear, total=1)
    with contextlib.closing(in_turn(jobs, follower.connect, follower.watch)) as dreams:
        job, dreamed = next(dreams)
        result: AnyPicture = _result(job, dreamed)
        return result


def dream_all(
    pictures: Iterable[AnyPicture],
    *,
    on_error: Callable[[Any, Exception], object] | None = None,
    preset: str | None = None,
    recipe: Recipe | Mapping[str, object] | str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    select: Sequence[int] | None = None,
    mask: Aside = None,
    strength_map: Aside = None,
    guide: Aside = None,
    map: Aside = None,
    linear: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
    cancel: CancelFlag | None = None,
    **keywords: Unpack[RecipeKeywords],
) -> Generator[AnyPicture, None, None]:
    """Dream on many pictures; yields the results in their order, each when it is done.

    Each is what `dream` gives for it. A few pictures are taken from `pictures` ahead of the one
    being dreamed, so that the daemon never waits, and never more: an endless iterator is fine. End
    the loop, or close the generator, to cancel the rest.

    Args:
        pictures: paths, PIL images or arrays, also mixed.
        on_error: is called with a picture that can't be dreamed and the error; the picture is left
            out, and the others go on. Without it, the error is raised.
        output: a name with fields, e.g. "dreams/{name}.png".
        progress: the fraction is that of all pictures if `pictures` has a length, else of the
            current one.

    The other arguments, and what is raised, are as in `dream`.
    """
    orders.check_keywords(keywords, dream_all)
    order = orders.order_of(
        keywords, preset=preset, recipe=recipe, select=select, mask=mask,
        strength_map=strength_map, guide=guide, dream_map=map, device=device, overwrite=overwrite,
    )  # fmt: skip
    total = len(pictures) if isinstance(pictures, Sized) else None
    follower = Follower(progress, cancel, total)
    jobs = given_jobs(pictures, order, output, linear=linear, total=total or 0)
    return _all(jobs, follower, on_error)


def _all(
    jobs: Iterable[GivenJob],
    follower: Follower,
    on_error: Callable[[Any, Exception], object] | None,
) -> Generator[Any, None, None]:
    with contextlib.closing(in_turn(jobs, follower.connect, follower.watch)) as dreams:
        for job, dreamed in dreams:
            follower.settled += 1
            try:
                result = _result(job, dreamed)
            except (ValueError, OSError, DreamError) as error:
                if on_error is None:
                    raise
                on_error(job.picture, error)
            else:
                yield result


def _result(job: GivenJob, dreamed: Dream | Exception) -> Any:
    if isinstance(dreamed, Exception):
        raise in_python(dreamed)
    if dreamed.pixels is None:
        raise DreamError(dreamed.text)
    return job.result(dreamed)
