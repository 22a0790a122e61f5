"""Binds a recipe's expression to a network: layer names, channels and classes become terms."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamlayer.engine.objectives import terms as objectives
from dreamlayer.engine.objectives.kind_terms import FLOORS, KindTerm
from dreamlayer.engine.objectives.objective import Objective, WeightedTerm
from dreamlayer.engine.objectives.regional import AnyObjective, RegionalObjective
from dreamlayer.engine.objectives.share_map import ShareMap
from dreamlayer.engine.objectives.terms import Term
from dreamlayer.networks.kinds import kinds
from dreamlayer.networks.network import CLASS, Network, UnknownLayer, extract, resolve_layer
from dreamlayer.networks.registry import registry
from dreamlayer.runtime.devices.device import Device
from dreamlink.recipe.expression import Expression, Target, mark
from dreamlink.recipe.recipe import Recipe

GUIDE_CELLS = 1024  # of the guide that each cell is compared with, evenly spaced


class UnboundExpression(ValueError):
    """An expression that does not fit the network; the text is one sentence for the user."""


def network_for(recipe: Recipe, device: Device | str = "cpu") -> Network:
    """The network of a recipe, ending at the last layer that its expression needs.

    Raises:
        UnboundExpression, registry.UnknownModel, registry.MissingWeights: with a sentence.
    """
    return extract(recipe.model, layer_names(recipe), device, recipe.pooling)


def layer_names(recipe: Recipe) -> tuple[str, ...]:
    """The full names of the layers that a recipe's expressions need, without duplicates.

    Raises:
        UnboundExpression, registry.UnknownModel: with a sentence for the user.
    """
    return tuple(
        dict.fromkeys(
            _layer(expression, target, recipe.model)
            for expression in recipe.expressions()
            for _, target in expression.terms
        )
    )


def bind_recipe(
    recipe: Recipe, network: Network, guide: Tensor | None, shares: ShareMap | None
) -> AnyObjective:
    """What a recipe amplifies: its expression, or one in each region of a dream map.

    A map with a single region dreams as without a map.

    Args:
        shares: where the bound colours lie; needed if the recipe binds some.

    Raises:
        UnboundExpression: as `bind`, or the map is missing.
    """
    bindings = recipe.bindings()
    if not bindings:
        return bind(recipe.expression(), network, guide, recipe.spread)
    if shares is None:
        raise UnboundExpression("This dream follows the colours of a map, and none was given.")
    parts = [
        bind(bindings[number].expression, network, guide, recipe.spread)
        for number in shares.numbers
    ]
    return parts[0] if len(parts) == 1 else RegionalObjective.of(parts, shares, network.scales)


def bind(
    expression: Expression,
    network: Network,
    guide: Tensor | None = None,
    spread: str = "everywhere",
) -> Objective:
    """The objective of an expression on a network from `network_for`.

    Args:
        guide: (1, 3, h, w), R, G, B in 0..1; needed if the expression says so.
        spread: how kinds are spread over the picture, one of `kind_terms.SPREADS`.

    Raises:
        UnboundExpression: names what the network does not have, or says that the guide is missing.
    """
    maps: tuple[Tensor, ...] = ()
    if expression.needs_guide:
        maps = _guide_maps(network, guide)
    terms = []
    for weight, target in expression.terms:
        number = network.layers.index(_layer(expression, target, network.name))
        if target.kind == "class":
            # A logit has the scale of the logits, not of the map they are computed from.
            number_of_class = _class_number(expression, target, network.name)
            logit = objectives.LogitTerm(network.logits, number_of_class)
            terms.append(WeightedTerm(weight / network.scales[number], number, 1.0, logit))
        elif target.kind == "kind":
            term = _kind(expression, target, network, spread)
            terms.append(WeightedTerm(weight, number, 1.0, term))
        else:
            _check_channels(expression, target, network, number)
            scale = network.scales[number]
            cells = maps[number] / scale if maps else None
            term = _term(target, network.maps[number].channels, cells, network.device)
            terms.append(WeightedTerm(weight, number, scale, term))
    return Objective(tuple(terms))


def _layer(expression: Expression, target: Target, model: str) -> str:
    if target.kind == "class":
        _class_number(expression, target, model)
        return CLASS
    if target.kind == "kind":
        return _found_kind(expression, target, model).layer
    try:
        return resolve_layer(model, target.layer)
    except UnknownLayer as error:
        raise _unbound(expression, target, str(error)) from error


def _term(target: Target, channels: int, guide: Tensor | None, device: torch.device) -> Term:
    kind = target.kind
    if kind in ("guide", "cosine"):
        assert guide is not None
        flat = guide.flatten(2)[0]
        if kind == "cosine":
            return objectives.CosineTerm(flat.mean(dim=1))
        return objectives.GuideTerm(flat[:, :: -(-flat.shape[1] // GUIDE_CELLS)])
    if kind == "direction":
        vector = torch.zeros(channels)
        vector[list(target.channels)] = torch.tensor(target.weights)
        return objectives.DirectionTerm(vector.to(device))
    if kind == "unit" and target.place is not None:
        return objectives.UnitTerm(target.channels[0], target.place)
    if kind == "channels":
        return objectives.ChannelsTerm(target.channels)
    return objectives.MeanTerm() if kind == "mean" else objectives.SquaresTerm()


def _class_number(expression: Expression, target: Target, model: str) -> int:
    try:
        return registry.class_number(model, target.label)
    except registry.UnknownClass as error:
        raise _unbound(expression, target, str(error)) from error


def _kind(expression: Expression, target: Target, network: Network, spread: str) -> Term:
    kind = _found_kind(expression, target, network.name)
    channels, means, spreads = (
        torch.tensor(numbers).to(network.device)
        for numbers in (kind.channels, kind.means, kind.spreads)
    )
    return KindTerm(channels, means, spreads, FLOORS.get(spread))


def _found_kind(expression: Expression, target: Target, model: str) -> kinds.Kind:
    try:
        return kinds.find(registry.find(model).name, target.label)
    except kinds.UnknownKind as error:
        raise _unbound(expression, target, str(error)) from error


def _check_channels(expression: Expression, target: Target, network: Network, number: int) -> None:
    count = network.maps[number].channels
    beyond = [n for n in target.channels if n >= count]
    if beyond:
        name = network.layers[number]
        reason = f"{name} has the channels 0 to {count - 1}; there is no channel {beyond[0]}."
        raise _unbound(expression, target, reason)


def _guide_maps(network: Network, guide: Tensor | None) -> tuple[Tensor, ...]:
    if guide is None:
        raise UnboundExpression(
            "This dream follows a guide picture, and none was given: choose one, or leave out"
            " “guide” and “cosine”."
        )
    shortest = min(guide.shape[-2:])
    if shortest < network.minimum:
        factor = network.minimum / shortest
        size = [max(network.minimum, round(side * factor)) for side in guide.shape[-2:]]
        guide = torch.nn.functional.interpolate(guide, size, mode="bilinear")
    with torch.no_grad():
        return network(guide)


def _unbound(expression: Expression, target: Target, reason: str) -> UnboundExpression:
    if len(expression.terms) == 1:
        return UnboundExpression(reason)
    return UnboundExpression(f"In “{mark(expression.text, target.span)}”: {reason}")
