"""A picture file to dream on, from reading it to its result in another file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from dreamlayer.dreaming import asking, selection
from dreamlayer.dreaming.asking import AskedDream
from dreamlayer.dreaming.order import DreamOrder
from dreamlayer.dreaming.selection import Selection
from dreamlayer.files import memory, reading
from dreamlayer.files.output import Output
from dreamlayer.files.reading import ImageFile
from dreamlayer.files.recipe_file import StoredRecipe
from dreamlink.session.dream import Dream

Tell = Callable[[Iterable[str]], None]  # takes sentences for the user about small losses


class FileJob:
    """One picture file's dream: `ask`, then `finish` with the dream, and `close` in any case."""

    def __init__(self, order: DreamOrder, path: Path, output: Path, tell: Tell) -> None:
        self.path = path
        self.output = output
        self._order = order
        self._tell = tell
        self._source: ImageFile | None = None
        self._selected: Selection | None = None
        self._place: Output | None = None

    def ask(self) -> AskedDream:
        """Read the picture, make its result's place, and compose the request.

        Raises:
            ValueError, OSError: with a sentence; nothing is written then.
        """
        order = self._order
        with memory.told(self.path):
            source = reading.read(self.path, order.pixels_max)
            selected = asking.select(order, source.size)
            if order.recipe.start != "noise":  # noise fills transparent parts too
                selection.refuse_transparent(self.path, source, selected)
            made_from = [self.path, *order.made_from]
            place = Output(self.output, source, made_from, overwrite=order.overwrite)
            mask_note = order.mask.note if order.mask else ""
            self._tell([*source.notes, *place.notes, mask_note])
            self._source, self._selected, self._place = source, selected, place
            place.__enter__()
            return asking.ask(order, source, selected)

    def finish(self, dream: Dream) -> StoredRecipe:
        """Write the result of a dream that is done; returns what is stored with it.

        Raises:
            FileError: it can't be written; the text says what to do.
        """
        assert self._source is not None
        assert self._selected is not None
        assert self._place is not None
        assert dream.pixels is not None
        region = self._selected.region
        stored = self._order.stored(dream.report)
        dreamed = selection.part(self._source, region, dream.pixels)
        self._place.notes.clear()
        self._place.write(self._source, dreamed, region[:2], stored.to_dict())
        self._tell([*dream.notes, *self._place.notes])
        return stored

    def close(self) -> None:
        """Remove what is not finished, and let go of the picture."""
        if self._place is not None:
            self._place.__exit__()
        self._source = self._selected = self._place = None
