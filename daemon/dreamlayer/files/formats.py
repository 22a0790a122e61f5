"""The file formats that are read and written, and what others are called.

A format is recognised by the file's first bytes, never by its name, and the decoder is told which
one it is: none that runs another program or that recognises nearly everything is ever asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dreamlayer.files import tags
from dreamlayer.files.opening import FileError, InputFile
from dreamlayer.files.tags import Directory, TagsError

HEAD = 64  # bytes by which a format is recognised

# First bytes → Pillow's name of the format.
READ = (
    (b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"), (b"II+\0", "TIFF"), (b"MM\0+", "TIFF"), (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"), (b"BM", "BMP"), (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"), *((b"P%d" % n, "PPM") for n in range(1, 7)),
)  # fmt: skip
# Endings of the names that files of these formats usually have.
ENDINGS = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".webp", ".gif", ".bmp", ".ppm", ".pgm",
     ".pbm", ".pnm", ".avif", ".jp2", ".j2k", ".jpx")
)  # fmt: skip
AVIF_BRANDS = {b"avif", b"avis"}

RAW = "camera raw"
# Where, which bytes, what it is.
OTHERS = (
    (0, b"FUJIFILMCCD-RAW", RAW), (0, b"IIRO", RAW), (0, b"IIRS", RAW), (0, b"MMOR", RAW),
    (0, b"IIU\0", RAW), (0, b"\0MRM", RAW), (0, b"FOVb", RAW), (4, b"ftypcrx ", RAW),
    (8, b"CR\x02\0", RAW), (8, b"IIII", RAW), (0, b"II\x1a\0\0\0HEAPCCDR", RAW),
    (0, b"%!", "a PostScript drawing"), (0, b"\xc5\xd0\xd3\xc6", "a PostScript drawing"),
    (0, b"%PDF", "a PDF document"), (0, b"8BPS", "a Photoshop document"),
    (0, b"gimp xcf", "a GIMP document"),
    (0, b"PK\x03\x04", "an archive, or a document of Krita or another program"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the picture itself"),
    (0, b"<?xml", "an XML document, perhaps an SVG drawing"), (0, b"<svg", "an SVG drawing"),
    (0, b"<!DOCTYPE", "a web page"), (0, b"<!doctype", "a web page"), (0, b"<html", "a web page"),
    (4, b"ftyphei", "an HEIC photo"), (4, b"ftyphev", "an HEIC photo"),
    (4, b"ftypmif1", "an HEIC photo"), (4, b"ftyp", "a film"), (0, b"\x1aE\xdf\xa3", "a film"),
    (0, b"\0\0\1\0", "an icon"), (0, b"v/1\x01", "an OpenEXR picture"),
    (0, b"#?R", "an HDR picture"),
    (0, b"\xff\x0a", "a JPEG XL picture"), (0, b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
)  # fmt: skip
NAMES = "PNG, JPEG, TIFF, WebP, GIF, BMP, PPM, AVIF and JPEG 2000"
# A TIFF of a camera says that its samples lie behind colour filters, or how they are packed.
RAW_TAGS = {50706, 33421, 33422, 50829}
RAW_COLOURS = {32803, 34892}
RAW_PACKINGS = {32767, 32769, 34713, 34892, 65000, 65535}
SUB_PAGES = 330
PAGES_LOOKED_AT = 8


@dataclass(frozen=True)
class FileFormat:
    """What a file format can store, and Pillow's options for writing it.

    Attributes:
        side: longest side, in pixels.
        modes: Pillow's modes that it stores.
        holds: names of the metadata that it stores, as users read them.
        bytes_max: how many bytes of pixels a file of it can have.
    """

    name: str
    side: int
    modes: tuple[str, ...]
    holds: frozenset[str]
    options: Mapping[str, Any] = field(default_factory=dict)
    bytes_max: int = 1 << 62


EXIF, XMP, IPTC, PROFILE, TEXTS, COMMENT, DPI = (
    "EXIF", "XMP", "IPTC", "colour profile", "texts", "comment", "resolution",
)  # fmt: skip
MODES = ("RGB", "RGBA", "L", "LA", "I;16")
FOUR_GIB = (1 << 32) - (1 << 24)
PNG = FileFormat("PNG", 2**31 - 1, MODES, frozenset(
    (EXIF, XMP, IPTC, PROFILE, TEXTS, COMMENT, DPI)))  # fmt: skip
TIFF = FileFormat("TIFF", 2**31 - 1, MODES, frozenset((EXIF, XMP, IPTC, PROFILE, DPI)),
                  {"compression": "tiff_deflate"}, FOUR_GIB)  # fmt: skip
JPEG = FileFormat("JPEG", 65500, ("RGB", "L"), frozenset(
    (EXIF, XMP, IPTC, PROFILE, COMMENT, DPI)), {"quality": 95, "subsampling": 0})  # fmt: skip
# Half of the time of the default effort, and files of the same size.
WEBP = FileFormat("WEBP", 16383, ("RGB", "RGBA"), frozenset((EXIF, XMP, PROFILE)),
                  {"lossless": True, "method": 2, "quality": 50})  # fmt: skip
BMP = FileFormat("BMP", 2**31 - 1, ("RGB", "L"), frozenset((DPI,)), {}, FOUR_GIB)
WRITTEN = {".png": PNG, ".tif": TIFF, ".tiff": TIFF, ".jpg": JPEG, ".jpeg": JPEG, ".webp": WEBP,
           ".bmp": BMP}  # fmt: skip


def recognise(file: InputFile) -> str:
    """Pillow's name of the file's format; raises FileError, which says what to do."""
    head = file.read(0, HEAD)
    name = _other(file, head)
    if name == RAW or (name is None and is_camera_raw(file, head)):
        raise FileError(
            f"{file.path} is a camera's raw file: develop it first, in a program such as darktable"
            " or RawTherapee, and save it as TIFF or PNG."
        )
    if name is not None:
        raise FileError(f"{file.path} is {name}: export it as PNG, TIFF or JPEG first.")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if _is_avif(head):
        return "AVIF"
    for mark, kind in READ:
        if head.startswith(mark):
            return kind
    raise FileError(f"{file.path} is not a picture that Dreamlayer can read: it reads {NAMES}.")


def is_camera_raw(file: InputFile, head: bytes) -> bool:
    """Whether a TIFF is a camera's raw file, whose first picture is a thumbnail."""
    try:
        form, first = tags.head(head)
    except TagsError:
        return False
    budget = [tags.BYTES_MAX]
    for offset in tags.chain(file.read, form, first, PAGES_LOOKED_AT):
        try:
            page = tags.read(file.read, form, offset, budget)
        except TagsError:
            continue
        below = [_page(file, page, place, budget) for place in _sub_pages(page)]
        if any(_has_raw_samples(directory) for directory in (page, *below)):
            return True
    return False


def _sub_pages(page: Directory) -> tuple[int, ...]:
    return page.integers(SUB_PAGES)[:PAGES_LOOKED_AT]


def _page(file: InputFile, page: Directory, offset: int, budget: list[int]) -> Directory:
    try:
        return tags.read(file.read, page.form, offset, budget)
    except TagsError:
        return Directory(page.form)


def _has_raw_samples(page: Directory) -> bool:
    return (
        not RAW_TAGS.isdisjoint(page.entries)
        or page.integer(262) in RAW_COLOURS
        or page.integer(259) in RAW_PACKINGS
    )


def _is_avif(head: bytes) -> bool:
    if head[4:8] != b"ftyp":
        return False
    brands = {head[8:12], *(head[i : i + 4] for i in range(16, len(head) - 3, 4))}
    return not AVIF_BRANDS.isdisjoint(brands)


def _other(file: InputFile, head: bytes) -> str | None:
    """What the file is called if it is known and not read."""
    if _is_avif(head):
        return None
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")  # documents may begin with spaces
    for offset, mark, name in OTHERS:
        if head[offset : offset + len(mark)] == mark or (not offset and start.startswith(mark)):
            return name
    return None
