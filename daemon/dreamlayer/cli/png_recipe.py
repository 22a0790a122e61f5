"""What a picture tells of its dream, so that it can be dreamed again."""

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
        select: the rectangle that was asked for, in the picture's coordinates.
        mask, guide: whether there was a mask and a guide picture. They are not stored themselves.
    """

    recipe: Mapping[str, object] = field(default_factory=dict)
    select: Region | None = None
    mask: bool = False
    guide: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As it is written, in JSON's values."""
        return {
            "recipe": dict(self.recipe),
            "select": None if self.select is None else list(self.select),
            "mask": self.mask,
            "guide": self.guide,
        }

    @classmethod
    def read(cls, path: Path) -> StoredRecipe:
        """What a PNG of the command line tells, or a JSON file: the same, or a mere recipe.

        The recipe itself is not checked here. Raises FileError.
        """
        values = image_files.read_recipe(path)
        if not isinstance(values, dict):
            raise image_files.FileError(f"{path} has no recipe: that is names with their values.")
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
