"""“Dream Again…”: the recipe comes from a dream's layer, and so does what it is a dream of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from dreamlink.recipe.recipe import Recipe

from ..call.errors import Refused
from ..call.options import OPTIONS, Options
from ..layers import dream_store
from ..layers.checks import check
from ..layers.place import Place

PROCEDURE = "plug-in-dreamlayer-again"
# A film's frames have no layers below them to dream on again.
ROWS = tuple(option for option in OPTIONS if option.name not in ("frames", "carry"))


@dataclass(frozen=True)
class Remembered:
    """What is dreamed again.

    Attributes:
        drawable: the layer to dream on.
        place: where the old dream lies; None if its source is gone, and it dreams itself.
        recipe: the old dream's.
        guide: the layer that the old dream took on; None without one.
        strength: its strength map; None without one.
    """

    drawable: Any
    place: Place | None
    recipe: Recipe
    guide: Any
    strength: Any

    @classmethod
    def of(cls, image: Any, drawable: Any) -> Remembered:
        """Read back what a dream's layer remembers, or the dream above a layer. Raises Refused."""
        check(image, drawable)
        dream = drawable
        told = dream_store.recall(image, dream)
        if told is None:
            dream, told = _dream_above(image, drawable)
        own = told.source is None or told.source == dream
        place = None if own else Place.of(image, told.source, dream)
        target = dream if own else told.source
        return cls(target, place, told.recipe, told.guide, told.strength)

    def helped(self, options: Options, recipe: Recipe) -> Options:
        """The options, with the old dream's guide and strength map where they name none."""
        guide = self.guide if recipe.expression().needs_guide else None
        return replace(
            options, guide=options.guide or guide, strength=options.strength or self.strength
        )


def _dream_above(image: Any, drawable: Any) -> tuple[Any, dream_store.Memory]:
    """The nearest dream of a layer that is none itself."""
    parent = drawable.get_parent()
    siblings = parent.get_children() if parent else image.get_layers()
    for layer in reversed(siblings[: image.get_item_position(drawable)]):
        told = dream_store.recall(image, layer)
        if told is not None and told.source == drawable:
            return layer, told
    raise Refused(
        f"The layer “{drawable.get_name()}” is no dream, and there is none of it above: select a"
        " dream's layer, or choose Deep Dream."
    )
