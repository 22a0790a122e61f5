"""The progress bar of `dreamlayer dream`, on terminals only."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import TracebackType

from tqdm import tqdm

FORM = "{percentage:3.0f} %|{bar}| {desc}"


class ProgressBar:
    """One bar for all pictures of a command, on terminals only; a context manager."""

    def __init__(self, pictures: int) -> None:
        self._bar = tqdm(
            total=float(pictures), bar_format=FORM, disable=not sys.stderr.isatty(), leave=False
        )

    def show(self, done: float, text: str) -> None:
        """Say that `done` pictures are dreamed, the fraction of the next one included."""
        self._bar.set_description_str(text, refresh=False)
        self._bar.n = done
        self._bar.refresh()

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar away while something is printed."""
        with tqdm.external_write_mode(file=sys.stdout):
            yield

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
