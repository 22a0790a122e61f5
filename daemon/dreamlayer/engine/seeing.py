"""Which channels, layers, kinds and classes of a network answer to a part of a picture.

A channel's score is its mean activation over the part's cells, in standard deviations from what is
usual in photos (`networks/kinds/usual.py`): so loud channels don't win, and channels of
different layers and networks compare. The mean, not the peak: it asks what
most of the part is made of. No gradient is computed.

    picture ─ infer ─▶ maps ─ minus usual ─▶ deviations ─ mean over the part ─▶ score
                                                  └──── laid over the picture ─▶ heat map
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dreamlayer.networks.graph.receptive_field import Geometry
from dreamlayer.networks.kinds import kinds, usual
from dreamlayer.networks.network import CLASS, Network
from dreamlayer.runtime import interruption

# px. The networks were trained on subjects that fill most of 224 px, and what is usual is measured
# on pictures of 224 to 480 px: reduced to 320, a subject that fills two thirds of the part has the
# size of those in training. A pass then takes a fiftieth of a second.
LONGEST = 320
SHORTEST = 96  # px; smaller parts are enlarged, as the deep layers' cells are 32 px apart
LEAST = 64  # px; the shorter side of what a network sees: every layer has at least two cells
HEAT_SIDE = 64  # px of a heat map's longer side, enough for cells that are 4 to 32 px apart
CLASSES = 5  # that are named …
PROBABLE = 0.01  # … if they have this probability
FAINT = 1e-6
ECHO = 0.8  # correlation of two channels' cells


@dataclass(frozen=True)
class Sight:
    """What answers to the part of the picture.

    Attributes:
        address: "network/layer/channel", "network/layer" or "network/kind:NAME".
        model: the network's name.
        expression: what dreams it, in the recipe's words.
        name: the kind's, the layer's, or the channel's number.
        score: standard deviations above what is usual, a mean over the part.
        loudness: the channel's spread in the layer's scale (`Network.scales`); 1 otherwise. A sum
            of channels, each by 1 / loudness, amplifies all of them alike.
        deviations: (h, w), by how many standard deviations each cell is above what is usual.
        geometry: where these cells lie.
    """

    address: str
    model: str
    expression: str
    name: str
    score: float
    loudness: float
    deviations: Tensor
    geometry: Geometry


@dataclass(frozen=True)
class SeenIn:
    """What one network sees: each list begins with the strongest.

    `classes` are (number, probability).
    """

    channels: list[Sight]
    layers: list[Sight]
    kinds: list[Sight]
    classes: list[tuple[int, float]]


def working_scale(region: tuple[int, int], picture: tuple[int, int]) -> float:
    """By how much a picture is reduced (or, above 1, enlarged) before a network sees it.

    Args:
        region: px (h, w) of the part that is asked about.
        picture: px (h, w) of everything that was sent; enlarged, it stays below twice `LONGEST`.
    """
    longer = max(region)
    if longer > LONGEST:
        return LONGEST / longer
    return max(1.0, min(SHORTEST / longer, 2 * LONGEST / max(picture)))


def look_at(network: Network, picture: Tensor, weights: Tensor, count: int) -> SeenIn:
    """Rank what a network sees.

    Args:
        network: extracted up to layers whose usual activations are known, and CLASS if it has one.
        picture: (1, 3, H, W), R, G, B in 0..1, at the working size; at least `LEAST` px each way.
        weights: (H, W), how much each pixel is asked about, ≥ 0, not all 0.
        count: how many rows each list has at most.

    Raises Interrupted if nobody wants the result any more.
    """
    height, width = picture.shape[-2:]
    boxes = [((0, rows), (0, columns)) for rows, columns in network.grids(height, width)]
    maps = dict(zip(network.layers, network.infer(picture, boxes), strict=True))
    geometries = dict(zip(network.layers, network.maps, strict=True))
    scales = dict(zip(network.layers, network.scales, strict=True))
    classes = (
        _classes(network, maps.pop(CLASS), geometries[CLASS], weights) if CLASS in maps else []
    )
    channels, layers = [], []
    for layer, cells in maps.items():
        interruption.check()
        geometry = geometries[layer]
        own, whole = _of_layer(network.name, layer, cells[0], geometry, weights, count)
        own = [replace(sight, loudness=sight.loudness / scales[layer]) for sight in own]
        channels += own
        layers.append(whole)
    known = kinds.seen(network.name).values()
    seen = [
        _kind(network.name, kind, maps[kind.layer][0], geometries[kind.layer], weights)
        for kind in known
        if kind.layer in maps
    ]
    return SeenIn(
        strongest(channels, count), strongest(layers, count), strongest(seen, count), classes
    )


def strongest(sights: Sequence[Sight], count: int) -> list[Sight]:
    """The sights with the highest scores, the highest first; equal ones keep their order.

    One that fires in the same places as a stronger one is left out: the blocks of a network with
    residual connections hand most of a channel on, and the same answer would be named three times.
    """
    found: list[Sight] = []
    for sight in sorted(sights, key=lambda sight: -sight.score):
        if len(found) == count:
            break
        if not any(_echoes(sight, other) for other in found):
            found.append(sight)
    return found


def _echoes(sight: Sight, other: Sight) -> bool:
    """Whether two channels of different layers, with the same number, fire in the same places."""
    if (sight.name, sight.deviations.shape) != (other.name, other.deviations.shape):
        return False
    one, two = (heat - heat.mean() for heat in (sight.deviations, other.deviations))
    product = float((one * two).sum())
    return product > ECHO * float(one.norm() * two.norm()) > 0


def _of_layer(
    model: str, layer: str, cells: Tensor, geometry: Geometry, weights: Tensor, count: int
) -> tuple[list[Sight], Sight]:
    """The strongest channels of a layer's map (C, h, w), and the layer as a whole.

    A layer's score is the root mean square of all its deviations in the part, minus 1, which it is
    in ordinary pictures: how much more goes on in the layer than usual.
    """
    usually = usual.find(model, layer)
    deviations = usually.deviations(cells)
    scores = _mean_over(deviations, geometry, weights)
    numbers = scores.topk(min(count, len(scores)))[1].tolist()
    address = f"{model}/{layer}"
    found = [
        Sight(
            f"{address}/{number}", model, f"{layer}:{number}", str(number), float(scores[number]),
            float(usually.spreads[number]), deviations[number], geometry,
        )
        for number in numbers
    ]  # fmt: skip
    energy = deviations.square().mean(0)
    score = float(_mean_over(energy[None], geometry, weights)[0].sqrt()) - 1
    return found, Sight(address, model, layer, layer, score, 1.0, energy.sqrt() - 1, geometry)


def _kind(
    model: str, kind: kinds.Kind, cells: Tensor, geometry: Geometry, weights: Tensor
) -> Sight:
    """A kind: the mean deviation of its channels."""
    own = cells[list(kind.channels[0])]
    means, spreads = torch.tensor(kind.means[0]), torch.tensor(kind.spreads[0])
    deviations = ((own - means[:, None, None]) / spreads[:, None, None]).mean(0)
    score = float(_mean_over(deviations[None], geometry, weights)[0])
    dreamt = kind.name in kinds.names(model)
    channels = ",".join(map(str, kind.channels[0]))
    expression = f"kind:{kind.name}" if dreamt else f"{kind.layer}:{channels}"
    return Sight(
        f"{model}/kind:{kind.name}", model, expression, kind.name, score, 1.0, deviations, geometry
    )


def _classes(
    network: Network, cells: Tensor, geometry: Geometry, weights: Tensor
) -> list[tuple[int, float]]:
    """The most probable classes of the part: (number, probability).

    Each cell is classified, and the logits averaged over the part, which is what a classifier with
    average pooling makes of a whole picture.
    """
    height, width = cells.shape[-2:]
    singles = cells[0].permute(1, 2, 0).reshape(height * width, -1, 1, 1)
    with torch.no_grad():
        logits = network.logits(singles).T.reshape(-1, height, width)
    probabilities = _mean_over(logits, geometry, weights).softmax(0)
    best = probabilities.topk(min(CLASSES, len(probabilities)))
    pairs = zip(best[1].tolist(), best[0].tolist(), strict=True)
    return [(number, probability) for number, probability in pairs if probability >= PROBABLE]


def together(channels: Sequence[tuple[str, float]]) -> str:
    """An expression that dreams channels of one network, each as strongly as the others.

    Their activations are weighed by what is usual for them: otherwise the loudest of them would be
    dreamed, and the others hardly.

    Args:
        channels: each with its expression and its loudness (`Sight`), at least one.
    """
    mean = sum(1 / loudness for _, loudness in channels) / len(channels)
    terms = [f"{expression}*{1 / (loudness * mean):.4f}" for expression, loudness in channels]
    return " + ".join(terms)


# Cells and pixels.


def _mean_over(values: Tensor, geometry: Geometry, weights: Tensor) -> Tensor:
    """The mean of values (C, h, w) over cells, by how much each is asked about: (C,)."""
    share = cell_weights(geometry, values.shape[-2:], weights)
    return (values * share).sum(dim=(1, 2)) / share.sum()


def cell_weights(geometry: Geometry, grid: Sequence[int], weights: Tensor) -> Tensor:
    """How much each cell (h, w) is asked about: the mean weight of the stride² pixels about it.

    Where no cell's pixels are, between the last cell and the picture's edge, the nearest cells
    count instead, so that the result is never 0 everywhere.
    """
    rows, columns = (_shares(geometry, grid[axis], weights.shape[axis]) for axis in (0, 1))
    found = rows @ weights @ columns.T
    if float(found.max()) > FAINT:
        return found
    rows, columns = (_places(geometry, grid[axis], weights.shape[axis]).T for axis in (0, 1))
    return rows @ weights @ columns.T


def lay_over(sight: Sight, size: tuple[int, int], heat_size: tuple[int, int]) -> Tensor:
    """A sight's deviations over the picture, bilinear between the cells' centres: (h, w).

    Args:
        size: px (H, W) of the picture at the working size.
        heat_size: px (h, w) of the result.
    """
    cells = sight.deviations
    rows, columns = (
        _places(sight.geometry, cells.shape[axis], size[axis], heat_size[axis]) for axis in (0, 1)
    )
    return rows @ cells @ columns.T


def _centre(geometry: Geometry) -> float:
    """px, the middle of the first cell's receptive field, from the picture's edge."""
    return (sum(geometry.reach) + 1) / 2


def _shares(geometry: Geometry, cells: int, length: int) -> Tensor:
    """(cells, length): the share that each pixel has in a cell's surroundings of one stride."""
    stride = geometry.stride
    starts = torch.arange(cells)[:, None] * stride + _centre(geometry) - stride / 2
    pixels = torch.arange(length)[None]
    overlap = torch.minimum(starts + stride, pixels + 1.0) - torch.maximum(starts, pixels + 0.0)
    return overlap.clamp(min=0) / stride


def _places(geometry: Geometry, cells: int, length: int, samples: int | None = None) -> Tensor:
    """(samples, cells): how much each cell counts at evenly spaced places of an axis.

    Args:
        length: px of the axis.
        samples: how many places; None: one a pixel.
    """
    samples = samples or length
    places = (torch.arange(samples) + 0.5) * (length / samples)
    at = ((places - _centre(geometry)) / geometry.stride).clamp(0, cells - 1)
    return (1 - (at[:, None] - torch.arange(cells)[None]).abs()).clamp(min=0)
