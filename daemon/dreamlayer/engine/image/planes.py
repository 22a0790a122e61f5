"""Pictures that are read and written by windows, so that none has to be in memory as floats.

What a dream works on is as large as the layer: the source, the picture dreamed so far, one step's
gradient. The source stays the bytes that came; the picture and the gradient have 16 bits a sample
where they are large. Whoever needs pixels reads a window of them, as floats, and writes it back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from dreamlayer.engine.image.padding import Border
from dreamlayer.geometry import Index, Span, Window

STRIP = 1 << 19  # pixels; what is done to a whole picture is done to so many at a time
COMPACT_FROM = 1 << 21  # pixels; smaller pictures are kept as floats: there is nothing to save
Shape = tuple[int, ...]


class Plane(Protocol):
    """A picture (1, C, H, W) that is read by windows. Several threads may read at once."""

    @property
    def shape(self) -> Shape: ...

    @property
    def dtype(self) -> torch.dtype:
        """Of what is read."""

    @property
    def device(self) -> torch.device: ...

    def read(self, window: Window, step: int = 1) -> Tensor:
        """The pixels of a window, or every `step`th row and column of it; not to be changed."""


TensorOrPlane = Tensor | Plane  # a tensor is a plane, too, wherever one is asked for


class PlaneAllocator(Protocol):
    """Where planes are kept: gives a tensor of zeros."""

    def __call__(self, shape: Shape, dtype: torch.dtype, device: torch.device) -> Tensor: ...


def allocate_in_memory(shape: Shape, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.zeros(shape, dtype=dtype, device=device)


@dataclass(frozen=True)
class SampleFormat:
    """How numbers are stored: as floats, or as integers n for (n + zero) / levels.

    `dtype` is that of what is stored, `read_as` that of what is read.
    """

    dtype: torch.dtype
    read_as: torch.dtype = torch.float32
    levels: int = 0
    zero: int = 0


PICTURE_FORMAT = SampleFormat(torch.int16, levels=65535, zero=32768)  # 0..1
DETAIL_FORMAT = SampleFormat(torch.int16, levels=32767)  # −1..1
GRADIENT_FORMAT = SampleFormat(
    torch.bfloat16
)  # any size, to 0.4 %: a step is not known better than that
MASK_FORMAT = SampleFormat(torch.uint8, levels=255)


def exact_format(dtype: torch.dtype) -> SampleFormat:
    return SampleFormat(dtype, dtype)


@dataclass(frozen=True)
class StoredPlane:
    """A plane that can be written. Threads may write at once where their windows don't touch."""

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
        """A part of it, which shares its pixels, as a tensor's would."""
        return StoredPlane(self.storage[index], self.format)

    def read(self, window: Window, step: int = 1) -> Tensor:
        rows, columns = (slice(span.start, span.stop, step) for span in window)
        found = self.storage[..., rows, columns].to(self.format.read_as)
        if self.format.zero:
            found.add_(self.format.zero)
        return found.div_(self.format.levels) if self.format.levels else found

    def write(self, window: Window, values: Tensor) -> None:
        """Put values (1, C, h, w) into a window; those beyond what can be stored are cut off."""
        into = self.storage[window.slices()]
        if self.format.levels:
            limits = torch.iinfo(self.format.dtype)
            values = (values * self.format.levels).sub_(self.format.zero).round_()
            values.clamp_(limits.min, limits.max)
        into.copy_(values)

    def add(self, window: Window, values: Tensor) -> None:
        """Add values (1, C, h, w) to a window, strip by strip: what is stored isn't floats."""
        for strip in strips(values.shape):
            into = Window(strip.rows.shift(window.rows.start), window.columns)
            self.write(into, self.read(into).add_(values[..., strip.rows.slice(), :]))


@dataclass(frozen=True)
class ComputedPlane:
    """A plane whose pixels are made of the same pixels of others, whenever they are read."""

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
class PlaneWindow:
    """A window of a plane as a plane."""

    plane: Plane
    window: Window

    @property
    def shape(self) -> Shape:
        return (*self.plane.shape[:2], *self.window.size)

    @property
    def dtype(self) -> torch.dtype:
        return self.plane.dtype

    @property
    def device(self) -> torch.device:
        return self.plane.device

    def read(self, window: Window, step: int = 1) -> Tensor:
        return self.plane.read(window.shift(*self.window.origin), step)


