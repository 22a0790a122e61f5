"""The names of the files that a call writes."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from dreamlayer.dreaming import output_names
from dreamlayer.files.opening import FileError


class OutputNames:
    """Names of results, one for each picture file, none of them twice."""

    def __init__(self, output: str | os.PathLike[str] | None, total: int) -> None:
        """`output` may have fields, as on the command line; `total`: how many pictures, 0 unknown.

        Without `output`, results are PNGs beside their pictures, and replace nothing.
        """
        self._template = None if output is None else os.fspath(output)
        self._total = total
        self._taken: dict[str, Path] = {}
        self._number = itertools.count(1)

    def of(self, picture: Path) -> Path:
        """The name of a picture's result, whose folder exists then.

        Raises:
            FileError: another picture's result has this name.
        """
        number = next(self._number)
        if self._template is None:
            return self._beside(picture)
        output = output_names.filled(self._template, picture, number, self._total)
        other = self._taken.setdefault(output_names.place(output), picture)
        if other is not picture:
            raise FileError(
                f"{other} and {picture} would both be dreamed to {output}: use"
                f" {output_names.FIELDS} in output."
            )
        if output_names.is_template(self._template):
            output_names.make_folders([output])
        return output

    def _beside(self, picture: Path) -> Path:
        """The first free one of photo-dream.png, photo-dream-2.png …"""
        for number in itertools.count(1):
            suffix = "" if number == 1 else f"-{number}"
            output = picture.with_name(f"{picture.stem}-dream{suffix}.png")
            place = output_names.place(output)
            if place not in self._taken and not os.path.lexists(output):
                self._taken[place] = picture
                return output
        raise AssertionError
