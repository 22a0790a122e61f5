"""What a picture file holds beside its pixels: EXIF, XMP, IPTC, profile, texts, resolution.

Nothing in it ever costs the picture: what is damaged is left out, with a note.
"""

from __future__ import annotations

import math
import re
import zlib
from dataclasses import dataclass, field

from dreamlayer.files import tags
from dreamlayer.files.tags import Directory, Entry, TagsError

INFLATED_MAX = 64 << 20  # bytes of one compressed profile or text; more is made to fill memory
EXIF_MARK = b"Exif\0\0"
PHOTOSHOP_MARK = b"Photoshop 3.0\0"
IPTC_RESOURCE = 0x0404
PIXEL_WIDTH, PIXEL_HEIGHT = 0xA002, 0xA003
DPI_LOW, DPI_HIGH = 1.0, 30000.0  # what every format can hold
# Tags of a TIFF that describe its pixels, or that have a place of their own in `Metadata`.
OF_PIXELS = {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280,
             281, 284, 288, 289, 290, 291, 292, 293, 297, 317, 320, 322, 323, 324, 325, 330, 332,
             333, 334, 336, 338, 339, 340, 341, 342, 343, 344, 345, 346, 347, 351, 512, 513, 514,
             515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 559, 32996, 32997}  # fmt: skip
OF_METADATA = {700, 33723, 34377, 34675, *tags.SUB_DIRECTORIES}
# Kinds that other programs expect, and stumble over if they find another.
EXPECTED = {256: (tags.SHORT, tags.LONG), 257: (tags.SHORT, tags.LONG),
            tags.ORIENTATION: (1, tags.SHORT, tags.LONG),
            tags.X_RESOLUTION: (tags.RATIONAL,), tags.Y_RESOLUTION: (tags.RATIONAL,),
            tags.RESOLUTION_UNIT: (tags.SHORT,)}  # fmt: skip


@dataclass
class Metadata:
    """What stands beside the pixels of a file.

    Attributes:
        exif: the tags of the camera, and of a TIFF's first page; None without any.
        xmp: an XMP packet.
        iptc: IPTC's records.
        profile: the colour profile (ICC).
        dpi: pixels per inch, across and down.
        texts: text chunks of a PNG, each with its type, as they are in the file.
        comment: the comment of a JPEG or GIF.
        damaged: names of what can't be read.
    """

    exif: Directory | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    texts: list[tuple[bytes, bytes]] = field(default_factory=list)
    comment: bytes | None = None
    damaged: list[str] = field(default_factory=list)

    def read_exif(self, data: bytes) -> None:
        """Take EXIF data, with or without the mark that JPEG puts before it."""
        data = data.removeprefix(EXIF_MARK)
        try:
            form, offset = tags.head(data)
            self.take_tags(tags.read(lambda at, size: data[at : at + size], form, offset))
        except TagsError:
            self.damaged.append("EXIF")

    def take_tags(self, directory: Directory) -> None:
        """Take tags as EXIF data, without those of pixels and those of unexpected kinds."""
        self.exif = directory
        odd = tidy(directory)
        if odd or directory.unread:
            self.damaged.append("a part of the EXIF")

    def read_resources(self, data: bytes) -> None:
        """Take the IPTC records from Photoshop's resources."""
        place = 0
        while data[place : place + 4] == b"8BIM" and place + 12 <= len(data):
            number = int.from_bytes(data[place + 4 : place + 6], "big")
            place += 6 + (data[place + 6] // 2 + 1) * 2  # the name, padded
            size = int.from_bytes(data[place : place + 4], "big")
            if number == IPTC_RESOURCE and 0 < size <= len(data) - place - 4:
                self.iptc = data[place + 4 : place + 4 + size]
                return
            place += 4 + size + size % 2

    def orientation(self) -> int:
        """How the picture is to be turned, as EXIF counts it: 1 to 8; 1 is upright."""
        turn = self.exif.integer(tags.ORIENTATION) if self.exif is not None else 0
        if not turn and self.xmp is not None:
            found = XMP_ORIENTATION.search(self.xmp)
            turn = int(found[2]) if found else 1
        return turn if 1 <= turn <= 8 else 1

    def resolution(self) -> None:
        """Take the resolution from the EXIF data if the file has no other."""
        if self.dpi is None and self.exif is not None:
            unit = {2: 1.0, 3: 2.54}.get(self.exif.integer(tags.RESOLUTION_UNIT, 2), 0.0)
            across = self.exif.fraction(tags.X_RESOLUTION) * unit
            self.dpi = (across, self.exif.fraction(tags.Y_RESOLUTION) * unit)
        if self.dpi is not None and not all(
            math.isfinite(value) and DPI_LOW <= value <= DPI_HIGH for value in self.dpi
        ):
            self.dpi = None

    def make_upright(self, width: int, height: int, *, exchanged: bool) -> None:
        """Note that the picture is upright now and how large it is.

        `exchanged`: whether its sides were exchanged.
        """
        if exchanged and self.dpi is not None:
            self.dpi = self.dpi[::-1]
        if self.xmp is not None:
            self.xmp = XMP_ORIENTATION.sub(rb"\g<1>1", self.xmp)
        if self.exif is None:
            return
        if tags.ORIENTATION in self.exif.entries:
            self.exif.put(tags.ORIENTATION, tags.SHORT, 1)
        across, down = tags.X_RESOLUTION, tags.Y_RESOLUTION
        entries = self.exif.entries
        if exchanged and across in entries and down in entries:
            entries[across], entries[down] = entries[down], entries[across]
        camera = self.exif.below.get(0x8769)
        if camera is not None and PIXEL_WIDTH in camera.entries:
            camera.put(PIXEL_WIDTH, tags.LONG, width)
            camera.put(PIXEL_HEIGHT, tags.LONG, height)

    def check_profile(self, mode: str) -> None:
        """Leave out a profile that is damaged or of other colours than the mode's."""
        if self.profile is not None and not profile_fits(self.profile, mode):
            self.profile = None
            self.damaged.append("colour profile")


XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>)\s*)([0-9])")


