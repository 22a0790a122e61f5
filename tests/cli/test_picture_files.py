"""Picture files: reading, notes about what is lost, writing."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from dreamlayer.files import reading
from dreamlayer.files.opening import FileError
from dreamlayer.files.output import Output
from dreamlayer.files.reading import ImageFile
from dreamlayer.files.recipe_file import StoredRecipe
from dreamlink.picture import Picture, Region

RECIPE = {"layer": "features.10", "seed": 7}
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def gradient(mode: str, width: int = 40, height: int = 30) -> Image.Image:
    """A picture of the mode in which every channel differs from pixel to pixel."""
    if mode == "I;16":
        levels = np.arange(width * height, dtype=np.uint16).reshape(height, width) * 50
        return Image.fromarray(levels)
    bands = len(Image.new(mode, (1, 1)).getbands())
    data = (np.arange(width * height * bands, dtype=np.uint32) * 7 % 251).astype(np.uint8)
    return Image.frombytes(mode, (width, height), data.tobytes())


def saved(folder: Path, image: Image.Image, name: str = "in.png", **options: Any) -> Path:
    path = folder / name
    image.save(path, **options)
    return path


def write(path: Path, image: Image.Image, source: ImageFile, recipe: dict[str, Any]) -> None:
    with Output(path, source, []) as output:
        output.write(source, image, (0, 0), recipe)


def png16(folder: Path, colour_type: int, channels: int) -> Path:
    """A PNG with 16 bits a sample, which Pillow can't write."""
    width, height = 5, 4
    row = struct.pack(f">{width * channels}H", *range(1000, 1000 + width * channels))

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    path = folder / "deep.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress((b"\0" + row) * height))
        + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.parametrize(
    ("mode", "layout"),
    [("RGB", ("RGB", "U8")), ("RGBA", ("RGBA", "U8")), ("L", ("G", "U8")), ("LA", ("GA", "U8")),
     ("I;16", ("G", "U16"))],
)  # fmt: skip
def test_layouts_that_the_daemon_takes_are_read_and_written_unchanged(
    tmp_path: Path, mode: str, layout: tuple[str, str]
) -> None:
    image = gradient(mode)
    source = reading.read(saved(tmp_path, image))
    assert source.notes == []
    assert source.image.tobytes() == image.tobytes()
    order, depth = layout
    assert source.layout(3, 2) == Picture(3, 2, depth, order)
    assert len(source.image.tobytes()) == source.layout(*image.size).nbytes
    for name in ("out.png", "out.tif"):
        output = tmp_path / name
        assert Output(output, source, []).notes == []
        write(output, source.image, source, RECIPE)
        with Image.open(output) as written:
            assert written.mode == mode
            assert written.tobytes() == image.tobytes()
    assert source.notes == []


def test_a_big_endian_tiff_keeps_its_16_bits(tmp_path: Path) -> None:
    image = gradient("I;16")
    path = tmp_path / "big.tif"
    levels = np.asarray(image).astype(">u2")
    Image.frombytes("I;16B", image.size, levels.tobytes()).save(path)
    source = reading.read(path)
    assert source.image.mode == "I;16"
    assert source.image.tobytes() == image.tobytes()


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_16_bit_colour_is_reduced_with_a_note(
    tmp_path: Path, colour_type: int, channels: int
) -> None:
    source = reading.read(png16(tmp_path, colour_type, channels))
    assert len(source.notes) == 1
    assert "16 bits per colour" in source.notes[0]
    assert source.image.mode in reading.LAYOUTS


def test_16_bit_grey_keeps_its_depth(tmp_path: Path) -> None:
    source = reading.read(png16(tmp_path, 0, 1))
    assert source.notes == []
    assert source.image.getpixel((0, 0)) == 1000


def test_palettes_become_rgb_with_their_transparency(tmp_path: Path) -> None:
    image = gradient("RGB").quantize(16)
    source = reading.read(saved(tmp_path, image))
    assert source.image.mode == "RGB"
    assert source.image.tobytes() == image.convert("RGB").tobytes()
    assert "palette" in source.notes[0]
    transparent = reading.read(saved(tmp_path, image, "t.png", transparency=0))
    assert transparent.image.mode == "RGBA"
    assert transparent.image.getchannel("A").getextrema() == (0, 255)


