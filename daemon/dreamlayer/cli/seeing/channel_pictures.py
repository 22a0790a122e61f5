"""Dreams pictures of a network's channels through the daemon, one after another, and keeps them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dreamlayer.cli.ending import ended_in_order
from dreamlayer.daemon_client import CommandError, daemon

if TYPE_CHECKING:
    from PIL import Image

    from dreamlayer.thumbnails.own import OwnThumbnails
    from dreamlink.client.reconnecting import ReconnectingClient

SIDE = 128  # px at which they are dreamed
STEPS = 6  # of the recipe: 96 of imagining


def make(
    made: OwnThumbnails, model: str, layers: Sequence[str], channels: int | None = None
) -> None:
    """Dream the pictures that are missing of some layers, with a progress bar.

    Args:
        made: where they are kept; each as soon as it is there.
        layers: names or numbers; none for the network's usual layer.
        channels: only the first so many of each layer.

    Raises:
        UnknownModel, UnknownLayer, CommandError: with a sentence for the user.
        KeyboardInterrupt: the user has interrupted it.
    """
    from dreamlayer.networks.graph.layers import geometry_of, resolve_layer
    from dreamlayer.networks.registry import registry
    from dreamlink.client.reconnecting import ReconnectingClient

    spec = registry.find(model)
    if not registry.ready(spec):
        from dreamlayer.networks.registry.catalogue import how_to_get

        raise CommandError(
            f"The weights of {spec.name} are not on this computer. Get them with:"
            f" {how_to_get(spec.name)}"
        )
    wanted: list[tuple[str, int | None]] = []
    for text in layers or [spec.default_layer]:
        layer = resolve_layer(spec.name, text)
        count = geometry_of(spec.name, layer).channels
        numbers = range(count if channels is None else min(count, max(0, channels)))
        wanted += [(layer, None), *((layer, number) for number in numbers)]
    missing = [(layer, n) for layer, n in wanted if made.find(spec.name, layer, n) is None]
    if not missing:
        return
    with ended_in_order(), contextlib.closing(ReconnectingClient(daemon())) as line:
        _make_all(made, spec.name, missing, line)


def _make_all(
    made: OwnThumbnails,
    model: str,
    missing: Sequence[tuple[str, int | None]],
    line: ReconnectingClient,
) -> None:
    from tqdm import tqdm

    for layer, number in tqdm(missing, desc=f"Pictures of {model}", unit=""):
        expression = layer if number is None else f"{layer}:{number}"
        made.save(model, layer, number, _dreamed(model, expression, line))


def _dreamed(model: str, expression: str, line: ReconnectingClient) -> Image.Image:
    """The picture from noise that an expression is dreamed as."""
    from PIL import Image

    from dreamlink.client.client import LinkError
    from dreamlink.picture import Picture
    from dreamlink.recipe.recipe import Recipe
    from dreamlink.session.dream import Dream, State
    from dreamlink.session.inputs import Pixels, RequestInputs

    layout = Picture(SIDE, SIDE, "U8", "RGB")
    values = {"model": model, "layer": expression, "start": "noise", "steps": STEPS, "seed": 1}
    inputs = RequestInputs(Pixels(layout, bytes([128]) * layout.nbytes))
    request = inputs.request(Recipe.of(values), layout.region)
    try:
        dream = Dream(line, request, *inputs.frames())
        try:
            while not dream.over:
                line.feed(dream, 1.0)
        except KeyboardInterrupt:
            dream.cancel()
            raise
    except LinkError as error:
        raise CommandError(f"{error} Call it again: it goes on where it stopped.") from error
    if dream.state is not State.DONE or dream.pixels is None:
        raise CommandError(dream.text)
    return Image.frombytes("RGB", (SIDE, SIDE), bytes(dream.pixels))
