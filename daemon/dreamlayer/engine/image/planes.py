"""Pictures that are read and written by windows, so that none has to be in memory as floats.

A dream's working set is as large as the layer: the source, the picture dreamed so far, one step's
gradient. The source stays the bytes of the request; the picture and the gradient have 16 bits a
sample if they are large. Code that needs pixels reads a window of them as floats, and writes it
back.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from dreamlayer.engine.image.padding import Border
from dreamlayer.geometry import Index, Span, Window
from dreamlayer.runtime import interruption

CPU = torch.device("cpu")
STRIP = 1 << 19  # pixels processed at a time when a whole picture is processed
COMPACT_FROM = 1 << 21  # pixels; smaller pictures are kept as floats: 16 bits would save nothing
Shape = tuple[int, ...]


class Plane(Protocol):
    """A picture (1, C, H, W) that is read by windows. Several threads may read at once."""

    @property
    def shape(self) -> Shape: ...

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the tensors that `read` returns."""

    @property
    def device(self) -> torch.device: ...

    def read(self, window: Window, step: int = 1) -> Tensor:
        """The pixels of a window, or every `step`th row and column of it. Read-only."""


TensorOrPlane = Tensor | Plane  # a tensor is accepted wherever a plane is


class PlaneAllocator(Protocol):
    """Allocates the storage of planes: returns a tensor of zeros."""

    def __call__(self, shape: Shape, dtype: torch.dtype, device: torch.device) -> Tensor: ...


