"""Files from the field: odd metadata, raw files, several pages, masks with transparency."""

from __future__ import annotations

import io
import os
import random
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from dreamlayer.dreaming import selection
from dreamlayer.files import metadata, reading, tags
from dreamlayer.files.containers.jpeg import XMP_MARK
from dreamlayer.files.opening import FileError
from dreamlayer.files.output import Output
from dreamlayer.files.reading import ImageFile
from dreamlayer.files.recipe_file import StoredRecipe
from dreamlink.picture import Region

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6" dc:title="Cat"/></x:xmpmeta>'
IPTC = b"\x1c\x02\x50\x00\x07Someone"
PICTURE = Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8))


def entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
    return struct.pack("<HHI", tag, kind, count) + value


def exif(*entries: bytes) -> bytes:
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return b"Exif\0\0" + head + b"".join(entries) + bytes(4)


TURNED = entry(0x112, 3, 1, struct.pack("<HH", 6, 0))


def saved(path: Path, image: Image.Image = PICTURE, **options: Any) -> Path:
    image.save(path, **options)
    return path


def dreamed(path: Path, output: Path) -> ImageFile:
    """The picture of a file, written into another and read again."""
    source = reading.read(path)
    with Output(output, source, [path]) as result:
        result.write(source, source.image, (0, 0), {"recipe": {"layer": "3"}})
    return reading.read(output)


