"""Picture files from a seed: formats × modes × metadata × damage.

`python -m tests.cli.generated_pictures FIRST COUNT FOLDER` writes some of them to look at.
"""

from __future__ import annotations

import io
import random
import struct
import sys
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
RECIPE = '{"recipe": {"layer": "3"}, "select": [0, 0, 9, 9]}'
OUTPUTS = ("png", "png", "jpg", "tif", "webp", "bmp")
ROLES = ("picture", "picture", "picture", "mask", "guide", "map", "recipe")
MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I"),
    "APNG": ("RGB", "RGBA", "L"),
    "JPEG": ("L", "RGB", "CMYK", "YCbCr"),
    "MPO": ("RGB",),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I;16B", "I", "F"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("L", "P", "RGB", "1"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "PPM": ("1", "L", "RGB", "I", "F"),
    "PLAIN": ("1", "L", "RGB"),
    "AVIF": ("RGB", "RGBA", "L"),
    "JPEG2000": ("L", "LA", "RGB", "RGBA", "I;16"),
    "TGA": ("RGB", "RGBA", "L"),
    "ICO": ("RGBA",),
    "EPS": ("RGB",),
}
FORMATS = (*MODES, "PNG", "JPEG", "TIFF", "WEBP", "TIFF", "PNG", "JPEG", "NOISE")
MAGICS = (
    b"",
    b"%!PS-Adobe-3.0 EPSF-3.0\n",
    b"8BPS\0\1",
    b"PK\3\4",
    b"II*\0",
    b"II+\0\x08\0\0\0",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF89a",
    b"BM",
    b"P6 9 9 255\n",
    b"P3\n",
    b"RIFF\0\0\0\0WEBP",
    b"\0\0\0\x1cftypavif",
    b"\xff\x4f\xff\x51",
    b"FUJIFILMCCD-RAW",
    b"\0\0\0\x18ftypcrx ",
    b"version https://git-lfs.github.com/spec/v1\n",
    b"<!DOCTYPE html>",
    b"{}",
)


@dataclass(frozen=True)
class GeneratedFile:
    """A file, what is done with it, and in which format the result is asked for."""

    data: bytes
    role: str
    output: str
    description: str
    size: tuple[int, int]