def allocate_in_memory(shape: Shape, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.zeros(shape, dtype=dtype, device=device)


@dataclass(frozen=True)
class SampleFormat:
    """How samples are stored: as floats, or as integers n that mean (n + zero) / levels.

    `dtype` is the stored type, `read_as` the type of the values read.
    """

    dtype: torch.dtype
    read_as: torch.dtype = torch.float32
    levels: int = 0
    zero: int = 0


PICTURE_FORMAT = SampleFormat(torch.int16, levels=65535, zero=32768)  # 0..1
DETAIL_FORMAT = SampleFormat(torch.int16, levels=32767)  # −1..1
GRADIENT_FORMAT = SampleFormat(torch.bfloat16)  # any magnitude, to 0.4 %, the precision of a step
MASK_FORMAT = SampleFormat(torch.uint8, levels=255)


def exact_format(dtype: torch.dtype) -> SampleFormat:
    return SampleFormat(dtype, dtype)


@dataclass(frozen=True)
class StoredPlane:
    """A writable plane. Threads may write at the same time to windows that do not overlap."""

    storage: Tensor
    format: SampleFormat

    @property
    def shape(self) -> Shape:
        return self.storage.shape

    @property
    def dtype(self) -> torch.dtype:
        return self.format.read_as

    @property
    def device(self) -> torch.device:
        return self.storage.device

    def __getitem__(self, index: Index) -> StoredPlane:
        """A part of the plane that shares its storage, as a tensor's would."""
        return StoredPlane(self.storage[index], self.format)

    def read(self, window: Window, step: int = 1) -> Tensor:
        rows, columns = (slice(span.start, span.stop, step) for span in window)
        values = self.storage[..., rows, columns].to(self.format.read_as)
        if self.format.zero:
            values.add_(self.format.zero)
        return values.div_(self.format.levels) if self.format.levels else values

    def write(self, window: Window, values: Tensor) -> None:
        """Write values (1, C, h, w) to a window, clamped to the range of the format."""
        into = self.storage[window.slices()]
        if self.format.levels:
            limits = torch.iinfo(self.format.dtype)
            values = (values * self.format.levels).sub_(self.format.zero).round_()
            values.clamp_(limits.min, limits.max)
        into.copy_(values)

    def add(self, window: Window, values: Tensor) -> None:
        """Add values (1, C, h, w) to a window, by strips, as what is stored may be integers."""
        for strip in strips(values.shape, device=self.device):
            into = Window(strip.rows.shift(window.rows.start), window.columns)
            self.write(into, self.read(into).add_(values[..., strip.rows.slice(), :]))


@dataclass(frozen=True)
class ComputedPlane:
    """A plane computed on reading, pixel by pixel, from planes of the same size."""

    function: Callable[..., Tensor]
    planes: tuple[Plane, ...]

    @property
    def shape(self) -> Shape:
        return self.planes[0].shape

    @property
    def dtype(self) -> torch.dtype:
        return self.planes[0].dtype

    @property
    def device(self) -> torch.device:
        return self.planes[0].device

    def read(self, window: Window, step: int = 1) -> Tensor:
        return self.function(*(plane.read(window, step) for plane in self.planes))


@dataclass(frozen=True)
class DerivedPlane:
    """What planes that are computed of another one on reading have in common with it."""

    plane: Plane

    @property
    def shape(self) -> Shape:
        return self.plane.shape

    @property
    def dtype(self) -> torch.dtype:
        return self.plane.dtype

    @property
    def device(self) -> torch.device:
        return self.plane.device


@dataclass(frozen=True)
class PlaneWindow(DerivedPlane):
    """A window of another plane, as a plane of its own."""

    window: Window

    @property
    def shape(self) -> Shape:
        return (*self.plane.shape[:2], *self.window.size)

    def read(self, window: Window, step: int = 1) -> Tensor:
        return self.plane.read(window.shift(*self.window.origin), step)


@dataclass(frozen=True)
class InsetPlane(DerivedPlane):
    """A plane with one window replaced by another plane."""

    window: Window
    inner: Plane

    def read(self, window: Window, step: int = 1) -> Tensor:
        common = window.intersect(self.window)
        if common == window:
            return self.inner.read(window.relative_to(self.window), step)
        if not common.area:
            return self.plane.read(window, step)
        pixels = self.plane.read(window).clone()
        pixels[common.slices(window.origin)] = self.inner.read(common.relative_to(self.window))
        return pixels[..., ::step, ::step]


def as_plane(picture: TensorOrPlane) -> Plane:
    """A tensor as a plane that shares its storage; a plane is returned as it is."""
    return as_stored_plane(picture) if isinstance(picture, Tensor) else picture


def as_stored_plane(picture: Tensor | StoredPlane) -> StoredPlane:
    """A tensor as a writable plane that shares its storage; bytes mean 255ths."""
    if isinstance(picture, StoredPlane):
        return picture
    return StoredPlane(
        picture, MASK_FORMAT if picture.dtype == torch.uint8 else exact_format(picture.dtype)
    )


def read_all(plane: TensorOrPlane) -> Tensor:
    """The whole plane as floats."""
    return as_plane(plane).read(Window.whole(*plane.shape[-2:]))


def clip(plane: Plane) -> Plane:
    """The plane clamped to 0..1, as bicubic resizing overshoots."""
    return ComputedPlane(lambda pixels: pixels.clamp(0.0, 1.0), (plane,))


# Processing of large pictures by strips.


def is_card(device: torch.device) -> bool:
    """Whether pictures on a device are processed whole, and no number is read back meanwhile.

    A card has memory for whole pictures, and each operation costs it the same time for a strip.
    """
    return device.type != "cpu"


def strips(shape: Sequence[int], least: int = 1, device: torch.device = CPU) -> Iterator[Window]:
    """Divide a picture (…, H, W) into strips of full width, `least` rows or more but for the last.

    On a card there is one strip, the whole picture.

    The division depends on the picture's size only, so that sums over strips are reproducible.
    Between two strips the dream can be interrupted.
    """
    height, width = shape[-2:]
    rows = height if is_card(device) else max(least, STRIP // width)
    for top in range(0, height, rows):
        interruption.check()
        yield Window(Span(top, min(height, top + rows)), Span(0, width))


def exact_sum(rows: Iterable[Tensor]) -> float:
    """The exactly rounded sum of all elements, independent of their order."""
    return math.fsum(number for part in rows for number in part.flatten().tolist())


def sum_of(parts: Iterable[Tensor], device: torch.device) -> float | Tensor:
    """The sum of strips (1, C, h, w); on a card a scalar that nobody has to wait for."""
    if is_card(device):
        (whole,) = parts  # there is one strip
        return whole.sum()
    return exact_sum(part.sum(dim=-1) for part in parts)


def ratio(number: float, divisor: float | Tensor) -> float | Tensor:
    """A number over another one that is not negative; 0 if that is 0."""
    if isinstance(divisor, Tensor):
        return torch.nan_to_num_(number / divisor, nan=0.0, posinf=0.0)
    return number / divisor if divisor > 0 else 0.0


def copy(plane: Plane, into: StoredPlane) -> StoredPlane:
    """Write a whole plane to another of its size, which may be one of its inputs."""
    for strip in strips(plane.shape, device=into.device):
        into.write(strip, plane.read(strip))
    return into


def rewrite(plane: StoredPlane, fresh: Callable[[Window], Tensor], reach: int, wrap: bool) -> None:
    """Replace each strip of a plane by `fresh(strip)`, which may read `reach` rows around it.

    `fresh` always reads old values: strips are at least `reach` rows high, each is written after
    the next has been computed, and with `wrap` the first, a neighbour of the last, is written at
    the end.
    """
    late: list[tuple[Window, Tensor]] = []
    kept = 1 if wrap else 0
    for strip in strips(plane.shape, max(1, reach), plane.device):
        late.append((strip, fresh(strip)))
        if len(late) > kept + 1:
            plane.write(*late.pop(kept))
    for strip, pixels in late:
        plane.write(strip, pixels)


def gather(plane: Plane, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
    """The pixels in these rows and columns of a plane: (1, C, len(rows), len(columns)).

    Read run by run of consecutive indices: what lies between two runs (across a seam) is not
    read, and reversed or repeated indices (beyond an edge) cost no extra reads. Done by strips,
    so that the pixels read do not occupy memory twice.
    """
    if is_card(plane.device):
        return _gather_whole(plane, rows, columns)
    down, across = list(_runs(rows)), list(_runs(columns))
    if len(down) == len(across) == 1:
        return _read(plane, down[0], across[0]).expand(-1, -1, len(rows), len(columns))
    size = (*plane.shape[:2], len(rows), len(columns))
    pixels = torch.empty(size, dtype=plane.dtype, device=plane.device)
    for strip in strips(size):
        numbers, into = rows[strip.rows.slice()], pixels[..., strip.rows.slice(), :]
        for one in _runs(numbers):
            for other in across:
                into[..., one.place, other.place] = _read(plane, one, other)
    return pixels


def _gather_whole(plane: Plane, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
    """Like `gather`, in one read and an operation an axis; indices stay on the card."""
    spans = [Span(min(numbers), max(numbers) + 1) for numbers in (rows, columns)]
    pixels = plane.read(Window(spans[0], spans[1]))
    for axis, numbers, span in zip((-2, -1), (rows, columns), spans, strict=True):
        if len(numbers) != span.length or any(a >= b for a, b in pairwise(numbers)):
            places = tuple(index - span.start for index in numbers)
            pixels = pixels.index_select(axis, _indices_on(places, pixels.device))
    return pixels


@functools.lru_cache(maxsize=1024)
def _indices_on(numbers: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.tensor(numbers, device=device)


def extended_indices(span: Span, by: int, length: int, border: Border) -> list[int]:
    """The indices of a span with `by` more on each side; `border` maps those outside 0 … length."""
    return [
        index if 0 <= index < length else border(index, length)
        for index in range(span.start - by, span.stop + by)
    ]


@dataclass(frozen=True)
class _Run:
    """Indices that progress by `step`: 1, −1 or 0; their `place` in the list and their span."""

    place: slice
    span: Span
    step: int


def _runs(numbers: Sequence[int]) -> Iterator[_Run]:
    first, step, last = 0, None, len(numbers) - 1
    for place, (a, b) in enumerate(pairwise(numbers), start=1):
        ahead = b - a
        if ahead != step:
            if step is None and abs(ahead) <= 1:
                step = ahead
                continue
            yield _run(numbers, first, place - 1, step)
            first, step = place, None
    yield _run(numbers, first, last, step)


def _run(numbers: Sequence[int], first: int, last: int, step: int | None) -> _Run:
    low, high = sorted((numbers[first], numbers[last]))
    return _Run(slice(first, last + 1), Span(low, high + 1), 1 if step is None else step)


def _read(plane: Plane, rows: _Run, columns: _Run) -> Tensor:
    """The pixels where two runs cross; one row or column for a run with step 0 (broadcasts)."""
    pixels = plane.read(Window(rows.span, columns.span))
    turned = [axis for axis, run in ((-2, rows), (-1, columns)) if run.step < 0]
    return pixels.flip(turned) if turned else pixels