def tidy(directory: Directory) -> bool:
    """Take away tags of pixels and tags of unexpected kinds; whether there were any of these."""
    odd = False
    for tag, entry in list(directory.entries.items()):
        expected = EXPECTED.get(tag)
        unfit = expected is not None and (entry.kind not in expected or entry.amount != 1)
        odd = odd or unfit
        if unfit or tag in OF_METADATA or (tag in OF_PIXELS and tag != tags.ORIENTATION):
            del directory.entries[tag]
    return odd


def profile_fits(profile: bytes, mode: str) -> bool:
    """Whether this is a colour profile for pixels of Pillow's mode."""
    space = {"L": b"GRAY", "LA": b"GRAY", "I;16": b"GRAY", "CMYK": b"CMYK", "LAB": b"Lab "}
    size = int.from_bytes(profile[:4], "big")
    return (
        profile[36:40] == b"acsp"
        and 128 < size <= len(profile)
        and profile[16:20] == space.get(mode, b"RGB ")
    )


def exif_bytes(directory: Directory) -> bytes:
    """The tags as EXIF data, without the mark of JPEG."""
    classic, offset = directory.written_in(directory.form.order), 8
    return tags.file_head(classic.form, offset) + tags.packed(classic, offset)


def resources(iptc: bytes) -> bytes:
    """IPTC records as a resource of Photoshop."""
    size = len(iptc).to_bytes(4, "big")
    return b"8BIM\x04\x04\0\0" + size + iptc + bytes(len(iptc) % 2)


def inflated(data: bytes) -> bytes | None:
    """Data decompressed, or None: it is damaged, or larger than `INFLATED_MAX`."""
    decompressor = zlib.decompressobj()
    try:
        plain = decompressor.decompress(data, INFLATED_MAX)
    except zlib.error:
        return None
    return plain if decompressor.eof else None


def of_page(page: Directory) -> Metadata:
    """The metadata among the tags of a TIFF's page; takes those tags out of the page."""
    metadata = Metadata()
    metadata.xmp = _data(page, 700)
    metadata.iptc = _data(page, 33723)
    metadata.profile = _data(page, 34675)
    if metadata.iptc is None and (block := _data(page, 34377)) is not None:
        metadata.read_resources(block)
    metadata.take_tags(page)
    return metadata


def _data(page: Directory, tag: int) -> bytes | None:
    entry = page.entries.get(tag)
    return entry.data if entry is not None and entry.data else None


def entries_for_tiff(metadata: Metadata) -> Directory:
    """The tags that a little-endian TIFF takes over from the metadata, but for the profile."""
    exif = metadata.exif if metadata.exif is not None else Directory(tags.TagFormat("<"))
    directory = Directory(tags.TagFormat("<"))
    turned = exif.written_in("<")
    own = {tags.X_RESOLUTION, tags.Y_RESOLUTION, tags.RESOLUTION_UNIT}
    directory.entries = {t: e for t, e in turned.entries.items() if t not in own}
    directory.below = turned.below
    if metadata.xmp is not None:
        directory.entries[700] = Entry(1, len(metadata.xmp), metadata.xmp)
    if metadata.iptc is not None:
        directory.entries[33723] = Entry(tags.UNDEFINED, len(metadata.iptc), metadata.iptc)
    return directory
