"""The tags of TIFF and EXIF, kept as bytes: nothing is lost or refused for being of an odd type.

EXIF data is a small TIFF file without pixels. A directory is a table of entries; some entries
point to further directories.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

# Bytes of a value by its kind, and of the numbers that it consists of.
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
         16: 8, 17: 8, 18: 8}  # fmt: skip
WIDTHS = {**SIZES, 5: 4, 10: 4}
INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
ASCII, SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 2, 3, 4, 5, 7, 16

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x112, 0x11A, 0x11B, 0x128
SUB_DIRECTORIES = {0x8769, 0x8825, 0xA005}  # EXIF, GPS, interoperability
ENTRIES_MAX = 4096  # of a directory; a real one has at most some hundred
BYTES_MAX = 64 << 20  # of all values together
DEPTH_MAX = 3

Read = Callable[[int, int], bytes]  # the bytes at an offset, of a length


class TagsError(ValueError):
    """Not a directory of tags, or a damaged one."""


class Entry(NamedTuple):
    """A value: its kind (a key of `SIZES`), how many there are, and their bytes."""

    kind: int
    amount: int
    data: bytes


@dataclass(frozen=True)
class TagFormat:
    """How tags are written: byte order ("<" or ">"), and whether with the widths of BigTIFF."""

    order: str
    big: bool = False

    @property
    def pointer(self) -> str:
        return "Q" if self.big else "I"

    @property
    def count(self) -> str:
        return "Q" if self.big else "H"

    @property
    def inline(self) -> int:
        """Bytes that stand in the entry itself."""
        return 8 if self.big else 4

    def unpack(self, letters: str, data: bytes) -> tuple[int, ...]:
        """Numbers of struct's letters; raises TagsError if there are too few bytes."""
        try:
            return struct.unpack(self.order + letters, data)
        except struct.error as error:
            raise TagsError("The tags end too early.") from error

    def pack(self, letters: str, *values: int) -> bytes:
        return struct.pack(self.order + letters, *values)


@dataclass
class Directory:
    """A table of tags.

    Attributes:
        below: the directories that tags point to.
        unread: how many entries are damaged.
    """

    form: TagFormat
    entries: dict[int, Entry] = field(default_factory=dict)
    below: dict[int, Directory] = field(default_factory=dict)
    unread: int = 0

    def integers(self, tag: int) -> tuple[int, ...]:
        """The values of a tag; empty if it is missing or holds no whole numbers."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind not in INTEGERS:
            return ()
        return self.form.unpack(f"{entry.amount}{INTEGERS[entry.kind]}", entry.data)

    def integer(self, tag: int, default: int = 0) -> int:
        """The first value of a tag."""
        return (*self.integers(tag), default)[0]

    def fraction(self, tag: int) -> float:
        """The value of a tag that holds a rational number; 0 if it is missing or no number."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind != RATIONAL or entry.amount < 1:
            return float(self.integer(tag))
        above, under = self.form.unpack("2I", entry.data[:8])
        return above / under if under else 0.0

    def put(self, tag: int, kind: int, *values: int) -> None:
        """Set a tag to whole numbers."""
        data = self.form.pack(f"{len(values)}{INTEGERS[kind]}", *values)
        self.entries[tag] = Entry(kind, len(values), data)

    def written_in(self, order: str) -> Directory:
        """The same tags in a byte order, with the widths of a TIFF that is not a BigTIFF."""
        form = TagFormat(order)
        same = order == self.form.order
        entries = self.entries if same else {t: _turned(e) for t, e in self.entries.items()}
        below = {tag: directory.written_in(order) for tag, directory in self.below.items()}
        return Directory(form, dict(entries), below)