def generate(seed: int) -> GeneratedFile:
    """The file of a seed, always the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _generate(random.Random(seed))


def _generate(chance: random.Random) -> GeneratedFile:
    kind = chance.choice(FORMATS)
    role, output = chance.choice(ROLES), chance.choice(OUTPUTS)
    if kind == "NOISE":
        data = chance.choice(MAGICS) + chance.randbytes(chance.choice((0, 3, 40, 3000)))
        return GeneratedFile(data, role, output, "noise", (48, 32))
    mode = chance.choice(MODES[kind])
    size = _size(chance, kind)
    extras, options = _metadata(chance, kind)
    image = picture(mode, *size, chance.randrange(9))
    try:
        data = _encoded(chance, kind, image, options)
    except Exception:  # encoders raise many kinds for odd metadata
        extras, data = ["plain"], _simple(kind, image)
    if kind in ("PNG", "APNG", "TIFF", "JPEG") and chance.random() < 0.3:
        extras.append("planted")
        data = _planted(chance, kind, data)
    data, damage = _damaged(chance, kind, data)
    words = " ".join([kind, mode, f"{size[0]}x{size[1]}", *extras, damage, "as", role, output])
    return GeneratedFile(data, role, output, words, size)


def _size(chance: random.Random, kind: str) -> tuple[int, int]:
    sizes = [(48, 32)] * 6 + [(1, 1), (1, 700), (700, 1), (17, 3), (300, 200), (129, 64)]
    if chance.random() < 0.02 and kind not in ("PLAIN", "EPS", "ICO", "AVIF"):
        return 2000, 1900
    return chance.choice(sizes) if kind != "ICO" else (48, 32)


@cache
def picture(mode: str, width: int, height: int, kind: int) -> Image.Image:
    """A picture of a mode: a gradient with noise."""
    generator = np.random.default_rng(kind)
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x * 3 + y * (band + 1)) % 256 for band in range(4)]
    base = np.stack(planes, -1).astype(np.uint8) ^ generator.integers(
        0, 8, (height, width, 4), np.uint8
    )
    colours = Image.fromarray(base[..., :3])
    made = {
        "LA": lambda: Image.merge("LA", [Image.fromarray(base[..., band]) for band in (0, 3)]),
        "RGBA": lambda: Image.fromarray(base),
        "I": lambda: Image.fromarray(base[..., 0].astype(np.int32) * 200),
        "F": lambda: Image.fromarray(base[..., 0].astype(np.float32) / 255),
        "P": lambda: colours.quantize(16),
        "LAB": lambda: Image.frombytes("LAB", (width, height), base[..., :3].tobytes()),
    }
    if mode in ("I;16", "I;16B"):
        levels = (base[..., 0].astype(np.uint16) * 257).astype("<u2" if mode == "I;16" else ">u2")
        return Image.frombytes(mode, (width, height), levels.tobytes())
    return made[mode]() if mode in made else colours.convert(mode)


# Metadata.


def directory(chance: random.Random, order: str = "<") -> bytes:
    """EXIF data: sound tags, and tags of odd kinds, counts and offsets."""
    rows: list[tuple[int, int, int, bytes]] = []
    if chance.random() < 0.7:
        rows.append((0x112, 3, 1, struct.pack(order + "HH", chance.randrange(10), 0)))
    for _ in range(chance.randrange(6)):
        tag = chance.choice(
            (
                0x100,
                0x101,
                0x10E,
                0x112,
                0x11A,
                0x11B,
                0x128,
                0x132,
                0x8298,
                0x8769,
                0x8825,
                0x927C,
                0xC4A5,
                0x111,
                0x117,
                0x103,
            )
        )
        kind = chance.choice((0, 1, 2, 2, 3, 3, 4, 5, 7, 9, 10, 12, 13, 99))
        count = chance.choice((0, 1, 1, 1, 2, 4, 4, 20, 70000, 2**31))
        rows.append(
            (
                tag,
                kind,
                count,
                chance.randbytes(4)
                if chance.random() < 0.5
                else struct.pack(order + "I", chance.choice((8, 26, 60, 0, 2**32 - 1))),
            )
        )
    body = struct.pack(order + "H", len(rows))
    for tag, kind, count, value in rows:
        body += struct.pack(order + "HHI", tag, kind, count) + value
    return body + struct.pack(order + "I", chance.choice((0, 0, 8, 26))) + chance.randbytes(60)


def exif(chance: random.Random) -> bytes:
    if chance.random() < 0.15:
        return chance.choice(
            (b"garbage", b"Exif\0\0", b"Exif\0\0II*\0", b"\0", b"Exif\0\0MM\0*" + b"\xff" * 40)
        )
    order = chance.choice("<>")
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    return b"Exif\0\0" + mark + struct.pack(order + "I", 8) + directory(chance, order)


def profile(chance: random.Random) -> bytes:
    kind = chance.randrange(6)
    if kind == 0:
        return chance.randbytes(chance.choice((1, 127, 3000)))
    if kind == 1:
        return SRGB[:16] + chance.choice((b"GRAY", b"CMYK", b"Lab ", b"XYZ ")) + SRGB[20:]
    if kind == 2:
        return SRGB[: chance.randrange(len(SRGB))] + b"\0"
    if kind == 3:
        long = SRGB + chance.randbytes(1_100_000)
        return struct.pack(">I", len(long)) + long[4:]
    return SRGB


def xmp(chance: random.Random) -> bytes:
    turn = chance.randrange(10)
    size = chance.choice((0, 0, 100, 70_000, 2_000_000))
    body = f'<x:xmpmeta><rdf:Description tiff:Orientation="{turn}"/>' + " " * size
    return body.encode() if chance.random() < 0.9 else chance.randbytes(300)


def _metadata(chance: random.Random, kind: str) -> tuple[list[str], dict[str, Any]]:
    """Names of the metadata, and Pillow's options for it."""
    options: dict[str, Any] = {}
    if chance.random() < 0.45 and kind != "TIFF":  # whose tags are planted: its encoder may crash
        options["exif"] = exif(chance)
    if chance.random() < 0.35:
        options["icc_profile"] = profile(chance)
    if chance.random() < 0.3:
        options["xmp"] = xmp(chance)
    if chance.random() < 0.3 and kind != "TIFF":
        options["dpi"] = chance.choice(((72, 72), (0, 0), (1, 60000), (299.99, 300.01), (0.4, 1e9)))
    if chance.random() < 0.2:
        options["comment"] = chance.choice(("a comment", "\u4e2d\u6587\n", "x" * 60000))
    if kind in ("PNG", "APNG") and chance.random() < 0.4:
        options["pnginfo"] = _texts(chance)
    return sorted(options), options


