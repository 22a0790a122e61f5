"""WebP: the chunks of its container."""

from __future__ import annotations

from dreamlayer.files.containers.contents import BLOCKS_MAX, SEGMENT_MAX, Contents
from dreamlayer.files.opening import InputFile


def webp_contents(file: InputFile) -> Contents:
    """The contents of a WebP file; raises FileError."""
    contents = Contents([(0, file.size)])
    metadata, offset, pictures = contents.metadata, 12, 0
    for _ in range(BLOCKS_MAX):
        head = file.read(offset, 8)
        if len(head) < 8:
            break
        name, length = head[:4], int.from_bytes(head[4:], "little")
        if name == b"VP8X":
            sides = file.read(offset + 12, 6)
            width, height = (int.from_bytes(sides[i : i + 3], "little") + 1 for i in (0, 3))
            contents.size = (width, height)
        elif name == b"ANMF":
            pictures += 1
        elif name in (b"EXIF", b"XMP ", b"ICCP") and length <= SEGMENT_MAX:
            data = file.read(offset + 8, length)
            if name == b"EXIF":
                metadata.read_exif(data)
            elif name == b"XMP ":
                metadata.xmp = data
            else:
                metadata.profile = data
        offset += 8 + length + length % 2
    contents.pictures = max(1, pictures)
    return contents
