"""What a built library needs of the system, by its own tables."""

from __future__ import annotations

import hashlib
import re
import struct
from pathlib import Path

import lief

FUNCTIONS = {f"dreamlayer_{name}" for name in ("panel", "run", "sizes", "variant", "workspace")}
# What there is on every such system.
ALLOWED = {
    "manylinux_2_17_x86_64": {"libc.so.6"},
    "manylinux_2_17_aarch64": {"libc.so.6"},
    "win_amd64": {"KERNEL32.dll"},
    "macosx_11_0_arm64": {"/usr/lib/libSystem.B.dylib"},
}
GLIBC = (2, 17)


def check(target: str, library: Path) -> None:
    """Assert that it needs nothing that a user may not have, and has the kernel's functions."""
    if target.startswith("manylinux"):
        elf = lief.ELF.parse(library)
        needed, functions = set(elf.libraries), {one.name for one in elf.exported_symbols}
        assert all(version <= GLIBC for version in glibc_versions(elf))
    elif target.startswith("win"):
        pe = lief.PE.parse(library)
        needed = {one.name for one in pe.imports}
        functions = {one.name for one in pe.get_export().entries}
    else:
        needed, functions = check_macho(library)
    assert needed == ALLOWED[target]
    assert functions == FUNCTIONS


def glibc_versions(elf: lief.ELF.Binary) -> list[tuple[int, ...]]:
    names = [
        str(symbol.name)
        for library in elf.symbols_version_requirement
        for symbol in library.get_auxiliary_symbols()
    ]
    found = [re.fullmatch(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?", name) for name in names]
    return [tuple(map(int, match.groups())) for match in found if match]


def check_macho(library: Path) -> tuple[set[str], set[str]]:
    """A library for macOS 11 with a valid signature; returns what it needs and its functions."""
    parsed = lief.MachO.parse(library)  # what is in it lives as long as it
    macho = parsed.at(0)
    assert macho.header.file_type == lief.MachO.Header.FILE_TYPE.DYLIB
    assert list(macho.build_version.minos) == [11, 0, 0]
    own = macho.get(lief.MachO.LoadCommand.TYPE.ID_DYLIB).name
    assert own == "@rpath/dreamkernel.so"
    signature = macho.code_signature
    check_signature(library.read_bytes(), signature.data_offset)
    functions = {one.name.removeprefix("_") for one in macho.exported_symbols}
    return {one.name for one in macho.libraries} - {own}, functions & FUNCTIONS


def check_signature(contents: bytes, offset: int) -> None:
    """Macs with Apple's processor end a program that loads pages of other hashes than signed."""
    (begin,) = struct.unpack_from(">I", contents, offset + 16)  # of the first blob, the directory
    directory = contents[offset + begin :]
    magic, _, _, _, hashes, _, _, count, limit, size, kind, _, page = struct.unpack_from(
        ">9I4B", directory
    )
    assert (magic, size, kind, limit) == (0xFADE0C02, 32, 2, offset)  # SHA-256, of all before it
    assert count == -(-limit >> page)
    for number in range(count):
        held = contents[number << page : min((number + 1) << page, limit)]
        at = hashes + number * size
        assert hashlib.sha256(held).digest() == directory[at : at + size]