def _texts(chance: random.Random) -> PngImagePlugin.PngInfo:
    texts = PngImagePlugin.PngInfo()
    for _ in range(chance.randrange(1, 4)):
        name = chance.choice(
            (
                "Comment",
                "parameters",
                "Software",
                "dreamlayer",
                "XML:com.adobe.xmp",
                "Raw profile type exif",
                "Raw profile type iptc",
            )
        )
        text = chance.choice(
            ("short", RECIPE, "{" * 5000, "\u2603", "x" * 2_000_000, "\niptc\n 4\n414243", "")
        )
        adds: list[Callable[..., None]] = [texts.add_text, texts.add_itxt]
        chance.choice(adds)(name, text, zip=chance.random() < 0.5)
    return texts


# Files.


def _encoded(
    chance: random.Random, kind: str, image: Image.Image, options: dict[str, Any]
) -> bytes:
    file = io.BytesIO()
    more: dict[str, Any] = dict(options)
    if kind in ("PLAIN",):
        return _plain(image)
    several = [image, image]
    if kind == "APNG":
        more.update(save_all=True, append_images=[image.transpose(Image.Transpose.ROTATE_180)])
    elif kind == "MPO" or (kind in ("TIFF", "GIF", "WEBP") and chance.random() < 0.25):
        more.update(save_all=True, append_images=several)
    if kind == "JPEG":
        more.update(progressive=chance.random() < 0.3, quality=80)
    elif kind == "TIFF":
        more.update(_tiff_options(chance, image.mode))
    elif kind == "WEBP":
        more.update(lossless=chance.random() < 0.3)
    elif kind in ("PNG", "GIF") and image.mode in ("L", "P") and chance.random() < 0.3:
        more["transparency"] = 3
    elif kind == "AVIF":
        more.update(speed=10)
    image.save(file, {"APNG": "PNG"}.get(kind, kind), **more)
    return file.getvalue()


def _simple(kind: str, image: Image.Image) -> bytes:
    """The file without anything in which its encoder sees a fault."""
    file = io.BytesIO()
    image.save(file, {"APNG": "PNG"}.get(kind, kind))
    return file.getvalue()


def _tiff_options(chance: random.Random, mode: str) -> dict[str, Any]:
    compressions = [None, "tiff_lzw", "tiff_deflate", "packbits"]
    if mode in ("RGB", "L", "YCbCr"):
        compressions.append("jpeg")
    if mode == "1":
        compressions.append("group4")
    options: dict[str, Any] = {"compression": chance.choice(compressions)}
    if options["compression"] is None and chance.random() < 0.5:  # libtiff may crash
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[274] = chance.randrange(1, 9)
        tags[270] = "a description"
        if chance.random() < 0.3:
            tags[50706], tags.tagtype[50706] = b"\1\4\0\0", 1
        options["tiffinfo"] = tags
    if options["compression"] is None and chance.random() < 0.3:
        options["big_tiff"] = True
    return options


def _plain(image: Image.Image) -> bytes:
    """A PPM of decimal numbers."""
    number = {"1": 1, "L": 2, "RGB": 3}[image.mode]
    levels = np.asarray(image).astype(int).ravel()
    head = f"P{number}\n# a comment\n{image.width} {image.height}\n"
    head += "" if number == 1 else "255\n"
    return (head + " ".join(map(str, levels))).encode()