@pytest.mark.parametrize(
    "odd",
    [
        entry(0x11A, 2, 3, b"72\0\0"), entry(0x100, 2, 4, b"160\0"),
        entry(0x11A, 5, 1, b"\xff" * 4),
        entry(0x132, 99, 1, b"    "), entry(0x8769, 4, 1, b"\x08\0\0\0"),
        entry(0x8825, 4, 1, b"\xff\xff\xff\x7f"), entry(0x927C, 7, 2**31, b"    "),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["in.jpg", "in.png", "in.webp"])
def test_odd_exif_costs_neither_the_picture_nor_its_orientation(
    tmp_path: Path, name: str, odd: bytes
) -> None:
    path = saved(tmp_path / name, exif=exif(TURNED, odd))
    source = reading.read(path)
    assert source.image.size == (30, 40)
    assert any("EXIF" in note for note in source.notes)
    again = dreamed(path, tmp_path / f"out-{name}")
    assert again.image.size == (30, 40)
    assert again.notes == []
    with Image.open(tmp_path / f"out-{name}") as other:  # other programs can read it, too
        assert other.getexif().get(0x112) == 1


@pytest.mark.parametrize("data", [b"garbagegarbage", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff"])
def test_noise_in_place_of_exif_is_left_out_with_a_note(tmp_path: Path, data: bytes) -> None:
    path = saved(tmp_path / "in.png", exif=data)
    source = reading.read(path)
    assert source.image.tobytes() == PICTURE.tobytes()
    assert "EXIF" in source.notes[0]


def test_long_texts_and_profiles_are_read_and_what_is_written_is_read_again(
    tmp_path: Path,
) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("workflow", "x" * 2_000_000, zip=True)
    texts.add_itxt("XML:com.adobe.xmp", "y" * 2_000_000, zip=True)
    path = saved(tmp_path / "in.png", pnginfo=texts)
    again = dreamed(path, tmp_path / "out.png")
    assert len(again.metadata.xmp or b"") == 2_000_000
    assert [text[1][:9] for text in again.metadata.texts][-1] == b"workflow\0"
    long = SRGB + random.Random(1).randbytes(1_500_000)
    long = struct.pack(">I", len(long)) + long[4:]
    path = saved(tmp_path / "in.jpg", icc_profile=long)
    for name in ("out.png", "out.jpg", "out.tif", "out.webp"):
        again = dreamed(path, tmp_path / name)
        assert again.metadata.profile == long
        assert again.notes == []
    assert StoredRecipe.read(tmp_path / "out.png").recipe == {"layer": "3"}


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def test_a_bomb_beside_the_pixels_is_left_out(tmp_path: Path) -> None:
    path = saved(tmp_path / "in.png")
    bomb = zlib.compress(bytes(200_000_000), 9)
    xmp = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb)
    recipe = chunk(b"zTXt", b"dreamlayer\0\0" + bomb)
    profile = chunk(b"iCCP", b"name\0\0" + bomb)
    data = path.read_bytes()
    path.write_bytes(data[:33] + xmp + recipe + profile + data[33:])
    source = reading.read(path)
    assert source.image.tobytes() == PICTURE.tobytes()
    assert "XML:com.adobe.xmp, colour profile" in source.notes[0]
    with pytest.raises(FileError, match="no recipe"):
        StoredRecipe.read(path)


# What a camera and a photographer wrote is carried over.


def photograph(path: Path) -> Path:
    """A turned photograph with all kinds of metadata."""
    tagged = Image.Exif()
    tagged[0x8298] = "(c) Someone"
    tagged[0x132] = "2024:01:01 00:00:00"
    tagged[0x112] = 6
    camera = tagged.get_ifd(0x8769)
    camera[0x9003] = "2024:01:01 00:00:00"
    camera[0xA002], camera[0xA003] = 40, 30
    tagged.get_ifd(0x8825)[1] = "N"
    body = b"Photoshop 3.0\0" + metadata.resources(IPTC)
    iptc = b"\xff\xed" + struct.pack(">H", len(body) + 2) + body
    file = io.BytesIO()
    PICTURE.save(file, "JPEG", exif=tagged, xmp=XMP, icc_profile=SRGB, dpi=(300, 200), quality=95)
    data = file.getvalue()
    path.write_bytes(data[:2] + iptc + data[2:])
    return path


@pytest.mark.parametrize("steps", [
    ("png",), ("jpg",), ("tif",), ("webp",), ("png", "jpg", "tif", "png"), ("tif", "jpg", "webp"),
])  # fmt: skip
def test_metadata_is_carried_from_format_to_format(tmp_path: Path, steps: tuple[str, ...]) -> None:
    path = photograph(tmp_path / "in.jpg")
    for number, ending in enumerate(steps):
        output = tmp_path / f"{number}.{ending}"
        source = dreamed(path, output)
        assert source.notes == []
        path = output
    found = source.metadata
    assert source.image.size == (30, 40)
    assert found.exif is not None
    assert found.exif.integer(tags.ORIENTATION) == 1
    assert found.exif.entries[0x8298].data == b"(c) Someone\0"
    camera = found.exif.below[0x8769]
    assert camera.entries[0x9003].data == b"2024:01:01 00:00:00\0"
    assert (camera.integer(0xA002), camera.integer(0xA003)) == (30, 40)
    assert found.exif.below[0x8825].entries[1].data == b"N\0"
    assert found.xmp == XMP.replace(b'"6"', b'"1"')
    assert found.profile == SRGB
    if "webp" not in steps:
        assert found.iptc == IPTC
        assert found.dpi == pytest.approx((200, 300), abs=0.1)  # the sides were exchanged
    with Image.open(path) as other:
        assert other.getexif()[0x8298] == "(c) Someone"
        assert other.getexif().get_ifd(0x8769)[0x9003] == "2024:01:01 00:00:00"


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
def test_the_tags_of_a_bigtiff_are_carried_over(tmp_path: Path, ending: str) -> None:
    names = TiffImagePlugin.ImageFileDirectory_v2()
    names[270] = "a description"
    path = saved(tmp_path / "in.tif", tiffinfo=names, big_tiff=True)
    found = dreamed(path, tmp_path / f"out.{ending}")
    assert found.notes == []
    assert found.metadata.exif is not None
    assert found.metadata.exif.entries[270].data == b"a description\0"


@pytest.mark.parametrize(
    ("ending", "dropped"),
    [("bmp", "EXIF, XMP, IPTC, colour profile"), ("webp", "IPTC, resolution"), ("png", "")],
)
def test_what_a_format_cannot_hold_is_told(tmp_path: Path, ending: str, dropped: str) -> None:
    source = reading.read(photograph(tmp_path / "in.jpg"))
    notes = Output(tmp_path / f"out.{ending}", source, []).notes
    assert [dropped in note for note in notes] == [True] * bool(dropped)


def test_a_thumbnail_of_the_undreamed_picture_is_not_kept(tmp_path: Path) -> None:
    thumbnail = b"\xff\xd8the old thumbnail\xff\xd9"
    first = struct.pack("<H", 1) + TURNED + struct.pack("<I", 26)
    second = struct.pack("<H", 1) + entry(0x201, 4, 1, struct.pack("<I", 44)) + bytes(4)
    data = b"Exif\0\0II*\0\x08\0\0\0" + first + second + thumbnail
    dreamed(saved(tmp_path / "in.jpg", exif=data), tmp_path / "out.jpg")
    assert b"old thumbnail" not in (tmp_path / "out.jpg").read_bytes()


@pytest.mark.parametrize(
    ("mode", "profile"),
    [("RGB", SRGB[:16] + b"GRAY" + SRGB[20:]), ("L", SRGB), ("RGB", SRGB[:200]),
     ("RGB", b"x" * 3000)],
)  # fmt: skip
def test_a_profile_that_does_not_fit_is_left_out_with_a_note(
    tmp_path: Path, mode: str, profile: bytes
) -> None:
    path = saved(tmp_path / "in.png", PICTURE.convert(mode), icc_profile=profile)
    source = reading.read(path)
    assert source.metadata.profile is None
    assert "colour profile" in source.notes[0]


def test_a_tiff_with_odd_tags_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "in.tif")
    data = path.read_bytes()
    (offset,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[offset : offset + 2])
    rows = data[offset + 2 : offset + 2 + 12 * count]
    rows += entry(0x11A, 2, 3, b"72\0\0") + entry(700, 4, 2**30, b"\0\0\0\0") + TURNED
    rows += entry(0x8769, 2, 9, b"\1\0\0\0") + entry(330, 4, 1, b"\xff\xff\xff\xff")
    table = struct.pack("<H", count + 5) + rows + bytes(4)
    path.write_bytes(data[:4] + struct.pack("<I", len(data)) + data[8:] + table)
    source = reading.read(path)
    assert source.image.size == (30, 40)
    assert source.image.tobytes() == PICTURE.transpose(Image.Transpose.ROTATE_270).tobytes()


# Formats.


def raw_tiff(**more: int) -> bytes:
    """A TIFF of a camera: a thumbnail, and a further page of samples behind colour filters."""
    names = {"version": 50706, "colours": 262, "packing": 259}
    page = struct.pack("<H", 1) + entry(254, 4, 1, bytes(4)) + bytes(4)
    rows = [entry(330, 4, 1, struct.pack("<I", 8))]
    for name, value in more.items():
        rows.append(entry(names[name], 3, 1, struct.pack("<HH", value, 0)))
    at = 8 + len(page)
    return (
        b"II*\0"
        + struct.pack("<I", at)
        + page
        + struct.pack("<H", len(rows))
        + b"".join(rows)
        + bytes(4)
    )


@pytest.mark.parametrize(
    "data",
    [
        raw_tiff(version=1), raw_tiff(colours=32803), raw_tiff(colours=34892),
        raw_tiff(packing=34713), raw_tiff(packing=32767), raw_tiff(packing=65535),
        b"II*\0\x10\0\0\0CR\x02\0", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", b"IIRO\x08\0\0\0",
        b"IIU\0\x18\0\0\0", b"FUJIFILMCCD-RAW 0201", b"II*\0\x08\0\0\0IIIITra",
    ],
)  # fmt: skip
def test_raw_files_are_recognised_by_content(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "photo.tif"
    path.write_bytes(data + bytes(200))
    for read in (reading.read, reading.read_guide, StoredRecipe.read):
        with pytest.raises(FileError, match="develop it first"):
            read(path)


def test_a_camera_raw_page_below_the_first_is_recognised(tmp_path: Path) -> None:
    first = TiffImagePlugin.ImageFileDirectory_v2()
    first[254] = 1
    path = saved(tmp_path / "in.nef", format="TIFF", tiffinfo=first)
    data = path.read_bytes()
    (offset,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[offset : offset + 2])
    rows = data[offset + 2 : offset + 2 + 12 * count]
    sub = struct.pack("<H", 1) + entry(262, 3, 1, struct.pack("<HH", 32803, 0)) + bytes(4)
    at = len(data) + len(sub)
    rows += entry(330, 4, 1, struct.pack("<I", len(data)))
    table = struct.pack("<H", count + 1) + rows + bytes(4)
    path.write_bytes(data[:4] + struct.pack("<I", at) + data[8:] + sub + table)
    with pytest.raises(FileError, match="develop it first"):
        reading.read(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n", "PostScript"),
        (b"\xc5\xd0\xd3\xc6" + bytes(60), "PostScript"), (b"%PDF-1.7", "PDF"),
        (b"8BPS\0\1", "Photoshop"), (b"PK\x03\x04", "archive"), (b"gimp xcf v014", "GIMP"),
        (b" \n<svg>", "SVG"), (b"<!DOCTYPE html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "pointer"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"), (b"text", "not a picture"),
        (b"", "not a picture"), (b"\xd7\xcd\xc6\x9a" + bytes(40), "not a picture"),
    ],
)  # fmt: skip
def test_other_formats_are_named_and_never_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, words: str
) -> None:
    def opened(*_arguments: object, **_options: object) -> None:
        pytest.fail("a decoder was asked")

    monkeypatch.setattr(Image, "open", opened)
    (tmp_path / "in.png").write_bytes(data)
    for read in (reading.read, reading.read_guide, StoredRecipe.read):
        with pytest.raises(FileError, match=words) as refusal:
            read(tmp_path / "in.png")
        assert str(refusal.value).endswith(".")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such pipes")
