"""“Dream Again…”: recipe and source are taken from the record that is stored with a dream."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from dreamlink.recipe.recipe import Recipe

from ..call.errors import CallRefused
from ..call.options import OPTIONS, CallOptions
from ..layers import dream_store
from ..layers.checks import check
from ..layers.placement import DreamPlacement

PROCEDURE = "plug-in-dreamlayer-again"
# Not for the frames of an animation: there are no source layers below them.
ROWS = tuple(option for option in OPTIONS if option.name not in ("frames", "carry"))


@dataclass(frozen=True)
class RepeatedDream:
    """A dream to repeat.

    Attributes:
        drawable: the layer to dream on.
        placement: of the earlier dream; None if its source is gone and it is itself dreamed on.
        recipe: the earlier dream's.
        guide: its guide; None without one.
        strength: its strength map; None without one.
        dream_map: its dream map; None without one.
    """

    drawable: Any
    placement: DreamPlacement | None
    recipe: Recipe
    guide: Any
    strength: Any
    dream_map: Any

    @classmethod
    def of(cls, image: Any, drawable: Any) -> RepeatedDream:
        """The dream in a layer, or else the nearest dream above the layer. Raises CallRefused."""
        check(image, drawable)
        dream = drawable
        stored = dream_store.load(image, dream)
        if stored is None:
            above = next(dream_store.dreams_above(image, drawable), None)
            if above is None:
                raise CallRefused(
                    f"The layer “{drawable.get_name()}” is not a dream, and has no dream above it:"
                    " select a dream's layer, or choose Deep Dream."
                )
            dream, stored = above
        own = stored.source is None or stored.source == dream
        placement = None if own else DreamPlacement.of(image, stored.source, dream)
        target = dream if own else stored.source
        layers = (stored.guide, stored.strength, stored.dream_map)
        return cls(target, placement, stored.recipe, *layers)

    def with_stored_layers(self, options: CallOptions, recipe: Recipe) -> CallOptions:
        """The options, with the stored guide and maps where the options have none.

        Raises CallRefused if the map that the colours belong to is gone.
        """
        guide = self.guide if recipe.needs_guide else None
        dream_map = options.dream_map
        if dream_map is None and recipe.bindings():
            dream_map = self.dream_map
            if dream_map is None and self.recipe.bindings():
                raise CallRefused(
                    "The dream map that this dream was made with is no longer in the image: choose"
                    " another layer as the dream map, or leave “Map colours” empty."
                )
        return replace(
            options,
            guide=options.guide or guide,
            strength=options.strength or self.strength,
            dream_map=dream_map,
        )
