"""Reads picture files with Pillow, as pixels that the daemon takes."""

from __future__ import annotations

import contextlib
import io
import os
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageCms, UnidentifiedImageError

from dreamlayer.files import memory, ppm, raw_pixels
from dreamlayer.files.containers.contents import Contents
from dreamlayer.files.containers.take_apart import take_apart
from dreamlayer.files.formats import recognise
from dreamlayer.files.metadata import Metadata
from dreamlayer.files.opening import PIXELS_MAX, FileError, InputFile, SplicedFile, reason
from dreamlayer.files.raw_pixels import Box, RawPixels
from dreamlink.picture import Picture, Region

GUIDE_SIDE = 512  # pixels of a guide's longer side; its features matter, not its details
BUFFER = 1 << 16
# One file at a time: while it is read, the whole process's warnings and error stream are silent.
_READING = threading.Lock()
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit is too low for large photographs

LAYOUTS = {"RGB": ("RGB", "U8"), "RGBA": ("RGBA", "U8"), "L": ("G", "U8"), "LA": ("GA", "U8"),
           "I;16": ("G", "U16")}  # fmt: skip
BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2}  # of a pixel in memory, by mode; 4 in others
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip


@dataclass
class ImageFile:
    """A picture read from a file.

    Attributes:
        image: upright, in one of the modes of `LAYOUTS`.
        metadata: what the file holds beside the pixels.
        notes: sentences about what is lost of the file.
        raw: the pixels where they lie in the file, if the image is large and not decoded yet.
        kind: Pillow's name of the file's format.
        page_note: a sentence about further pictures in the file, or "".
    """

    image: Image.Image
    metadata: Metadata = field(default_factory=Metadata)
    notes: list[str] = field(default_factory=list)
    page_note: str = ""
    raw: RawPixels | None = None
    kind: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.size

    def crop(self, box: Box) -> Image.Image:
        """A part of the image; of a large one, only that part is read if that can be done."""
        return self.image.crop(box) if self.raw is None else self.raw.crop(box)

    def layout(self, width: int, height: int) -> Picture:
        """The layout of the pixels of a part of this picture."""
        order, depth = LAYOUTS[self.image.mode]
        return Picture(width, height, depth, order)

    def pixels(self, region: Region) -> bytes:
        """The raw pixels of a part of this picture."""
        x, y, width, height = region
        return self.crop((x, y, x + width, y + height)).tobytes()


def read(
    path: Path, pixels_max: int = PIXELS_MAX, size: tuple[int, int] | None = None
) -> ImageFile:
    """The picture in a file.

    Colours that the daemon does not take are converted, with a note: palettes and CMYK to RGB,
    16-bit colour to 8 bits. 16-bit grey is kept. `pixels_max` is in megapixels; `size` is the
    size that the picture must have, if it is a mask.

    Raises:
        FileError: there is no such file, it can't be read, or it is too large.
    """
    with _READING, InputFile(path) as file, warnings.catch_warnings(), memory.told(path):
        warnings.simplefilter("ignore")  # Pillow's are about what is noted or refused here
        kind = recognise(file)
        contents = take_apart(file, kind)
        if contents.size is not None:
            _check_size(path, contents.size, "RGBA", pixels_max)
        image = _opened(file, contents, kind)
        metadata = _completed(contents.metadata, image)
        source = ImageFile(image, metadata, kind=kind)
        turn = metadata.orientation()
        upright = image.size if turn < 5 else image.size[::-1]
        if turn == 1 and size is None and image.width * image.height > raw_pixels.LARGE:
            source.raw = RawPixels.find(image, file)
            file.kept = source.raw is not None
        _check_size(path, image.size, image.mode, pixels_max, decoded=source.raw is None)
        _check_mask_size(path, upright, size)
        if contents.pictures > 1:
            source.page_note = (
                f"Only the first of the {contents.pictures} pictures in {path} is used."
            )
            source.notes.append(source.page_note)
        if _loses_depth(image):
            source.notes.append(f"{path} has 16 bits per colour, of which 8 are kept.")
        if source.raw is None:
            source.image = ppm.decode(image, file) if ppm.is_slow(image) else _decoded(image, path)
        del image
        if source.raw is None:
            convert(source, str(path))
        source.image.info = {}  # nothing of the file gets into another by itself
        if turn != 1:
            source.image = source.image.transpose(TURNS[turn])
        metadata.make_upright(*source.image.size, exchanged=turn >= 5)
        metadata.check_profile(source.image.mode)
    if metadata.damaged:
        parts = ", ".join(dict.fromkeys(metadata.damaged))
        source.notes.append(f"{path} is read without what is damaged in it: {parts}.")
    return source


