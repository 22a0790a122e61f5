"""PNG: chunks with the pixels, and those with metadata."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from dreamlayer.files import metadata as meta
from dreamlayer.files.containers.contents import BLOCKS_MAX, SEGMENT_MAX, Contents, add_part
from dreamlayer.files.metadata import Metadata
from dreamlayer.files.opening import FileError, InputFile

PNG_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
PNG_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
TEXTS_MAX = 10_000  # text chunks of a PNG that are kept
XMP_KEYWORD = b"XML:com.adobe.xmp"


def png_contents(file: InputFile) -> Contents:
    """The contents of a PNG file; raises FileError."""
    contents = Contents([(0, 8)])
    for name, offset, length in _png_chunks(file):
        if name in PNG_PIXELS:
            add_part(contents.parts, offset, length + 12)
        elif name == b"acTL":
            contents.pictures = max(1, int.from_bytes(file.read(offset + 8, 4), "big"))
        elif length <= SEGMENT_MAX:
            _png_metadata(file, contents.metadata, name, offset, length)
    return contents


def _png_chunks(file: InputFile) -> Iterator[tuple[bytes, int, int]]:
    """Name, offset and length of the data of each chunk."""
    offset = 8
    for _ in range(BLOCKS_MAX):
        head = file.read(offset, 8)
        if len(head) < 8:
            return
        length, name = struct.unpack(">I4s", head)
        if not name.isalpha():
            return
        yield name, offset, length
        if name == b"IEND":
            return
        offset += length + 12
    raise FileError(f"{file.path} is damaged: it consists of too many pieces.")


def _png_metadata(
    file: InputFile, metadata: Metadata, name: bytes, offset: int, length: int
) -> None:
    if name not in PNG_TEXTS and name not in (b"iCCP", b"eXIf", b"pHYs"):
        return
    data = file.read(offset + 8, length)
    if zlib.crc32(name + data).to_bytes(4, "big") != file.read(offset + 8 + length, 4):
        metadata.damaged.append(f"{name.decode()} chunk")
    elif name == b"eXIf":
        metadata.read_exif(data)
    elif name == b"iCCP":
        metadata.profile = meta.inflated(data.partition(b"\0")[2][1:])
        if metadata.profile is None:
            metadata.damaged.append("colour profile")
    elif name == b"pHYs" and len(data) == 9 and data[8] == 1:
        across, down = struct.unpack(">II", data[:8])
        metadata.dpi = (across * 0.0254, down * 0.0254)
    elif name in PNG_TEXTS:
        _png_text(metadata, name, data)


def _png_text(metadata: Metadata, name: bytes, data: bytes) -> None:
    keyword = data.partition(b"\0")[0]
    if keyword == XMP_KEYWORD or keyword.startswith(b"Raw profile type"):
        text = text_of(name, data)
        if text is None:
            metadata.damaged.append(keyword.decode("latin-1"))
        elif keyword == XMP_KEYWORD:
            metadata.xmp = text
        else:
            _raw_profile(metadata, keyword, text)
    elif 0 < len(keyword) < 80 and len(metadata.texts) < TEXTS_MAX:
        metadata.texts.append((name, data))


def text_of(name: bytes, data: bytes) -> bytes | None:
    """The text of a chunk, as bytes: Latin-1, in an iTXt UTF-8; None if it is damaged."""
    rest = data.partition(b"\0")[2]
    if name == b"tEXt":
        return rest
    if name == b"zTXt":
        return meta.inflated(rest[1:])
    packed, fields = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
    if len(fields) < 3:
        return None
    return meta.inflated(fields[2]) if packed else fields[2]


def _raw_profile(metadata: Metadata, keyword: bytes, text: bytes) -> None:
    """Metadata that ImageMagick writes into a PNG as hexadecimal digits."""
    try:
        data = bytes.fromhex(text.split(b"\n", 3)[3].decode("ascii"))
    except (ValueError, IndexError):
        metadata.damaged.append(keyword.decode("latin-1"))
        return
    kind = keyword.rpartition(b" ")[2]
    if kind in (b"exif", b"APP1") and metadata.exif is None:
        metadata.read_exif(data)
    elif kind == b"iptc" and data[:4] == b"8BIM":
        metadata.read_resources(data)
    elif kind == b"iptc":
        metadata.iptc = data


def png_text(file: InputFile, keyword: bytes) -> bytes | None:
    """The text of a PNG with this keyword, as bytes, or None; raises FileError."""
    for name, offset, length in _png_chunks(file):
        if name in PNG_TEXTS and length <= SEGMENT_MAX:
            data = file.read(offset + 8, length)
            if data.startswith(keyword + b"\0"):
                return text_of(name, data)
    return None