def head(data: bytes) -> tuple[TagFormat, int]:
    """Format and offset of the first directory, from a TIFF's first 16 bytes; raises TagsError."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise TagsError("This is no TIFF.")
    form = TagFormat(order, form_number(order, data) == 43)
    if form_number(order, data) not in (42, 43):
        raise TagsError("This is no TIFF.")
    (offset,) = form.unpack(form.pointer, data[8:16] if form.big else data[4:8])
    return form, offset


def form_number(order: str, data: bytes) -> int:
    return int.from_bytes(data[2:4], "little" if order == "<" else "big")


def read(
    source: Read, form: TagFormat, offset: int, budget: list[int] | None = None, depth: int = 0
) -> Directory:
    """The directory at an offset, without the entries that can't be read.

    `budget` counts the bytes that may still be read. Raises TagsError: there is no directory.
    """
    budget = [BYTES_MAX] if budget is None else budget
    width = struct.calcsize("=" + form.count)
    (count,) = form.unpack(form.count, source(offset, width))
    if not 0 < count <= ENTRIES_MAX:
        raise TagsError("There is no table of tags where one should be.")
    size = 4 + 2 * form.inline
    table = source(offset + width, count * size)
    directory = Directory(form, unread=count - len(table) // size)
    for start in range(0, len(table) - size + 1, size):
        if not _read_entry(directory, table[start : start + size], source, budget, depth):
            directory.unread += 1
    return directory


def _read_entry(
    directory: Directory, raw: bytes, source: Read, budget: list[int], depth: int
) -> bool:
    """Read an entry, and the directory that it points to; False if that can't be done."""
    form = directory.form
    tag, kind, count = form.unpack("HH" + form.pointer, raw[: -form.inline])
    place = raw[-form.inline :]
    length = SIZES.get(kind, 0) * count
    if not 0 < length <= budget[0]:
        return False
    if tag in SUB_DIRECTORIES:
        return _read_below(
            directory, tag, source, form.unpack(form.pointer, place)[0], budget, depth
        )
    data = place[:length]
    if length > form.inline:
        data = source(form.unpack(form.pointer, place)[0], length)
    if len(data) < length:
        return False
    budget[0] -= length
    directory.entries[tag] = Entry(kind, count, data)
    return True


def _read_below(
    directory: Directory, tag: int, source: Read, offset: int, budget: list[int], depth: int
) -> bool:
    if depth == DEPTH_MAX:
        return False
    try:
        below = read(source, directory.form, offset, budget, depth + 1)
    except TagsError:
        return False
    if below.entries or below.below:  # an empty table is none
        directory.below[tag] = below
    return below.unread == 0


def packed(directory: Directory, at: int) -> bytes:
    """The directory as bytes that will stand at offset `at`, with those below it."""
    form = directory.form
    rows: dict[int, Entry | Directory] = {**directory.entries, **directory.below}
    start = form.pack(form.count, len(rows))
    size = len(start) + len(rows) * (4 + 2 * form.inline) + form.inline
    table, values = bytearray(start), bytearray()
    for tag in sorted(rows):
        row = rows[tag]
        place = at + size + len(values)
        if isinstance(row, Directory):
            kind, count, data = (LONG8 if form.big else LONG), 1, packed(row, place)
            inline = form.pack(form.pointer, place)
        else:
            kind, count, data = row
            inline = data if len(data) <= form.inline else form.pack(form.pointer, place)
            data = data if len(data) > form.inline else b""
        table += form.pack("HH" + form.pointer, tag, kind, count) + inline.ljust(form.inline, b"\0")
        values += data + bytes(len(data) % 2)  # values begin at even offsets
    table += bytes(form.inline)  # no directory follows
    return bytes(table + values)


def file_head(form: TagFormat, offset: int) -> bytes:
    """The first bytes of a TIFF whose first directory is at `offset`."""
    mark = {"<": b"II", ">": b"MM"}[form.order]
    if form.big:
        return mark + form.pack("HHHQ", 43, 8, 0, offset)
    return mark + form.pack("HI", 42, offset)


def chain(source: Read, form: TagFormat, offset: int, most: int) -> Iterator[int]:
    """The offsets of the file's directories, at most so many, without going in a circle."""
    width = struct.calcsize("=" + form.count)
    seen: set[int] = set()
    while offset and offset not in seen and len(seen) < most:
        seen.add(offset)
        start = source(offset, width)
        if len(start) < width or not 0 < form.unpack(form.count, start)[0] <= ENTRIES_MAX:
            return
        yield offset
        count = form.unpack(form.count, start)[0]
        end = source(offset + width + count * (4 + 2 * form.inline), form.inline)
        offset = form.unpack(form.pointer, end)[0] if len(end) == form.inline else 0


def only(directory: Directory, tags: Mapping[int, object] | set[int]) -> Directory:
    """The directory with these tags alone."""
    kept = {tag: entry for tag, entry in directory.entries.items() if tag in tags}
    return Directory(directory.form, kept)


def _turned(entry: Entry) -> Entry:
    """An entry with the bytes of each number reversed."""
    width = WIDTHS[entry.kind]
    if width == 1:
        return entry
    turned = bytearray(len(entry.data))
    for place in range(width):
        turned[place::width] = entry.data[width - 1 - place :: width]
    return Entry(entry.kind, entry.amount, bytes(turned))
