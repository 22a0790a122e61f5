"""GIF: its frames and its comment."""

from __future__ import annotations

from dreamlayer.files.containers.contents import BLOCKS_MAX, FRAMES_MAX, Contents
from dreamlayer.files.opening import InputFile


def gif_contents(file: InputFile) -> Contents:
    """The contents of a GIF file; raises FileError."""
    contents = Contents([(0, file.size)])
    screen = file.read(0, 13)
    offset = 13 + _gif_colours(screen[10:11])
    pictures = 0
    for _ in range(FRAMES_MAX):
        kind = file.read(offset, 2)
        if kind[:1] == b"\x2c":
            pictures += 1
            offset += 11 + _gif_colours(file.read(offset + 9, 1))
        elif kind[:1] == b"\x21":
            if kind[1:] == b"\xfe" and contents.metadata.comment is None:
                contents.metadata.comment = _gif_text(file, offset + 2)
            offset += 2
        else:
            break
        offset = _after_blocks(file, offset)
    contents.pictures = max(1, pictures)
    return contents


def _gif_colours(flags: bytes) -> int:
    """Bytes of a colour table, from the byte that describes it."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _gif_text(file: InputFile, offset: int) -> bytes:
    pieces: list[bytes] = []
    while len(pieces) < 256 and (size := file.read(offset, 1)) not in (b"", b"\0"):
        pieces.append(file.read(offset + 1, size[0]))
        offset += 1 + size[0]
    return b"".join(pieces)


def _after_blocks(file: InputFile, offset: int) -> int:
    """The offset behind a chain of blocks, each of which begins with its length."""
    for _ in range(BLOCKS_MAX):
        size = file.read(offset, 1)
        if size in (b"", b"\0"):
            break
        offset += 1 + size[0]
    return offset + 1
