"""Helpers that dream in a test, and figures of a picture that need no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from PIL import Image
from torch import Tensor

from dreamlayer.compositing.overlay import Overlay
from dreamlayer.engine.dream import dream
from dreamlayer.engine.image import resize
from dreamlayer.engine.octave_loop import DreamResult
from dreamlayer.geometry import Span, Window
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe

PICTURES = Path(__file__).parents[1] / "pictures"
EDGE = 8  # px
MUTED = 0.05  # chroma in OKLab; the photos in tests/pictures have 0.03 to 0.11


def photo(name: str, side: int | None = None) -> Tensor:
    """A picture of tests/pictures as (1, 3, H, W) of 8 bits in 0..1, at most `side` px long."""
    with Image.open(PICTURES / name) as image:
        pixels = np.array(image.convert("RGB"))
    picture = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    longer = max(picture.shape[-2:])
    if side is None or longer <= side:
        return picture
    height, width = (round(length * side / longer) for length in picture.shape[-2:])
    return (resize.resize(picture, (height, width)).clamp(0, 1) * 255).round() / 255


def run_dream(
    source: Tensor, network, recipe: Recipe, window: Window | None = None, **more: Tensor
) -> DreamResult:
    """Run a dream to its end."""
    steps = dream(source, network, recipe, window or Window.whole(*source.shape[-2:]), **more)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def dream_detail(
    source: Tensor, network, recipe: Recipe, window: Window | None = None, **more: Tensor
) -> Tensor:
    """Run a dream to its end; returns its detail."""
    return run_dream(source, network, recipe, window, **more).detail


def overlay(source: Tensor, dream: DreamResult, recipe: Recipe) -> Overlay:
    """The overlay of a dream on a whole 8-bit picture, as users get it."""
    height, width = source.shape[-2:]
    raw = (source[0].permute(1, 2, 0) * 255).round().byte().numpy()
    added = dream.detail if dream.base is None else dream.base + dream.detail
    layout = Picture(width, height, "U8", "RGB")
    edges = layout.region.edges(layout.region)
    return Overlay(raw, layout, added, dream.base is not None, recipe, None, False, edges)


def blended(over: Overlay, source: Tensor, recipe: Recipe) -> Tensor:
    """The picture (1, 3, H, W) that an overlay on `source` gives with a recipe's live values."""
    height, width = source.shape[-2:]
    pixels = np.frombuffer(over.blend(recipe), np.uint8).reshape(height, width, 3)
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def change_outside(source: Tensor, dream: DreamResult, recipe: Recipe) -> float:
    """The largest change outside a round selection, of colours and alpha, in any depth."""
    height, width = source.shape[-2:]
    down, right = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    mask = ((1.2 - torch.hypot(down, right) * 2).clamp(0, 1) * 255).byte().numpy()
    colours = source[0].permute(1, 2, 0).double().numpy()
    planes = np.concatenate([colours, 0.25 + 0.5 * colours[..., :1]], axis=2)
    added = dream.detail if dream.base is None else dream.base + dream.detail
    largest = 0.0
    for depth, kind, top in (("U8", "u1", 255), ("U16", "<u2", 65535), ("F32", "<f4", 0)):
        raw = (planes * top).round().astype(kind) if top else planes.astype(kind)
        layout = Picture(width, height, depth, "RGBA")
        edges = layout.region.edges(layout.region)
        over = Overlay(raw, layout, added, dream.base is not None, recipe, mask, False, edges)
        fresh = np.frombuffer(over.blend(recipe), kind).reshape(raw.shape)
        change = np.abs(fresh.astype(np.float64) - raw)
        assert change[mask == 255].any()
        largest = max(largest, float(change[mask == 0].max()))
    return largest


def middle_window(size: Sequence[int], share: float = 0.5) -> Window:
    """The central window with `share` of each side."""
    spans = []
    for length in size:
        start = round(length * (1 - share) / 2)
        spans.append(Span(start, start + round(length * share)))
    return Window(*spans)


def crop(picture: Tensor, window: Window) -> Tensor:
    return picture[..., window.rows.slice(), window.columns.slice()].clone()


def _grey(picture: Tensor) -> np.ndarray:
    weights = torch.tensor([0.2126, 0.7152, 0.0722])
    return torch.tensordot(picture[0].float(), weights, ([0], [0])).numpy()


def high_frequencies(picture: Tensor) -> float:
    """Energy above 0.25 cycles a pixel."""
    grey = _grey(picture)
    grey = grey - grey.mean()
    hann = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))
    energy = np.abs(np.fft.fft2(grey * hann)) ** 2
    down, right = np.fft.fftfreq(grey.shape[0])[:, None], np.fft.fftfreq(grey.shape[1])
    return float(energy[np.hypot(down, right) > 0.25].sum())