def _planted(chance: random.Random, kind: str, data: bytes) -> bytes:
    """The file with a piece put into it that its encoder would not write."""
    if kind == "TIFF":
        return _planted_tags(chance, data)
    if kind == "JPEG":
        kinds = (
            (0xE1, exif(chance)),
            (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(chance)[:60000]),
            (0xE2, b"ICC_PROFILE\0" + bytes([chance.randrange(4), 2]) + SRGB),
            (0xE2, b"MPF\0II*\0" + chance.randbytes(40)),
            (
                0xED,
                b"Photoshop 3.0\x008BIM\4\4\0\0"
                + struct.pack(">I", chance.choice((5, 9999)))
                + b"\x1c\2\0\0\0\0",
            ),
            (0xFE, chance.randbytes(50)),
        )
        marker, body = chance.choice(kinds)
        return data[:2] + struct.pack(">BBH", 255, marker, len(body) + 2) + body + data[2:]
    names = (
        b"eXIf",
        b"iCCP",
        b"tEXt",
        b"zTXt",
        b"iTXt",
        b"pHYs",
        b"acTL",
        b"gAMA",
        b"tRNS",
        b"caNv",
        b"cICP",
    )
    name = chance.choice(names)
    bomb = zlib.compress(bytes(chance.choice((10, 3_000_000, 90_000_000))))
    body = chance.choice(
        (
            chance.randbytes(30),
            exif(chance)[6:],
            b"name\0\0" + bomb,
            b"XML:com.adobe.xmp\0\1\0\0\0" + bomb,
            b"dreamlayer\0\0" + bomb,
            b"",
            b"\0" * 8,
        )
    )
    crc = zlib.crc32(name + body) if chance.random() < 0.8 else 7
    return (
        data[:33] + struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc) + data[33:]
    )


def _planted_tags(chance: random.Random, data: bytes) -> bytes:
    """A TIFF with further tags in its first directory, of odd kinds and places."""
    if data[:4] != b"II*\0":
        return data
    (offset,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[offset : offset + 2])
    rows = data[offset + 2 : offset + 2 + 12 * count]
    extra = directory(chance)
    extra = extra[2 : 2 + 12 * struct.unpack("<H", extra[:2])[0]]
    if chance.random() < 0.3:
        extra += struct.pack(
            "<HHII",
            chance.choice((330, 700, 33723, 34675, 322, 323, 278, 277)),
            chance.choice((3, 4, 7)),
            1,
            chance.choice((1, 9, 70000, 2**31)),
        )
    following = data[offset + 2 + 12 * count :][:4]
    table = struct.pack("<H", count + len(extra) // 12) + rows + extra + following
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + table


# Damage.


def _damaged(chance: random.Random, kind: str, data: bytes) -> tuple[bytes, str]:
    name = chance.choice(
        ("whole", "whole", "whole", "cut", "flipped", "blank", "headed", "tailed", "inserted")
    )
    body = bytearray(data)
    place = chance.randrange(max(1, len(body)))
    if name == "cut":
        del body[place:]
    elif name == "flipped":
        for _ in range(chance.choice((1, 3, 20))):
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    elif name == "blank":
        body[place : place + chance.choice((4, 64, 900))] = bytes(chance.choice((0, 4, 900)))
    elif name == "headed":
        for _ in range(chance.choice((1, 2, 4))):
            body[chance.randrange(min(len(body), 120))] = chance.choice(
                (0, 1, 255, 127, chance.randrange(256))
            )
    elif name == "tailed":
        body += chance.randbytes(500)
    elif name == "inserted":
        body[place:place] = chance.randbytes(chance.choice((1, 8, 300)))
    damaged = bytes(body)
    if kind in ("PNG", "APNG") and name != "whole" and chance.random() < 0.6:
        damaged = with_sums(damaged)
    return damaged, name


def with_sums(data: bytes) -> bytes:
    """A PNG whose chunks have right check sums, so that a decoder reads on into the damage."""
    out, place = bytearray(data[:8]), 8
    while place + 12 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        chunk = data[place + 4 : place + 8 + length]
        out += data[place : place + 4] + chunk + struct.pack(">I", zlib.crc32(chunk))
        place += 12 + length
    return bytes(out)


def main() -> None:
    first, count, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + count):
        made = generate(seed)
        (folder / f"{seed}.picture").write_bytes(made.data)
        print(seed, made.description)


if __name__ == "__main__":
    main()
