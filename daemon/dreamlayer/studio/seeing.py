"""The answer to `see`: the pixels reduced, looked at by each network, and ranked together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor

from dreamlayer.compositing import pixels
from dreamlayer.engine import seeing
from dreamlayer.engine.image import resize
from dreamlayer.engine.seeing import SeenIn, Sight
from dreamlayer.geometry import Span, Window
from dreamlayer.networks.kinds import usual
from dreamlayer.networks.network import CLASS, Network, resolve_layer
from dreamlayer.networks.registry import registry
from dreamlayer.runtime import interruption
from dreamlayer.studio.source import SourceImage
from dreamlayer.thumbnails import sheets
from dreamlink.picture import Region
from dreamlink.wire.messages import Frame, Header
from dreamlink.wire.seeing import SeeRequest

GREY = 0.5  # behind transparent pixels, whose colours may be anything
TOGETHER = 10  # channels that are offered as one expression
SURROUNDINGS = 0.5  # of the region's longer side are seen around it
Using = Callable[[str, Sequence[str]], AbstractContextManager[Network]]


class CannotSee(ValueError):
    """There is nothing to see, or no network to see with; the text is for the user."""


@dataclass(frozen=True)
class _Scene:
    """What the networks see, at the working size.

    Attributes:
        picture: (1, 3, H, W), R, G, B in 0..1.
        weights: (H, W), how much each pixel is asked about.
        size: px (h, w) of the part of it that is the picture; the rest repeats its edge.
        scale: px here for each px of the picture that was sent.
        corner: (row, column) in the picture that was sent.
    """

    picture: Tensor
    weights: Tensor
    size: tuple[int, int]
    scale: tuple[float, float]
    corner: tuple[int, int]


def see(request: SeeRequest, frames: Sequence[Frame], using: Using) -> tuple[Header, list[Frame]]:
    """The fields of `seen`, its heat maps, and the thumbnails if they are wanted.

    Args:
        using: a context with a network that ends at some of its layers, by their full names.

    Raises:
        CannotSee, UnknownModel, UnknownLayer, MissingWeights: with a sentence for the user.
    """
    wanted = _wanted(request)
    scene = _scene(request, frames)
    looks: dict[str, SeenIn] = {}
    for model, layers in wanted.items():
        interruption.check()
        classified = [CLASS] if registry.find(model).classes and not request.layers else []
        with using(model, [*layers, *classified]) as network:
            looks[model] = seeing.look_at(network, scene.picture, scene.weights, request.count)
    lists = {
        name: seeing.strongest(
            [sight for look in looks.values() for sight in getattr(look, name)], request.count
        )
        for name in ("channels", "layers", "kinds")
    }
    return _answer(request, scene, lists, looks)


def _wanted(request: SeeRequest) -> dict[str, list[str]]:
    """{network: full names of its layers to look at}."""
    if not request.model:
        return {model: usual.layers(model) for model in usual.models()}
    known = usual.layers(registry.find(request.model).name)
    if not known:
        raise CannotSee(
            f"How active {request.model} usually is has not been measured, so nothing can be"
            f" ranked: see with {' or '.join(usual.models())}."
        )
    names = [resolve_layer(request.model, layer) for layer in request.layers] or known
    for name in names:
        if name not in known:
            raise CannotSee(
                f"How active {name} of {request.model} usually is has not been measured. Choose of"
                f" {', '.join(known)}."
            )
    return {request.model: list(dict.fromkeys(names))}


def _scene(request: SeeRequest, frames: Sequence[Frame]) -> _Scene:
    """Read, crop and reduce the pixels; raises CannotSee if nothing of them is asked about."""
    image = SourceImage(pixels.view(frames[0], request.picture), request.picture)
    region = request.region
    margin = round(SURROUNDINGS * max(region.width, region.height))
    around = region.grow(margin).clip(request.picture.region)
    raw = image.raw[around.y : around.y + around.height, around.x : around.x + around.width]
    part = SourceImage(raw, request.picture)
    colours = part.read(Window.whole(around.height, around.width))
    weights = torch.zeros(1, 1, around.height, around.width)
    inside = region.moved(-around.x, -around.y)
    weights[..., inside.y : inside.y + inside.height, inside.x : inside.x + inside.width] = _mask(
        request, frames
    )
    if not weights.any():
        raise CannotSee("Nothing is selected: the mask is black everywhere.")
    opacity = pixels.read_alpha(raw, request.picture)
    if opacity is not None:
        alpha = torch.from_numpy(opacity)
        colours = colours * alpha + GREY * (1 - alpha)
        weights = weights * alpha
        if not weights.any():
            raise CannotSee("The part to see is fully transparent: choose one with content.")
    interruption.check()
    sizes = (around.height, around.width)
    scale = seeing.working_scale((region.height, region.width), sizes)
    size = (max(1, round(sizes[0] * scale)), max(1, round(sizes[1] * scale)))
    small = resize.resize(colours, size).clamp(0, 1)
    share = F.interpolate(weights, size, mode="area") if scale < 1 else F.interpolate(weights, size)
    padding = [0, max(0, seeing.LEAST - size[1]), 0, max(0, seeing.LEAST - size[0])]
    return _Scene(
        F.pad(small, padding, mode="replicate"),
        F.pad(share, padding)[0, 0],
        size,
        (size[0] / sizes[0], size[1] / sizes[1]),
        (around.y, around.x),
    )


def _mask(request: SeeRequest, frames: Sequence[Frame]) -> Tensor:
    region: Region = request.region
    if not request.mask:
        return torch.ones(region.height, region.width)
    mask = pixels.view_mask(frames[1], region.height, region.width)
    return torch.from_numpy(mask.astype(np.float32) / 255)


def _answer(
    request: SeeRequest, scene: _Scene, lists: dict[str, list[Sight]], looks: dict[str, SeenIn]
) -> tuple[Header, list[Frame]]:
    heat_size = _heat_size(request)
    maps: list[bytes] = []
    thumbnails: list[bytes] = []
    rows: dict[str, list[Header]] = {}
    for name, sights in lists.items():
        rows[name] = []
        for sight in sights:
            interruption.check()
            row, heat = _row(request, scene, sight, heat_size)
            rows[name].append(row)
            maps.append(heat)
            found = sheets.find(sight.address) if request.thumbnails else None
            if found is not None:
                row |= {"thumbnail": True, "specific": found.specific}
                thumbnails.append(found.pixels.tobytes())
    classes = [
        {"model": model, "number": number, "name": _class_name(model, number), "probability": value}
        for model, look in looks.items()
        for number, value in look.classes
    ]
    together = [
        {"model": model, "expression": seeing.together(own[:TOGETHER])}
        for model in looks
        if (own := _loudness(lists["channels"], model))
    ]
    header = {
        **rows,
        "together": together,
        "classes": classes,
        "heat": {"width": heat_size[1], "height": heat_size[0]},
        "notes": _notes(request, looks),
    }
    answer: list[Frame] = [b"".join(maps)]
    if request.thumbnails:
        header["thumbnails"] = {"side": sheets.SIDE}
        answer.append(b"".join(thumbnails))
    return header, answer


def _loudness(channels: Sequence[Sight], model: str) -> list[tuple[str, float]]:
    """The channels of a network, each with its expression and its loudness."""
    return [(sight.expression, sight.loudness) for sight in channels if sight.model == model]


def _row(
    request: SeeRequest, scene: _Scene, sight: Sight, heat_size: tuple[int, int]
) -> tuple[Header, bytes]:
    """A row of a list, and its heat map: 0 as usual or less, 255 the strongest in the part."""
    height, width = scene.picture.shape[-2:]
    full = seeing.lay_over(sight, (height, width), (height, width))
    asked = full.masked_fill(scene.weights <= scene.weights.max() / 2, -torch.inf)
    place = int(asked.argmax())
    peak = float(asked.flatten()[place])
    row, column = divmod(place, width)
    x = scene.corner[1] + (column + 0.5) / scene.scale[1]
    y = scene.corner[0] + (row + 0.5) / scene.scale[0]
    described = {
        "address": sight.address, "model": sight.model, "expression": sight.expression,
        "name": sight.name, "score": sight.score, "peak": peak, "place": [x, y],
        "loudness": sight.loudness,
    }  # fmt: skip
    return described, _heat(request, scene, full, peak, heat_size)


def _heat(
    request: SeeRequest, scene: _Scene, full: Tensor, peak: float, heat_size: tuple[int, int]
) -> bytes:
    """The deviations (H, W) over all of the picture that was sent, a byte each."""
    shown = full[: scene.size[0], : scene.size[1]].clamp(min=0) / max(peak, 1e-6)
    picture, around = request.picture, _window(scene)
    target = around.scale((picture.height, picture.width), heat_size)
    canvas = torch.zeros(heat_size)
    canvas[target.rows.slice(), target.columns.slice()] = F.interpolate(
        shown[None, None], target.size, mode="area"
    )[0, 0]
    bytes_of = (canvas.clamp(0, 1) * 255).round().byte()
    return bytes_of.numpy().tobytes()


def _window(scene: _Scene) -> Window:
    """The part of the picture that was sent that is in the scene."""
    (top, left), (height, width) = scene.corner, scene.size
    rows = Span(top, top + round(height / scene.scale[0]))
    return Window(rows, Span(left, left + round(width / scene.scale[1])))


def _heat_size(request: SeeRequest) -> tuple[int, int]:
    """The heat maps' size (h, w), in the picture's proportions."""
    width, height = request.picture.width, request.picture.height
    scale = min(1.0, seeing.HEAT_SIDE / max(width, height))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _class_name(model: str, number: int) -> str:
    names = registry.categories(model)
    return names[number] if number < len(names) else str(number)


def _notes(request: SeeRequest, looks: dict[str, SeenIn]) -> list[str]:
    """What the lists lack, as sentences."""
    without = [model for model in looks if not registry.find(model).classes]
    if request.model and without:
        return [
            f"{request.model} has neither classes nor kinds of things here: only its channels and"
            " layers are ranked."
        ]
    return []
