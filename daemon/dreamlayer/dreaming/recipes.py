"""The recipe of a call: that of a preset or a stored one, changed by the parameters given."""

from __future__ import annotations

from collections.abc import Mapping

from dreamlink.recipe import presets
from dreamlink.recipe.recipe import Recipe


def changed(
    given: Mapping[str, object],
    preset: str | None = None,
    stored: Mapping[str, object] | None = None,
) -> Recipe:
    """The recipe of a preset, or a stored one, with the values `given` instead of its own.

    With neither, it is the default preset, or the parameters' own defaults if `given` asks for
    another dream. Raises RecipeError.
    """
    if preset is not None:
        base: Mapping[str, object] = presets.find(preset).values
    else:
        base = presets.values_under(given) if stored is None else stored
    return _with(base, given)


def _with(base: Mapping[str, object], given: Mapping[str, object]) -> Recipe:
    values = dict(given)
    if "layer" in values:
        values.setdefault("channels", "")  # the base's channels belong to its layer
    elif "model" in values and "layer" not in base:
        # The default layer is one of the default network: take the named network's own.
        from dreamlayer.dreaming.own_networks import use_own_networks
        from dreamlayer.networks.registry import registry

        use_own_networks()
        values["layer"] = registry.find(str(values["model"])).default_layer
    return Recipe.of({**base, **values})