def test_pipes_devices_and_folders_are_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), tmp_path):
        for read in (reading.read, reading.read_guide, StoredRecipe.read):
            with pytest.raises(FileError, match="can't be read: it is"):
                read(path)


def several(folder: Path, name: str) -> Path:
    others = [PICTURE.transpose(Image.Transpose.ROTATE_180), Image.new("RGB", PICTURE.size)]
    return saved(folder / name, save_all=True, append_images=others)


@pytest.mark.parametrize("name", ["in.tif", "in.gif", "in.png", "in.webp", "in.mpo"])
def test_several_pictures_in_a_file_are_told_of_masks_and_guides_too(
    tmp_path: Path, name: str
) -> None:
    path = several(tmp_path, name)
    for source in (
        reading.read(path), reading.read_mask(path, PICTURE.size), reading.read_guide(path),
    ):  # fmt: skip
        assert "first of the 3" in source.page_note


def test_sizes_are_looked_at_before_decoding(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60000, 60000, 1, 0, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    for read in (reading.read, reading.read_guide):
        with pytest.raises(FileError, match="--pixels-max"):
            read(path)
    with pytest.raises(FileError, match="same size"):
        reading.read_mask(path, PICTURE.size, pixels_max=5000)
    with pytest.raises(FileError, match="at most 1 megapixels"):
        reading.read(saved(tmp_path / "large.png", Image.new("L", (1001, 1000))), 1)


def test_a_picture_for_which_there_is_no_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "in.png")
    monkeypatch.setattr("dreamlayer.files.memory.available", lambda: 4000)
    with pytest.raises(FileError, match="not enough memory"):
        reading.read(path)
    monkeypatch.undo()

    def exhausted(*_arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", exhausted)
    with pytest.raises(FileError, match="not enough memory"):
        reading.read(path)


def test_16_bit_grey_of_a_pgm_keeps_its_depth(tmp_path: Path) -> None:
    path = tmp_path / "in.pgm"
    path.write_bytes(b"P5 2 1 65535\n" + struct.pack(">HH", 1000, 65535))
    source = reading.read(path)
    assert source.image.mode == "I;16"
    assert [source.image.getpixel((x, 0)) for x in (0, 1)] == [1000, 65535]


@pytest.mark.parametrize("highest", [1, 7, 254, 255, 256, 4095, 65535])
@pytest.mark.parametrize("number", [2, 3, 5, 6])
def test_every_range_of_a_ppm_is_decoded_as_pillow_does(
    tmp_path: Path, number: int, highest: int
) -> None:
    bands = 3 if number in (3, 6) else 1
    samples = np.random.default_rng(highest).integers(0, highest + 1, 35 * bands)
    path = tmp_path / "in.ppm"
    if number < 4:
        body = b" # a comment 9 9\n".join(str(sample).encode() for sample in samples)
    else:
        body = samples.astype(np.uint8 if highest < 256 else ">u2").tobytes()
    path.write_bytes(b"P%d\n7 5\n%d\n" % (number, highest) + body)
    with Image.open(path) as image:
        expected = np.asarray(image)
    assert (np.asarray(reading.read(path).image) == expected).all()
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"\n")] + b"\nx" if number < 4 else whole[:-1])
    with pytest.raises(FileError, match="damaged"):
        reading.read(path)


