"""From the keywords of a call to what is dreamed, and how."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dreamlayer.api.pictures import as_image, image_picture
from dreamlayer.dreaming import recipes
from dreamlayer.dreaming.masks import GreyFile, GreyImage, GreyPicture
from dreamlayer.dreaming.order import DreamOrder
from dreamlayer.files import reading
from dreamlayer.files.dream_map import as_map
from dreamlayer.files.opening import PIXELS_MAX
from dreamlayer.files.recipe_file import StoredRecipe
from dreamlink.picture import PictureError, Region, region_of
from dreamlink.recipe.recipe import PARAMETERS, Recipe

Aside = Any  # a picture beside the one dreamed on: a path, an image or an array


def check_keywords(given: Mapping[str, object], call: Callable[..., Any]) -> None:
    """Raise TypeError for a keyword that is neither one of the call's nor of the recipe's."""
    own = [name for name in inspect.signature(call).parameters if name != "keywords"]
    for name in given:
        if name in PARAMETERS:
            continue
        near = difflib.get_close_matches(name, [*own, *PARAMETERS], 2)
        hint = f"did you mean {' or '.join(near)}?" if near else "see help(dreamlayer.dream)."
        raise TypeError(f"{call.__name__}() has no keyword {name!r:.60}; {hint}")


def order_of(
    keywords: Mapping[str, object],
    *,
    preset: str | None,
    recipe: Recipe | Mapping[str, object] | str | os.PathLike[str] | None,
    select: Sequence[int] | None,
    mask: Aside,
    strength_map: Aside,
    guide: Aside,
    dream_map: Aside,
    device: str,
    overwrite: bool,
) -> DreamOrder:
    """What is dreamed of each picture of a call.

    Raises:
        ValueError, TypeError: keywords are out of range or contradict each other, or a file can't
            be read.
    """
    if preset is not None and recipe is not None:
        raise ValueError("preset and recipe both say what to dream: omit one of them.")
    base = _stored(recipe)
    values = recipes.changed(keywords, preset, None if base is None else base.recipe)
    _check_aside(values, guide=guide is not None, dream_map=dream_map is not None)
    rectangle = None if base is None else base.select
    if select is not None:
        rectangle = _rectangle(select)
    beside = (recipe, mask, strength_map, guide, dream_map)
    return DreamOrder(
        values,
        rectangle,
        mask=_grey(mask, "mask"),
        strength=_grey(strength_map, "strength map"),
        guide=None if guide is None else reading.as_guide(_image(guide, "guide")),
        dream_map=None
        if dream_map is None
        else as_map(_image(dream_map, "map"), _name(dream_map, "map"), values.bindings()),
        device=device,
        overwrite=overwrite,
        made_from=[Path(value) for value in beside if isinstance(value, str | os.PathLike)],
    )


def _stored(recipe: Any) -> StoredRecipe | None:
    if recipe is None:
        return None
    if isinstance(recipe, str | os.PathLike):
        return StoredRecipe.read(Path(recipe))
    if isinstance(recipe, Recipe):
        return StoredRecipe(recipe.to_dict())
    if isinstance(recipe, Mapping):
        return StoredRecipe(dict(recipe))
    raise TypeError(
        "recipe is names with values, or the path of a .png or .json file that holds them, not"
        f" {type(recipe).__name__}."
    )


def _check_aside(recipe: Recipe, *, guide: bool, dream_map: bool) -> None:
    """Raise ValueError for a guide or a map without use, and for one that is missing."""
    if recipe.needs_guide and not guide:
        raise ValueError(f"“{recipe.bind or recipe.layer}” needs a guide picture: add guide=….")
    if guide and not recipe.needs_guide:
        raise ValueError(
            'A guide is only used by layers with :guide or :cosine: add e.g. layer="10:guide", or'
            " omit guide."
        )
    if recipe.bindings() and not dream_map:
        raise ValueError(
            f"“{recipe.bind}” says what the colours of a dream map stand for: add map=…."
        )
    if dream_map and not recipe.bindings():
        raise ValueError(
            "Nothing says what the colours of the map stand for: add e.g."
            ' bind="#ff0000=kind:dogs; #00ff00=10:30".'
        )


def _rectangle(select: Sequence[int]) -> Region:
    region = region_of([int(value) if isinstance(value, np.integer) else value for value in select])
    if region.empty:
        raise PictureError("A selection must be at least one pixel wide and high.")
    return region


def _grey(value: Aside, name: str) -> GreyPicture | None:
    if value is None:
        return None
    if isinstance(value, str | os.PathLike):
        return GreyFile(Path(value), PIXELS_MAX)
    return GreyImage(_image(value, name), name)


def _image(value: Aside, name: str) -> Image.Image:
    """A picture beside the one dreamed on, in a mode that files are read in."""
    if isinstance(value, str | os.PathLike):
        return reading.read(Path(value)).image
    if isinstance(value, Image.Image):
        return image_picture(value, _name(value, name)).image
    if isinstance(value, np.ndarray):
        return as_image(value)
    raise TypeError(
        f"The {name} must be a path, a PIL image or a NumPy array, not {type(value).__name__}."
    )


def _name(value: Aside, name: str) -> str:
    return str(value) if isinstance(value, str | os.PathLike) else f"The {name}"