def test_grey_with_a_transparent_level_becomes_grey_with_alpha(tmp_path: Path) -> None:
    source = reading.read(saved(tmp_path, gradient("L"), transparency=7))
    assert source.image.mode == "LA"
    assert source.image.getchannel("A").getextrema() == (0, 255)


def test_black_and_white_becomes_grey(tmp_path: Path) -> None:
    source = reading.read(saved(tmp_path, Image.new("1", (20, 20), 1)))
    assert source.image.mode == "L"
    assert source.image.getextrema() == (255, 255)


def test_cmyk_becomes_rgb_with_a_note(tmp_path: Path) -> None:
    source = reading.read(saved(tmp_path, Image.new("CMYK", (9, 9), (255, 0, 0, 0)), "in.tif"))
    assert source.image.mode == "RGB"
    assert source.image.getpixel((0, 0)) == (0, 255, 255)
    assert "CMYK" in source.notes[0]


def test_a_broken_cmyk_profile_is_ignored(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("CMYK", (9, 9)), "in.tif", icc_profile=b"broken" * 30)
    source = reading.read(path)
    assert source.image.getpixel((0, 0)) == (255, 255, 255)
    assert source.metadata.profile is None  # it would not fit the result


@pytest.mark.parametrize("mode", ["I", "F"])
def test_32_bits_are_refused(tmp_path: Path, mode: str) -> None:
    with pytest.raises(FileError, match="32 bits"):
        reading.read(saved(tmp_path, Image.new(mode, (5, 5)), "in.tif"))


def test_a_turned_photo_is_dreamed_upright(tmp_path: Path) -> None:
    image = gradient("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees
    source = reading.read(saved(tmp_path, image, exif=exif))
    assert source.image.size == (30, 40)
    assert source.image.tobytes() == image.transpose(Image.Transpose.ROTATE_270).tobytes()


def test_only_the_first_of_several_pictures_is_used_with_a_note(tmp_path: Path) -> None:
    frames = [gradient("RGB"), Image.new("RGB", (40, 30), "red")]
    path = tmp_path / "in.tif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    source = reading.read(path)
    assert "first of the 2" in source.notes[0]
    assert source.image.tobytes() == frames[0].tobytes()


@pytest.mark.parametrize("name", ["out.png", "out.jpg", "out.tif", "out.webp"])
def test_profile_and_resolution_are_kept(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, gradient("RGB"), icc_profile=PROFILE, dpi=(240, 240))
    source = reading.read(path)
    write(tmp_path / name, source.image, source, RECIPE)
    with Image.open(tmp_path / name) as written:
        assert written.info["icc_profile"] == PROFILE
        if name != "out.webp":  # which has no place for it
            assert written.info["dpi"] == pytest.approx((240, 240), abs=0.1)


def test_a_png_contains_the_recipe(tmp_path: Path) -> None:
    write(tmp_path / "out.png", gradient("RGB"), ImageFile(gradient("RGB")), RECIPE)
    with Image.open(tmp_path / "out.png") as written:
        assert json.loads(written.info["dreamlayer"]) == RECIPE


@pytest.mark.parametrize(
    ("mode", "name", "kept", "word"),
    [
        ("RGBA", "out.jpg", "RGB", "transparency"),
        ("LA", "out.jpg", "L", "transparency"),
        ("RGBA", "out.bmp", "RGB", "transparency"),
        ("I;16", "out.jpg", "L", "8 bits"),
        ("I;16", "out.webp", "RGB", "8 bits"),
        ("LA", "out.webp", "RGBA", ""),
        ("L", "out.webp", "RGB", ""),
        ("L", "out.bmp", "L", ""),
    ],
)
def test_what_a_format_cannot_store_is_converted_with_a_note(
    tmp_path: Path, mode: str, name: str, kept: str, word: str
) -> None:
    source = ImageFile(gradient(mode))
    notes = Output(tmp_path / name, source, []).notes
    assert word in " ".join(notes)
    assert bool(notes) == bool(word)
    write(tmp_path / name, source.image, source, RECIPE)
    with Image.open(tmp_path / name) as written:
        assert written.mode == kept


def test_transparent_parts_become_white_in_a_jpeg(tmp_path: Path) -> None:
    image = Image.new("RGBA", (8, 8), (10, 20, 30, 0))
    write(tmp_path / "out.jpg", image, ImageFile(image), RECIPE)
    with Image.open(tmp_path / "out.jpg") as written:
        assert written.getpixel((4, 4)) == (255, 255, 255)


def test_16_bits_become_8_by_scaling(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16))
    write(tmp_path / "out.bmp", image, ImageFile(image), RECIPE)
    with Image.open(tmp_path / "out.bmp") as written:
        assert list(written.tobytes()) == [0, 0, 1, 1, 128, 255]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.png"
    output.write_bytes(b"the old one")

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(FileError, match="No space left"):
        write(output, gradient("RGB"), ImageFile(gradient("RGB")), RECIPE)
    assert output.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [output]