@dataclass(frozen=True)
class InsetPlane:
    """A plane with a window of it replaced by another one."""

    plane: Plane
    window: Window
    inner: Plane

    @property
    def shape(self) -> Shape:
        return self.plane.shape

    @property
    def dtype(self) -> torch.dtype:
        return self.plane.dtype

    @property
    def device(self) -> torch.device:
        return self.plane.device

    def read(self, window: Window, step: int = 1) -> Tensor:
        common = window.intersect(self.window)
        if common == window:
            return self.inner.read(window.relative_to(self.window), step)
        if not common.area:
            return self.plane.read(window, step)
        found = self.plane.read(window).clone()
        found[common.slices(window.origin)] = self.inner.read(common.relative_to(self.window))
        return found[..., ::step, ::step]


def as_plane(picture: TensorOrPlane) -> Plane:
    """A tensor as a plane, which shares its numbers; a plane as it is."""
    return as_stored_plane(picture) if isinstance(picture, Tensor) else picture


def as_stored_plane(picture: Tensor | StoredPlane) -> StoredPlane:
    """A tensor as a plane that can be written; bytes are 255ths."""
    if isinstance(picture, StoredPlane):
        return picture
    return StoredPlane(
        picture, MASK_FORMAT if picture.dtype == torch.uint8 else exact_format(picture.dtype)
    )


def read_all(plane: TensorOrPlane) -> Tensor:
    """All of a plane as floats."""
    return as_plane(plane).read(Window.whole(*plane.shape[-2:]))


def clip(plane: Plane) -> Plane:
    """A plane in 0..1: bicubic resizing overshoots."""
    return ComputedPlane(lambda pixels: pixels.clamp(0.0, 1.0), (plane,))


# Large pictures by strips.


def strips(shape: Sequence[int], least: int = 1) -> Iterator[Window]:
    """A picture (…, H, W) in strips of its full width, `least` rows high but for the last.

    They depend on nothing but the picture's size, so that whatever is added up in them is the
    same each time.
    """
    height, width = shape[-2:]
    rows = max(least, STRIP // width)
    for top in range(0, height, rows):
        yield Window(Span(top, min(height, top + rows)), Span(0, width))


def exact_sum(rows: Iterable[Tensor]) -> float:
    """The sum of sums of rows, exactly rounded: in whatever order it is the same."""
    return math.fsum(number for part in rows for number in part.flatten().tolist())


def copy(plane: Plane, into: StoredPlane) -> StoredPlane:
    """Write all of a plane into another one of its size, which may be what it is computed from."""
    for strip in strips(plane.shape):
        into.write(strip, plane.read(strip))
    return into


def rewrite(plane: StoredPlane, fresh: Callable[[Window], Tensor], reach: int, wrap: bool) -> None:
    """Replace each strip of a plane by `fresh(strip)`, which may read `reach` rows around it.

    It finds them as they were: strips are at least `reach` high, one is written when the next has
    been computed, and with `wrap`, where the last one's neighbour is the first, that is written in
    the end.
    """
    late: list[tuple[Window, Tensor]] = []
    kept = 1 if wrap else 0
    for strip in strips(plane.shape, max(1, reach)):
        late.append((strip, fresh(strip)))
        if len(late) > kept + 1:
            plane.write(*late.pop(kept))
    for strip, pixels in late:
        plane.write(strip, pixels)


def gather(plane: Plane, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
    """The pixels in these rows and columns of a plane: (1, C, len(rows), len(columns)).

    They are read run by run: where numbers are no neighbours (across a seam), what lies between is
    not read, and what goes backwards or stands still (beyond an edge) costs no more than it is. And
    strip by strip: what is read takes no memory a second time.
    """
    down, across = list(_runs(rows)), list(_runs(columns))
    if len(down) == len(across) == 1:
        return _read(plane, down[0], across[0]).expand(-1, -1, len(rows), len(columns))
    size = (*plane.shape[:2], len(rows), len(columns))
    found = torch.empty(size, dtype=plane.dtype, device=plane.device)
    for strip in strips(size):
        numbers, into = rows[strip.rows.slice()], found[..., strip.rows.slice(), :]
        for one in _runs(numbers):
            for other in across:
                into[..., one.place, other.place] = _read(plane, one, other)
    return found


def extended_indices(span: Span, by: int, length: int, border: Border) -> list[int]:
    """The numbers of a span and of `by` pixels before and after it, where it ends by a border."""
    return [
        index if 0 <= index < length else border(index, length)
        for index in range(span.start - by, span.stop + by)
    ]


@dataclass(frozen=True)
class _Run:
    """Numbers that go on by `step`: 1, −1 or 0. At `place` of a list, and the span they are of."""

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
    """What two runs cross in; one row or column for all of a run that stands still."""
    found = plane.read(Window(rows.span, columns.span))
    turned = [axis for axis, run in ((-2, rows), (-1, columns)) if run.step < 0]
    return found.flip(turned) if turned else found
