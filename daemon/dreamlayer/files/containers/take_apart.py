"""Takes a picture file apart: the parts that hold its pixels, its metadata, how many pictures.

The decoder gets the pixels' parts alone, so that nothing beside them can disturb it.
"""

from __future__ import annotations

from dreamlayer.files.containers.contents import Contents
from dreamlayer.files.containers.gif import gif_contents
from dreamlayer.files.containers.jpeg import jpeg_contents
from dreamlayer.files.containers.png import png_contents
from dreamlayer.files.containers.tiff import tiff_contents
from dreamlayer.files.containers.webp import webp_contents
from dreamlayer.files.opening import InputFile

READERS = {
    "PNG": png_contents, "JPEG": jpeg_contents, "TIFF": tiff_contents, "WEBP": webp_contents,
    "GIF": gif_contents,
}  # fmt: skip


def take_apart(file: InputFile, kind: str) -> Contents:
    """The contents of a file of Pillow's format `kind`; raises FileError."""
    reader = READERS.get(kind)
    return Contents([(0, file.size)]) if reader is None else reader(file)
