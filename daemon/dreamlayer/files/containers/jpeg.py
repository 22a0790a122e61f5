"""JPEG: segments with the pixels, and those with metadata."""

from __future__ import annotations

import struct

from dreamlayer.files import metadata as meta
from dreamlayer.files import tags
from dreamlayer.files.containers.contents import BLOCKS_MAX, FRAMES_MAX, Contents, add_part
from dreamlayer.files.opening import InputFile
from dreamlayer.files.tags import TagsError

JPEG_PIXELS = {0xE0, 0xEE}  # the segments of applications that say how colours are stored
XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
XMP_MORE = b"http://ns.adobe.com/xmp/extension/\0"


def jpeg_contents(file: InputFile) -> Contents:
    """The contents of a JPEG file; raises FileError."""
    contents = Contents([(0, 2)])
    metadata = contents.metadata
    profile: dict[int, bytes] = {}
    offset = 2
    for _ in range(BLOCKS_MAX):
        head = file.read(offset, 4)
        if len(head) == 4 and head[0] == 0xFF and head[1] == 0xFF:  # padding before a marker
            offset += 1
            continue
        if len(head) < 4 or head[0] != 0xFF or head[1] in (0xDA, 0xD9):
            break
        length = int.from_bytes(head[2:], "big")
        if head[1] in range(0xE0, 0xF0) or head[1] == 0xFE:
            _jpeg_metadata(contents, head[1], file.read(offset + 4, length - 2), profile)
        if head[1] in JPEG_PIXELS or not (head[1] in range(0xE0, 0xF0) or head[1] == 0xFE):
            add_part(contents.parts, offset, length + 2)
        offset += length + 2
    add_part(contents.parts, offset, max(0, file.size - offset))
    if profile:
        metadata.profile = b"".join(data for _number, data in sorted(profile.items()))
    return contents


def _jpeg_metadata(contents: Contents, marker: int, data: bytes, profile: dict[int, bytes]) -> None:
    metadata = contents.metadata
    if marker == 0xE0 and data.startswith(b"JFIF\0") and len(data) >= 12:
        unit = {1: 1.0, 2: 2.54}.get(data[7])
        if unit is not None:
            across, down = struct.unpack(">HH", data[8:12])
            metadata.dpi = (across * unit, down * unit)
    elif marker == 0xE1 and data.startswith(meta.EXIF_MARK) and metadata.exif is None:
        metadata.read_exif(data)
    elif marker == 0xE1 and data.startswith(XMP_MARK):
        metadata.xmp = data[len(XMP_MARK) :]
    elif marker == 0xE1 and data.startswith(XMP_MORE) and "long XMP" not in metadata.damaged:
        metadata.damaged.append("long XMP")
    elif marker == 0xE1 and data[:4] == b"Exif" and metadata.exif is None:
        metadata.damaged.append("EXIF")
    elif marker == 0xE2 and data.startswith(b"ICC_PROFILE\0") and len(data) > 14:
        profile[data[12]] = data[14:]
    elif marker == 0xE2 and data.startswith(b"MPF\0"):
        contents.pictures = _views(data[4:])
    elif marker == 0xED and data.startswith(meta.PHOTOSHOP_MARK):
        metadata.read_resources(data[len(meta.PHOTOSHOP_MARK) :])
    elif marker == 0xFE:
        metadata.comment = data


def _views(data: bytes) -> int:
    """How many pictures a JPEG of several has."""
    try:
        form, offset = tags.head(data)
        index = tags.read(lambda at, size: data[at : at + size], form, offset)
        return max(1, min(index.integer(0xB001, 1), FRAMES_MAX))
    except TagsError:
        return 1
