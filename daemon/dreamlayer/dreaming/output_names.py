"""Names of results made from those of the pictures: `dreams/{name}.png`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from dreamlayer.files.opening import FileError

FIELD = re.compile(r"\{(name|ext|parent|n)\}")  # other braces are part of a name
FIELDS = "{name}, {ext}, {parent} or {n}"


def is_template(name: str) -> bool:
    """Whether a name has a field that stands for something of each picture."""
    return FIELD.search(name) is not None


def filled(template: str, picture: Path, number: int, total: int) -> Path:
    """The name of a picture's result.

    `{name}` is the picture's name without its ending, `{ext}` the ending without the dot,
    `{parent}` the name of its folder, and `{n}` its number, from 1, with as many digits as `total`.
    """
    values = {
        "name": picture.stem,
        "ext": picture.suffix[1:],
        "parent": picture.absolute().parent.name,
        "n": str(number).zfill(len(str(total))),
    }
    return Path(FIELD.sub(lambda field: values[field[1]], template))


def names(template: str, pictures: Sequence[Path]) -> list[Path]:
    """The names of the results of all pictures.

    Raises:
        FileError: two results would have one name, or a result that of another of the pictures.
    """
    total = len(pictures)
    outputs = [filled(template, path, i, total) for i, path in enumerate(pictures, 1)]
    made: dict[str, Path] = {}
    for path, output in zip(pictures, outputs, strict=True):
        other = made.setdefault(place(output), path)
        if other is not path:
            raise FileError(
                f"{other} and {path} would both be dreamed to {output}: use {FIELDS} in -o, e.g."
                " dreams/{name}.png."
            )
    for path in pictures:
        maker = made.get(place(path))
        if maker is not None and place(maker) != place(path):
            raise FileError(
                f"{path} is to be dreamed on, and the dream of {maker} would replace it: choose"
                " other names with -o, or leave it out."
            )
    return outputs


def make_folders(outputs: Sequence[Path]) -> None:
    """Make the folders of the results that don't exist; raises OSError."""
    for folder in _folders(outputs):
        folder.mkdir(parents=True, exist_ok=True)


def _folders(outputs: Sequence[Path]) -> Iterator[Path]:
    yield from dict.fromkeys(output.parent for output in outputs)


def place(path: Path) -> str:
    """The same text for two names of the same place; a link is followed."""
    name = os.path.normcase(os.path.realpath(path))
    return name.casefold() if sys.platform == "darwin" else name