@pytest.mark.parametrize("number", [3, 6])
def test_a_ppm_of_four_megapixels_is_decoded_soon(tmp_path: Path, number: int) -> None:
    path = tmp_path / "in.ppm"
    body = b"9 " * (3 * 3_900_000) if number == 3 else bytes(6 * 3_900_000)
    path.write_bytes(b"P%d 2000 1950 1000 " % number + body)
    began = time.monotonic()
    reading.read(path)
    assert time.monotonic() - began < 8


# Masks, and where there is nothing to dream on.


def test_a_masks_light_counts_by_its_opacity(tmp_path: Path) -> None:
    pixels = np.zeros((5, 6, 4), np.uint8)
    pixels[..., :3] = 255
    pixels[1:3, 2:4, 3] = 255
    pixels[0, 0] = (255, 255, 255, 128)
    pixels[4, 5] = (128, 128, 128, 128)
    mask = reading.read_mask(saved(tmp_path / "mask.png", Image.fromarray(pixels)), (6, 5)).image
    levels = np.asarray(mask)
    assert (levels[1:3, 2:4] == 255).all()
    assert (levels[0, 0], levels[4, 5], levels[0, 1]) == (128, 64, 0)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_wholly_transparent_selection_is_refused(mode: str) -> None:
    image = Image.new(mode, (20, 10), 0)
    image.putpixel((15, 5), (9,) * (len(mode) - 1) + (1,) if mode == "LA" else (9, 9, 9, 1))
    source = ImageFile(image)
    path = Path("in.png")
    selection.refuse_transparent(path, source, selection.select(image.size, None, None))
    left = selection.select(image.size, Region(0, 0, 10, 10), None)
    with pytest.raises(FileError, match="transparent"):
        selection.refuse_transparent(path, source, left)
    mask = Image.new("L", image.size, 255)
    mask.putpixel((15, 5), 0)
    with pytest.raises(FileError, match="transparent"):
        selection.refuse_transparent(path, source, selection.select(image.size, None, mask))


def test_xmp_of_a_jpeg_has_its_orientation_corrected(tmp_path: Path) -> None:
    body = XMP_MARK + XMP
    data = saved(tmp_path / "in.jpg").read_bytes()
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    (tmp_path / "in.jpg").write_bytes(data[:2] + segment + data[2:])
    again = dreamed(tmp_path / "in.jpg", tmp_path / "out.jpg")
    assert again.image.size == (30, 40)
    assert b'Orientation="1"' in (again.metadata.xmp or b"")