def chroma(picture: Tensor) -> float:
    """Mean perceived chroma: the distance from grey in OKLab (Björn Ottosson, 2020).

    In R, G and B a colour of the same chroma is further from grey the lighter it is: a dream that
    keeps all colours and makes some lighter would seem to change them.
    """
    encoded = picture[0].double().clamp(0, 1)
    linear = torch.where(
        encoded <= 0.04045, encoded / 12.92, ((encoded.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    )
    cones = torch.tensordot(_CONES, linear, ([1], [0])) ** (1 / 3)
    a, b = torch.tensordot(_OPPONENTS, cones, ([1], [0]))
    return float(torch.hypot(a, b).mean())


_CONES = torch.tensor(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    dtype=torch.float64,
)
_OPPONENTS = torch.tensor(
    [
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    dtype=torch.float64,
)


def chroma_ratio(source: Tensor, result: Tensor) -> float:
    """Chroma of a result over that of its source.

    Below a chroma of `MUTED` the source counts as `MUTED`: otherwise the little colour that any
    dream adds to a nearly grey source would be a large ratio.
    """
    before = chroma(source)
    return 1 + (chroma(result) - before) / max(before, MUTED)


def clipped(picture: Tensor) -> float:
    """Share of the pixels with a sample at an end of the range at 8 bits."""
    at_end = (picture < 0.5 / 255) | (picture > 254.5 / 255)
    return float(at_end.any(dim=1).float().mean())


def border_index(detail: Tensor, width: int = EDGE) -> float:
    """Mean |detail| of the outer pixels over that of the others.

    It depends on the photo's content at the edges: 0.5 for photos of an object in the middle of a
    calm ground, 1.6 for others, however well their edges are dreamed. `edge_index` does not.
    """
    size = detail.abs().mean(dim=1)[0]
    inner = size[width:-width, width:-width]
    outer = (size.sum() - inner.sum()) / (size.numel() - inner.numel())
    return float(outer / inner.mean())


def edge_index(alone: Tensor, within: Tensor, width: int = EDGE) -> float:
    """How strongly a picture's edges dream, relative to the same pixels with real surroundings.

    Args:
        alone: the detail of a part of a photo dreamed as a picture of its own.
        within: the detail of the same pixels when the photo is dreamed as a whole.
    """
    return border_index(alone, width) / border_index(within, width)


def lattice_index(detail: Tensor, stride: int) -> float:
    """How unevenly the finest detail is spread over the phases of the network's grid; 1 is even.

    1 + the relative standard deviation, over the stride² phases, of the mean |Laplacian| at a
    phase; minus the deviation caused by the picture's own structures, measured at odd periods near
    the stride. The larger of the values for the stride and for half of it, where most networks
    pool for the last time.
    """
    grey = _grey(detail).astype(np.float64)
    centre = 4 * grey[1:-1, 1:-1]
    laplacian = np.abs(centre - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:])
    periods = [period for period in (stride, stride // 2) if period >= 4]
    return max((1 + _unevenness(laplacian, period) for period in periods), default=1.0)


def _unevenness(values: np.ndarray, period: int) -> float:
    odd = [p for p in range(period - 3, period + 4) if p % 2 and p > 2]
    chance = np.mean([_phase_variance(values, p) for p in odd])
    cells = values.shape[0] // period * (values.shape[1] // period)
    excess = (_phase_variance(values, period) - chance) / cells
    return float(np.sqrt(max(0.0, excess)))


def _phase_variance(values: np.ndarray, period: int) -> float:
    """The relative variance of the phase means, times the number of cells in each mean."""
    rows, columns = (length // period for length in values.shape)
    part = values[: rows * period, : columns * period]
    phases = part.reshape(rows, period, columns, period).mean(axis=(0, 2))
    return float(phases.var() / part.mean() ** 2 * rows * columns)


def seam_index(detail: Tensor, rows: Sequence[int], columns: Sequence[int]) -> float:
    """Mean |difference| of neighbours across tile borders over that elsewhere.

    Args:
        rows, columns: where tiles begin, other than at 0; at least one.
    """
    across = count = elsewhere = rest = 0.0
    for axis, borders in ((-2, rows), (-1, columns)):
        steps = detail.double().diff(dim=axis).abs().movedim(axis, 0)
        at_border = torch.zeros(len(steps), dtype=torch.bool)
        at_border[[border - 1 for border in borders]] = True
        across, count = across + steps[at_border].sum(), count + steps[at_border].numel()
        elsewhere, rest = elsewhere + steps[~at_border].sum(), rest + steps[~at_border].numel()
    return float(across / count / (elsewhere / rest))


def ssim(a: Tensor, b: Tensor) -> float:
    """Structural similarity (Wang et al., 2004) of the grey pictures, 8×8 windows."""
    x, y = (torch.from_numpy(_grey(p)).double()[None, None] for p in (a, b))

    def mean(p: Tensor) -> Tensor:
        return F.avg_pool2d(p, 8, 1)

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return float(
        ((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean()
    )


def decibels(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio of two details, for a range of 1; infinite if they are equal."""
    error = float((a - b).double().square().mean())
    return float("inf") if error == 0 else -10 * float(np.log10(error))