def test_writing_to_a_link_keeps_the_link(tmp_path: Path) -> None:
    (tmp_path / "real.png").touch()
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    write(tmp_path / "link.png", gradient("RGB"), ImageFile(gradient("RGB")), RECIPE)
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "real.png").stat().st_size > 0


def test_a_picture_too_long_for_a_format_is_refused_before_dreaming(tmp_path: Path) -> None:
    source = ImageFile(Image.new("L", (16384, 1)))
    with pytest.raises(FileError, match="16383"):
        Output(tmp_path / "out.webp", source, [])


def test_a_picture_that_claims_to_be_gigantic_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, gradient("RGB"))
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 100_000, 100_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)
    with pytest.raises(FileError, match="too large"):
        reading.read(path)


def test_damaged_files_are_refused_with_one_sentence(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.effect_noise((64, 64), 50))
    whole = path.read_bytes()
    refused = 0
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        try:
            reading.read(path)
        except FileError as error:
            refused += 1
            assert str(error).endswith(".")
            assert "\n" not in str(error)
    assert refused > 10


def test_masks_of_all_kinds_are_read_as_grey(tmp_path: Path) -> None:
    for mode in ("L", "RGB", "RGBA", "1"):
        path = saved(tmp_path, Image.new(mode, (6, 5), "white"))
        mask = reading.read_mask(path, (6, 5)).image
        assert (mask.mode, mask.getextrema()) == ("L", (255, 255))
    deep = saved(tmp_path, Image.fromarray(np.full((5, 6), 32768, np.uint16)))
    assert reading.read_mask(deep, (6, 5)).image.getextrema() == (128, 128)
    with pytest.raises(FileError, match="6 × 5"):
        reading.read_mask(deep, (5, 6))


# Guides and recipes.


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "I;16"])
def test_a_guide_is_reduced_to_what_the_network_needs(tmp_path: Path, mode: str) -> None:
    guide = reading.read_guide(saved(tmp_path, gradient(mode, 1024, 600))).image
    assert (guide.mode, guide.size) == ("RGB", (512, 300))
    small = reading.read_guide(saved(tmp_path, gradient(mode))).image
    assert small.size == (40, 30)


def test_a_stored_recipe_is_read_back(tmp_path: Path) -> None:
    stored = StoredRecipe(RECIPE, Region(1, 2, 3, 4), mask=True, guide=True)
    write(tmp_path / "out.png", gradient("RGB"), ImageFile(gradient("RGB")), stored.to_dict())
    assert StoredRecipe.read(tmp_path / "out.png") == stored
    (tmp_path / "stored.json").write_text(json.dumps(stored.to_dict()))
    assert StoredRecipe.read(tmp_path / "stored.json") == stored
    (tmp_path / "recipe.json").write_text(json.dumps(RECIPE))  # as GIMP keeps it with a layer
    assert StoredRecipe.read(tmp_path / "recipe.json") == StoredRecipe(RECIPE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"), ("[" * 100_000, "not valid JSON"), ("7", "no recipe"),
        ("\udcff", "can't be read"),
        ('{"recipe": 7}', "damaged"), ('{"recipe": {}, "select": [1, 2, 3]}', "damaged"),
        ('{"recipe": {}, "select": [1, 2, 0, 4]}', "damaged"),
    ],
)  # fmt: skip
def test_an_invalid_recipe_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "recipe.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(FileError, match=words) as raised:
        StoredRecipe.read(path)
    assert str(raised.value).endswith(".")
    assert str(path) in str(raised.value)


def test_a_picture_without_a_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="contains no recipe"):
        StoredRecipe.read(saved(tmp_path, gradient("RGB")))
    for name in ("missing.png", "missing.json"):
        with pytest.raises(FileError, match="no file"):
            StoredRecipe.read(tmp_path / name)
