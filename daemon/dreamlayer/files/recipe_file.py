"""The recipe stored in a picture, with which it can be dreamed again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dreamlayer.files.containers.png import png_text
from dreamlayer.files.formats import recognise
from dreamlayer.files.opening import FileError, InputFile, reason
from dreamlink.picture import PictureError, Region, region_of

KEYWORD = b"dreamlayer"  # of a PNG's text chunk
JSON_MAX = 64 << 20  # bytes of a file of JSON; a recipe has some hundred


@dataclass(frozen=True)
class StoredRecipe:
    """How a picture was dreamed.

    Attributes:
        recipe: names and values of the recipe's parameters, with the seed that was drawn.
        select: the selected rectangle, in the picture's coordinates, or None.
        mask, guide, dream_map: whether there was one of these pictures, which are not stored.
    """

    recipe: Mapping[str, object] = field(default_factory=dict)
    select: Region | None = None
    mask: bool = False
    guide: bool = False
    dream_map: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The values to store as JSON."""
        return {
            "recipe": dict(self.recipe),
            "select": None if self.select is None else list(self.select),
            "mask": self.mask,
            "guide": self.guide,
            "map": self.dream_map,
        }

    @classmethod
    def read(cls, path: Path) -> StoredRecipe:
        """Read it from a PNG that the command line wrote, or from a JSON file.

        A JSON file may also hold the recipe alone, which is not checked here. Raises FileError.
        """
        values = _read_json(path)
        if not isinstance(values, dict):
            raise FileError(f"{path} has no recipe, which would be names with values.")
        recipe = values.get("recipe", values)
        if recipe is values:
            return cls(recipe)
        select = values.get("select")
        try:
            region = None if select is None else region_of(select)
        except PictureError as error:
            raise FileError(f"The selection in {path} is damaged: {error}") from error
        if not isinstance(recipe, dict) or (region is not None and region.empty):
            raise FileError(f"The recipe in {path} is damaged.")
        given = [values.get(name) is True for name in ("mask", "guide", "map")]
        return cls(recipe, region, *given)


def _read_json(path: Path) -> object:
    """The JSON in a PNG's text chunk "dreamlayer", or in a .json file; raises FileError."""
    with InputFile(path) as file:
        if path.suffix.lower() == ".json":
            if file.size > JSON_MAX:
                raise FileError(f"{path} can't be read: a recipe has less than 64 MiB.")
            text: bytes | None = file.read(0, file.size)
        else:
            text = png_text(file, KEYWORD) if recognise(file) == "PNG" else None
    if not text:
        raise FileError(f"{path} contains no recipe; only a .png written by dreamlayer dream does.")
    try:
        return json.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise FileError(f"{path} can't be read: its recipe is not text in UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"The recipe in {path} is not valid JSON: {reason(error)}.") from error
