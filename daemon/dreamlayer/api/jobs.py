"""A picture of each kind as a job, and its result as the same kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from dreamlayer.api.errors import warn
from dreamlayer.api.outputs import OutputNames
from dreamlayer.api.pictures import ArrayPicture, ImagePicture, image_picture
from dreamlayer.dreaming import asking
from dreamlayer.dreaming.asking import AskedDream
from dreamlayer.dreaming.file_job import FileJob
from dreamlayer.dreaming.order import DreamOrder
from dreamlayer.dreaming.selection import Selection
from dreamlink.session.dream import Dream


class CallJob(Protocol):
    """A picture of a call."""

    def ask(self) -> AskedDream: ...

    def close(self) -> None: ...

    def result(self, dream: Dream) -> Any:
        """The dreamed picture, of the kind that was given; raises ValueError, OSError."""


class PathJob:
    """A picture file; the result is another file, and its path is given back."""

    def __init__(self, order: DreamOrder, path: Any, output: Path) -> None:
        self._kind = str if isinstance(path, str) else Path
        self._job = FileJob(order, Path(path), output, warn)

    def ask(self) -> AskedDream:
        return self._job.ask()

    def close(self) -> None:
        self._job.close()

    def result(self, dream: Dream) -> str | Path:
        self._job.finish(dream)
        return self._kind(self._job.output)


class MemoryJob:
    """An image or an array; the result is a new one of its kind."""

    def __init__(self, order: DreamOrder, picture: Any, *, linear: bool) -> None:
        self._order = order
        self._picture = picture
        self._linear = linear
        self._source: ImagePicture | ArrayPicture | None = None
        self._selected: Selection | None = None

    def ask(self) -> AskedDream:
        if isinstance(self._picture, Image.Image):
            self._source = image_picture(self._picture, "The image")
        else:
            self._source = ArrayPicture(self._picture, linear=self._linear)
        self._selected = asking.select(self._order, self._source.size)
        return asking.ask(self._order, self._source, self._selected)

    def close(self) -> None:
        self._picture = self._source = self._selected = None

    def result(self, dream: Dream) -> Any:
        assert self._source is not None
        assert self._selected is not None
        assert dream.pixels is not None
        warn(dream.notes)
        region = self._selected.region
        if isinstance(self._source, ArrayPicture):
            return self._source.result(region, dream.pixels)
        stored = self._order.stored(dream.report)
        return self._source.result(region, dream.pixels, stored.to_dict())


class GivenJob:
    """A picture as it was given, and its job once that is asked for."""

    def __init__(self, picture: Any, make: Callable[[], CallJob]) -> None:
        self.picture = picture
        self._make = make
        self._job: CallJob | None = None

    def ask(self) -> AskedDream:
        self._job = self._make()
        return self._job.ask()

    def result(self, dream: Dream) -> Any:
        assert self._job is not None
        return self._job.result(dream)

    def close(self) -> None:
        if self._job is not None:
            self._job.close()


def given_jobs(
    pictures: Iterable[Any],
    order: DreamOrder,
    output: str | os.PathLike[str] | None,
    *,
    linear: bool,
    total: int,
) -> Iterator[GivenJob]:
    """The pictures of a call as jobs, each made when it is asked for.

    `total` is how many there are, 0 if that is unknown.
    """
    names = OutputNames(output, total)

    def make(picture: Any) -> CallJob:
        if isinstance(picture, str | os.PathLike):
            return PathJob(order, picture, names.of(Path(picture)))
        if output is not None:
            raise TypeError("output is for paths: an image or an array is given back.")
        if isinstance(picture, Image.Image | np.ndarray):
            return MemoryJob(order, picture, linear=linear)
        raise TypeError(
            "A picture is a path, a PIL image or a NumPy array, not"
            f" {type(picture).__module__}.{type(picture).__qualname__}."
        )

    for picture in pictures:
        yield GivenJob(picture, partial(make, picture))