def read_mask(path: Path, size: tuple[int, int], pixels_max: int = PIXELS_MAX) -> ImageFile:
    """A mask of the given width and height: its lightness times its opacity, in mode L.

    Raises FileError.
    """
    source = read(path, pixels_max, size)
    source.image = light(source.image)
    return source


def light(image: Image.Image) -> Image.Image:
    """The lightness of a picture in one of the modes of `LAYOUTS`, times its opacity: mode L."""
    image = eight_bits(image)
    grey = image.convert("L")
    if image.mode in ("RGBA", "LA"):
        grey = ImageChops.multiply(grey, image.getchannel("A"))
    return grey


def read_guide(path: Path, pixels_max: int = PIXELS_MAX) -> ImageFile:
    """A guide picture, in mode RGB, reduced to `GUIDE_SIDE`; raises FileError."""
    source = read(path, pixels_max)
    source.raw = None
    source.image = as_guide(source.image)
    return source


def as_guide(image: Image.Image) -> Image.Image:
    """A picture in one of the modes of `LAYOUTS` as a guide: RGB, reduced to `GUIDE_SIDE`."""
    guide = on_white(eight_bits(image)).convert("RGB")
    guide.thumbnail((GUIDE_SIDE, GUIDE_SIDE), Image.Resampling.LANCZOS)
    return guide


def on_white(image: Image.Image) -> Image.Image:
    """A picture without transparency: transparent parts become white."""
    if image.mode not in ("RGBA", "LA"):
        return image
    white = Image.new("RGBA", image.size, "white")
    flat = Image.alpha_composite(white, image.convert("RGBA"))
    return flat.convert("L" if image.mode == "LA" else "RGB")


def eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit grey; Pillow's own conversion would clip it at 255."""
    if image.mode != "I;16":
        return image
    return Image.fromarray(((np.asarray(image, np.uint32) + 128) // 257).astype(np.uint8))


def _opened(file: InputFile, contents: Contents, kind: str) -> Image.Image:
    """The picture, not decoded yet."""
    stream = io.BufferedReader(SplicedFile(file, contents.parts), BUFFER)
    try:
        with _silence():
            image = Image.open(stream, formats=[kind])
        # Without a name, Pillow would take it and the result for one file, and copy its pixels.
        image.filename = str(file.path)
        return image
    except MemoryError:
        raise
    except UnidentifiedImageError as error:
        raise FileError(f"{file.path} is damaged: it is no whole {kind} file.") from error
    except Exception as error:  # decoders raise many kinds for damaged files
        raise _damaged(file.path, error) from error


def _decoded(image: Image.Image, path: Path) -> Image.Image:
    try:
        with _silence():
            image.load()
    except MemoryError:
        raise
    except Exception as error:  # decoders raise many kinds for damaged files
        raise _damaged(path, error) from error
    return image


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Nothing of what libtiff prints about a damaged file, past Python, is seen by the user."""
    try:
        shown = os.dup(2)
    except OSError:  # there is no error stream
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(shown, 2)
        os.close(shown)


def _damaged(path: Path, error: Exception) -> Exception:
    """What a decoder's error means."""
    text = reason(error)
    if "out of memory" in text.lower() or "insufficient memory" in text.lower():
        return MemoryError()
    return FileError(f"{path} is damaged: {text}.")


def _completed(metadata: Metadata, image: Image.Image) -> Metadata:
    """The metadata, with what only the decoder finds in formats that are not taken apart."""
    if image.format in ("AVIF", "JPEG2000", "BMP"):
        exif, xmp = image.info.get("exif"), image.info.get("xmp")
        if isinstance(exif, bytes):
            metadata.read_exif(exif)
        metadata.xmp = xmp if isinstance(xmp, bytes) else None
        metadata.profile = image.info.get("icc_profile") or None
        try:
            across, down = (float(value) for value in image.info["dpi"])
            metadata.dpi = (across, down)
        except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
            metadata.dpi = None
    metadata.resolution()
    return metadata


def _check_size(
    path: Path, size: tuple[int, int], mode: str, pixels_max: int, *, decoded: bool = True
) -> None:
    pixels = size[0] * size[1]
    if pixels > pixels_max * 1_000_000:
        raise FileError(
            f"{path} is too large: {size[0]} × {size[1]} pixels, and at most {pixels_max}"
            " megapixels are read; --pixels-max changes that."
        )
    if decoded:
        memory.check(path, pixels * BYTES.get(mode, 4))


def _check_mask_size(path: Path, size: tuple[int, int], wanted: tuple[int, int] | None) -> None:
    """Before a mask is decoded, which may be far larger than the picture."""
    if wanted is not None and size != wanted:
        raise FileError(
            f"The mask {path} has {size[0]} × {size[1]} pixels, but the picture has {wanted[0]} ×"
            f" {wanted[1]}: they must have the same size."
        )


def convert(source: ImageFile, path: str) -> None:
    """Convert the image to one of the modes of `LAYOUTS`, without a copy where it is in one.

    `path` is what notes and errors call it. Raises FileError.
    """
    image = source.image
    mode = image.mode
    if mode.startswith("I;16") or (mode == "I" and image.format == "PPM"):
        if mode != "I;16":
            source.image = Image.fromarray(np.asarray(image).astype("<u2"))
    elif mode in ("I", "F"):
        raise FileError(f"{path} has 32 bits per colour: save it with 8 or 16 bits first.")
    elif mode in ("CMYK", "LAB", "YCbCr", "HSV"):
        source.image, source.metadata.profile = _to_srgb(image, source.metadata.profile)
        source.notes.append(f"{path} is {mode}: it is dreamed on and saved as RGB.")
    elif image.has_transparency_data:
        if mode in ("1", "L", "La", "LA"):
            source.image = image if mode == "LA" else image.convert("RGBA").convert("LA")
        else:
            source.image = image if mode == "RGBA" else image.convert("RGBA")
    else:
        wanted = "L" if mode in ("1", "L") else "RGB"
        source.image = image if mode == wanted else image.convert(wanted)
    if mode in ("P", "PA"):
        source.notes.append(f"{path} has a palette: it is dreamed on and saved as RGB.")


def _to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, bytes | None]:
    """The picture in sRGB, converted by its profile if that is usable, and its new profile."""
    if profile and image.mode in ("CMYK", "LAB"):
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        try:
            converted = ImageCms.profileToProfile(
                image, io.BytesIO(profile), srgb, outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError):
            converted = None
        if converted is not None:
            return converted, srgb.tobytes()
    return image.convert("RGB"), None


def _loses_depth(image: Image.Image) -> bool:
    """Whether Pillow reads this file's 16-bit colours with 8 bits."""
    if image.mode.startswith("I"):
        return False
    tiles = getattr(image, "tile", [])  # tells how the decoder unpacks the samples
    return any(";16" in str(tile[3]) or _deep_ppm(tile) for tile in tiles)


def _deep_ppm(tile: tuple[object, ...]) -> bool:
    """Whether a PPM's samples have more levels than a byte: its decoder is told the highest."""
    codec, arguments = tile[0], tile[3]
    highest = arguments[-1] if isinstance(arguments, tuple) else 0
    return str(codec).startswith("ppm") and isinstance(highest, int) and highest > 255
