"""Takes a picture file apart: the parts that hold its pixels, its metadata, how many pictures.

The decoder gets the pixels' parts alone, so that nothing beside them can disturb it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from dreamlayer.cli.files import metadata as meta
from dreamlayer.cli.files import tags
from dreamlayer.cli.files.metadata import Metadata
from dreamlayer.cli.files.opening import FileError, InputFile, Part
from dreamlayer.cli.files.tags import TagsError

BLOCKS_MAX = 1 << 20  # pieces of a file that are looked at; more would take long, and are damage
SEGMENT_MAX = 64 << 20  # bytes of a piece of metadata that is read
FRAMES_MAX = 10_000  # pictures of a file that are counted

PNG_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
PNG_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
TEXTS_MAX = 10_000  # text chunks of a PNG that are kept
JPEG_PIXELS = {0xE0, 0xEE}  # the segments of applications that say how colours are stored
XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
XMP_MORE = b"http://ns.adobe.com/xmp/extension/\0"
XMP_KEYWORD = b"XML:com.adobe.xmp"
# The tags of a TIFF that the decoder needs.
TIFF_PIXELS = {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323,
               324, 325, 332, 338, 339, 340, 341, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521,
               529, 530, 531, 532}  # fmt: skip
TILE_MAX = 256 << 20  # bytes of one tile of a TIFF


@dataclass
class Contents:
    """A picture file, taken apart.

    Attributes:
        parts: the file that the decoder reads.
        pictures: how many pictures the file holds: pages, frames, views.
        size: width and height, where the decoder would make room before they can be looked at.
    """

    parts: list[Part]
    metadata: Metadata = field(default_factory=Metadata)
    pictures: int = 1
    size: tuple[int, int] | None = None


def take_apart(file: InputFile, kind: str) -> Contents:
    """The contents of a file of Pillow's format `kind`; raises FileError."""
    reader = {"PNG": _png, "JPEG": _jpeg, "TIFF": _tiff, "WEBP": _webp, "GIF": _gif}.get(kind)
    if reader is None:
        return Contents([(0, file.size)])
    return reader(file)


# PNG.


def _png(file: InputFile) -> Contents:
    contents = Contents([(0, 8)])
    for name, offset, length in _png_chunks(file):
        if name in PNG_PIXELS:
            _add(contents.parts, offset, length + 12)
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


# JPEG.


def _jpeg(file: InputFile) -> Contents:
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
            _add(contents.parts, offset, length + 2)
        offset += length + 2
    _add(contents.parts, offset, max(0, file.size - offset))
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


# TIFF.


def _tiff(file: InputFile) -> Contents:
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


# WebP and GIF.


def _webp(file: InputFile) -> Contents:
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


def _gif(file: InputFile) -> Contents:
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


def _add(parts: list[Part], offset: int, length: int) -> None:
    """Add a part of the file, joined to the previous one if it follows it."""
    last = parts[-1]
    if not isinstance(last, bytes) and last[0] + last[1] == offset:
        parts[-1] = (last[0], last[1] + length)
    else:
        parts.append((offset, length))
