"""The way of one dream: pixels → planes → engine → blend → pixels. Keeps the networks loaded.

This is what the daemon's compute thread calls; importing it imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from dreamlayer import pixels
from dreamlayer.blend import blend
from dreamlayer.engine import dream as engine
from dreamlayer.engine import measures, octaves
from dreamlayer.engine.tiles import Span, Window
from dreamlayer.models.network import Network, cut, describe, resolve_layer
from dreamlink.messages import DreamRequest, Frame
from dreamlink.picture import Picture, Region
from dreamlink.recipe import Recipe

STRIP = 128  # rows
NETWORKS_KEPT = 4  # cut networks; a cut at another layer is another one


class UnknownDevice(ValueError):
    """The device asked for is not in this machine."""


@dataclass(frozen=True)
class Progress:
    """Where a dream is. With `text` the network is being loaded, and octave and step are 0.

    `preview(side)` gives the region so far as U8 RGB, its longer side at most `side` pixels.
    """

    fraction: float
    text: str | None = None
    octave: int = 0
    octaves: int = 0
    step: int = 0
    steps: int = 0
    preview: Callable[[int], tuple[Picture, bytes]] | None = None


@dataclass(frozen=True)
class Finished:
    """The region's pixels in the request's layout, and how they came about."""

    pixels: bytes
    device: str
    recipe: Recipe
    megapixel_steps: float
    gain: float | None


class Studio:
    """Turns requests into pixels. One thread at a time.

    The network of the default recipe is loaded at once, so that the first dream needn't wait.
    """

    def __init__(self) -> None:
        self._networks: dict[tuple[str, str, str], Network] = {}
        device = _device("auto")
        self.device = _describe_device(device)
        self._network(Recipe(), device)

    @property
    def networks(self) -> list[str]:
        """The loaded networks, e.g. "squeezenet1_1 features.10 on cpu"."""
        return [f"{name} {layer} on {device}" for name, layer, device in self._networks]

    def layers(self, model: str) -> list[dict[str, object]]:
        """The layers of a model; raises zoo.UnknownModel."""
        return [asdict(layer) for layer in describe(model)]

    def dream(
        self, request: DreamRequest, frames: Sequence[Frame]
    ) -> Generator[Progress, None, Finished]:
        """Dream; see DreamRequest for what is asked.

        Yields:
            Progress after every tile; closing the generator there cancels.

        Raises:
            ValueError: with a sentence for the user.
        """
        recipe = request.recipe.with_seed()
        device = _device(request.device)
        yield Progress(0.0, "Loading the network…")
        network = self._network(recipe, device)

        raw = pixels.view(frames[0], request.picture)
        source = _source(raw, request.picture).to(device)
        window = _window(request.region)
        dreamt = yield from _watched(engine.dream(source, network, recipe, window))

        part = (window.rows.slice(), window.columns.slice())
        mask = None
        if request.mask:
            mask = pixels.view_mask(frames[1], window.rows.length, window.columns.length)
        detail = dreamt.detail[0].permute(1, 2, 0).cpu().numpy()
        final = _result(raw[part], detail, request, recipe.strength, mask)

        gain = None
        if request.gain:
            after = source.clone()
            after[(..., *part)] = _source(final, request.result).to(device)
            gain = measures.gain(source, after, network, recipe, window)
        return Finished(
            final.tobytes(), _describe_device(device), recipe, dreamt.megapixel_steps, gain
        )

    def _network(self, recipe: Recipe, device: torch.device) -> Network:
        """The network cut behind the recipe's layer, loaded or remembered."""
        layer = resolve_layer(recipe.model, recipe.layer)
        key = (recipe.model, layer, str(device))
        network = self._networks.pop(key, None) or cut(recipe.model, layer, device)
        self._networks[key] = network  # the last used is the last to be forgotten
        while len(self._networks) > NETWORKS_KEPT:
            del self._networks[next(iter(self._networks))]
        return network


def _watched(
    dreaming: Generator[engine.Progress, None, engine.Dreamt],
) -> Generator[Progress, None, engine.Dreamt]:
    """The engine's progress in the words of the link."""
    try:
        while True:
            now = next(dreaming)
            yield Progress(
                now.fraction,
                None,
                now.octave,
                now.octaves,
                now.step,
                now.steps,
                lambda side, picture=now.picture: _preview(picture(), side),  # type: ignore[misc]
            )
    except StopIteration as done:
        dreamt: engine.Dreamt = done.value
        return dreamt


def _preview(picture: Tensor, side: int) -> tuple[Picture, bytes]:
    height, width = picture.shape[-2:]
    factor = min(1.0, side / max(height, width))
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    small = octaves.resize(picture, size).clamp(0.0, 1.0)[0].permute(1, 2, 0)
    data = (small * 255.0).round().byte().contiguous().cpu().numpy().tobytes()
    return Picture(size[1], size[0], "U8", "RGB"), data


def _source(raw: pixels.Raw, picture: Picture) -> Tensor:
    """(height, width, samples) → (1, 3, height, width) for the network."""
    source = torch.empty(1, 3, picture.height, picture.width)
    for rows in _strips(picture.height):
        planes = pixels.for_network(pixels.colours(raw[rows], picture))
        source[0, :, rows] = torch.from_numpy(planes).permute(2, 0, 1)
    return source


def _result(
    raw: pixels.Raw,
    detail: pixels.Plane,
    request: DreamRequest,
    strength: float,
    mask: pixels.Mask | None,
) -> pixels.Raw:
    """The source's pixels in the region with the detail (height, width, 3) blended in."""
    final = np.empty(raw.shape, raw.dtype)
    for rows in _strips(len(raw)):
        source = pixels.colours(raw[rows], request.picture)
        weights = None if mask is None or request.clip else mask[rows]
        result, changed = blend(source, detail[rows], strength, weights)
        final[rows] = pixels.replaced(raw[rows], request.picture, result, changed)
        if mask is not None and request.clip:
            pixels.clip_alpha(final[rows], request.picture, mask[rows])
    return final


def _strips(height: int) -> Iterator[slice]:
    """Some rows at a time: what is between wire and tensor needs no room for the whole picture."""
    return (slice(top, top + STRIP) for top in range(0, height, STRIP))


def _window(region: Region) -> Window:
    return Window(Span(region.y, region.y + region.height), Span(region.x, region.x + region.width))


def _device(name: str) -> torch.device:
    """The device of a name; "auto" is the best there is."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UnknownDevice(
            f"There is no device {name!r:.40} here. Use auto, cpu, cuda or mps."
        ) from error
    if device.type == "meta":
        raise UnknownDevice("Nothing can be computed on the device 'meta'.")
    return device


def _describe_device(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)
