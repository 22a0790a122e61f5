"""The recipe stored in a picture, with which it can be dreamed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dreamlayer.cli import image_files
from dreamlink.picture import PictureError, Region, region_of


@dataclass(frozen=True)
class StoredRecipe:
    """How a picture was dreamed.

    Attributes:
        recipe: names and values of the recipe's parameters, with the seed that was drawn.
        select: the selected rectangle, in the picture's coordinates, or None.
        mask, guide: whether there was a mask or a guide picture, which are not stored.
    """

    recipe: Mapping[str, object] = field(default_factory=dict)
    select: Region | None = None
    mask: bool = False
    guide: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The values to store as JSON."""
        return {
            "recipe": dict(self.recipe),
            "select": None if self.select is None else list(self.select),
            "mask": self.mask,
            "guide": self.guide,
        }

    @classmethod
    def read(cls, path: Path) -> StoredRecipe:
        """Read it from a PNG that the command line wrote, or from a JSON file.

        A JSON file may also hold the recipe alone, which is not checked here. Raises FileError.
        """
        values = image_files.read_recipe(path)
        if not isinstance(values, dict):
            raise image_files.FileError(f"{path} has no recipe, which would be names with values.")
        recipe = values.get("recipe", values)
        if recipe is values:
            return cls(recipe)
        select = values.get("select")
        try:
            region = None if select is None else region_of(select)
        except PictureError as error:
            raise image_files.FileError(f"The selection in {path} is damaged: {error}") from error
        if not isinstance(recipe, dict) or (region is not None and region.empty):
            raise image_files.FileError(f"The recipe in {path} is damaged.")
        return cls(recipe, region, values.get("mask") is True, values.get("guide") is True)
