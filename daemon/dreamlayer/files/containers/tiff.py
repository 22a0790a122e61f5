"""TIFF: the first page with the tags that the decoder needs, and the others as metadata."""

from __future__ import annotations

from dreamlayer.files import metadata as meta
from dreamlayer.files import tags
from dreamlayer.files.containers.contents import FRAMES_MAX, SEGMENT_MAX, Contents
from dreamlayer.files.opening import FileError, InputFile, Part
from dreamlayer.files.tags import TagsError

# The tags of a TIFF that the decoder needs.
TIFF_PIXELS = {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323,
               324, 325, 332, 338, 339, 340, 341, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521,
               529, 530, 531, 532}  # fmt: skip
TILE_MAX = 256 << 20  # bytes of one tile of a TIFF


def tiff_contents(file: InputFile) -> Contents:
    """The contents of a TIFF file; raises FileError."""
    try:
        form, offset = tags.head(file.read(0, 16))
        page = tags.read(file.read, form, offset)
    except TagsError as error:
        raise FileError(f"{file.path} is damaged: {str(error).rstrip('.')}.") from error
    pictures = sum(1 for _ in tags.chain(file.read, form, offset, FRAMES_MAX))
    pixels = tags.only(page, TIFF_PIXELS)
    _check_tiles(file, pixels)
    metadata = meta.of_page(page)
    start = 16 if form.big else 8
    place = file.size + file.size % 2
    if not form.big and place + SEGMENT_MAX > 1 << 32:
        raise FileError(f"{file.path} is damaged: such a TIFF has less than 4 GiB.")
    parts: list[Part] = [
        tags.file_head(form, place), (start, file.size - start), bytes(file.size % 2),
        tags.packed(pixels, place),
    ]  # fmt: skip
    return Contents(parts, metadata, pictures)


def _check_tiles(file: InputFile, page: tags.Directory) -> None:
    """Refuse tiles for which the decoder would make far more room than the picture needs."""
    width, height = page.integer(322), page.integer(323)
    samples = max(1, page.integer(277, 1))
    wide, high = page.integer(256), page.integer(257)
    bits = max(page.integers(258), default=1)
    if samples > 64 or bits > 64:
        raise FileError(f"{file.path} is damaged: {samples} samples of {bits} bits a pixel.")
    tile = width * height * samples * bits // 8
    if tile > max(TILE_MAX, 4 * wide * high * samples * bits // 8):
        raise FileError(f"{file.path} is damaged: its tiles are larger than the picture.")
