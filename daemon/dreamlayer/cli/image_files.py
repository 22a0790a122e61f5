"""Reads picture files with Pillow, as pixels that the daemon takes, and writes results."""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from dreamlink.picture import Picture

MAX_PIXELS = 1 << 30  # a picture that claims more is damaged, or made to fill the memory
TEXT = "dreamlayer"  # the name of a PNG's text chunk
GUIDE_SIDE = 512  # pixels of a guide's longer side; its features matter, not its details
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit is too low for large photographs

LAYOUTS = {"RGB": ("RGB", "U8"), "RGBA": ("RGBA", "U8"), "L": ("G", "U8"), "LA": ("GA", "U8"),
           "I;16": ("G", "U16")}  # fmt: skip


@dataclass(frozen=True)
class FileFormat:
    """What a file format can store, and Pillow's options for writing it."""

    name: str
    side: int  # longest side, in pixels
    modes: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


_PNG = FileFormat("PNG", 2**31 - 1, tuple(LAYOUTS))
_TIFF = FileFormat("TIFF", 2**31 - 1, tuple(LAYOUTS), {"compression": "tiff_deflate"})
_JPEG = FileFormat("JPEG", 65500, ("RGB", "L"), {"quality": 95, "subsampling": 0})
_WEBP = FileFormat("WEBP", 16383, ("RGB", "RGBA"), {"lossless": True})
_BMP = FileFormat("BMP", 2**31 - 1, ("RGB", "L"))
FORMATS = {".png": _PNG, ".tif": _TIFF, ".tiff": _TIFF, ".jpg": _JPEG, ".jpeg": _JPEG,
           ".webp": _WEBP, ".bmp": _BMP}  # fmt: skip


class FileError(ValueError):
    """A picture that can't be read or written; the text is one sentence for the user."""


@dataclass
class ImageFile:
    """A picture read from a file.

    Attributes:
        image: upright, in one of the modes of `LAYOUTS`.
        profile: its colour profile (ICC), or None.
        dpi: its resolution, or None.
        notes: sentences about what is lost of the file.
    """

    image: Image.Image
    profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    notes: list[str] = field(default_factory=list)

    def layout(self, width: int, height: int) -> Picture:
        """The layout of the pixels of a part of this picture."""
        order, depth = LAYOUTS[self.image.mode]
        return Picture(width, height, depth, order)


def read(path: Path) -> ImageFile:
    """The picture in a file.

    Colours that the daemon does not take are converted, with a note: palettes and CMYK to RGB,
    16-bit colour to 8 bits. 16-bit grey is kept.

    Raises:
        FileError: there is no such file, or it can't be read.
    """
    image = _open(path)
    source = ImageFile(image, image.info.get("icc_profile"), _dpi(image))
    count = getattr(image, "n_frames", 1)
    if count > 1:
        source.notes.append(f"Only the first of the {count} pictures in {path} is used.")
    if _loses_depth(image):
        source.notes.append(f"{path} has 16 bits per colour, of which 8 are kept.")
    try:
        image.load()
        image = ImageOps.exif_transpose(image)
    except Exception as error:  # decoders raise many kinds for damaged files
        raise FileError(f"{path} is damaged: {_reason(error)}.") from error
    _convert(image, source, path)
    return source


def read_mask(path: Path, size: tuple[int, int]) -> Image.Image:
    """A mask (mode L) of the given width and height; raises FileError."""
    source = read(path)
    if source.image.size != size:
        raise FileError(
            f"The mask {path} has {source.image.width} × {source.image.height} pixels, but the"
            f" picture has {size[0]} × {size[1]}: they must have the same size."
        )
    return _eight_bits(source.image).convert("L")


def read_guide(path: Path) -> Image.Image:
    """A guide picture (mode RGB), reduced to `GUIDE_SIDE`; raises FileError."""
    image = _fitting(read(path).image, _JPEG).convert("RGB")
    image.thumbnail((GUIDE_SIDE, GUIDE_SIDE), Image.Resampling.LANCZOS)
    return image


def read_recipe(path: Path) -> object:
    """The JSON in a PNG's text chunk "dreamlayer", or in a .json file.

    Raises FileError.
    """
    if path.suffix.lower() == ".json":
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise FileError(f"There is no file {path}.") from error
        except (OSError, ValueError) as error:
            raise FileError(f"{path} can't be read: {_reason(error)}.") from error
    else:
        text = _open(path).info.get(TEXT, "")
        if not text:
            raise FileError(
                f"{path} contains no recipe; only a .png written by dreamlayer dream does."
            )
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileError(f"The recipe in {path} is not valid JSON: {_reason(error)}.") from error


def check_output(path: Path, source: ImageFile) -> None:
    """Check before dreaming that the result can be saved; raises FileError.

    Adds to the source's notes what the format can't store.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise FileError(
            f"{path} can't be written: its name must end in one of {', '.join(FORMATS)}."
        )
    if path.is_dir():
        raise FileError(f"{path} can't be written: it is a folder.")
    if not path.parent.is_dir():
        raise FileError(f"{path} can't be written: there is no folder {path.parent}.")
    if not os.access(path.parent, os.W_OK):
        raise FileError(f"{path} can't be written: the folder {path.parent} is write-protected.")
    if max(source.image.size) > kind.side:
        raise FileError(
            f"{path} can't be written: {kind.name} allows at most {kind.side} pixels per side."
        )
    mode = source.image.mode
    if mode == "I;16" and mode not in kind.modes:
        source.notes.append(f"{kind.name} has 8 bits per colour: the other 8 are lost.")
    if mode in ("RGBA", "LA") and "RGBA" not in kind.modes:
        source.notes.append(f"{kind.name} has no transparency: transparent parts become white.")


def write(path: Path, image: Image.Image, source: ImageFile, recipe: Mapping[str, Any]) -> None:
    """Save `image` with the profile and resolution of `source`, completely or not at all.

    In a PNG, `recipe` is stored as JSON in the text chunk "dreamlayer". Raises FileError.
    """
    kind = FORMATS[path.suffix.lower()]
    options = dict(kind.options)
    if source.profile:
        options["icc_profile"] = source.profile
    if source.dpi:
        options["dpi"] = source.dpi
    if kind is _PNG:
        text = PngInfo()
        text.add_text(TEXT, json.dumps(recipe))
        options["pnginfo"] = text
    target = Path(os.path.realpath(path))  # write to a link's target, so that the link remains
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with fresh.open("xb") as file:
            _fitting(image, kind).save(file, kind.name, **options)
        fresh.replace(target)
    except (OSError, ValueError) as error:
        raise FileError(f"{path} can't be written: {_reason(error)}.") from error
    finally:
        fresh.unlink(missing_ok=True)


def _open(path: Path) -> Image.Image:
    try:
        image = Image.open(path)
    except FileNotFoundError as error:
        raise FileError(f"There is no file {path}.") from error
    except UnidentifiedImageError as error:
        raise FileError(f"{path} is not a picture that Dreamlayer can read.") from error
    except Exception as error:  # decoders raise many kinds for damaged files
        raise FileError(f"{path} can't be read: {_reason(error)}.") from error
    if image.width * image.height > MAX_PIXELS:
        raise FileError(f"{path} is too large: {image.width} × {image.height} pixels.")
    return image


def _convert(image: Image.Image, source: ImageFile, path: Path) -> None:
    """Convert `image` to one of the modes of `LAYOUTS` and put it into `source`."""
    mode = image.mode
    if mode in ("I", "F"):
        raise FileError(f"{path} has 32 bits per colour: save it with 8 or 16 bits first.")
    if mode.startswith("I;16"):
        source.image = Image.fromarray(np.asarray(image).astype("<u2"))
    elif mode in ("CMYK", "LAB", "YCbCr", "HSV"):
        source.image, source.profile = _to_srgb(image, source.profile)
        source.notes.append(f"{path} is {mode}: it is dreamed on and saved as RGB.")
    elif image.has_transparency_data:
        grey = mode in ("1", "L", "La", "LA")
        source.image = image.convert("RGBA").convert("LA") if grey else image.convert("RGBA")
    else:
        source.image = image.convert("L" if mode in ("1", "L") else "RGB")
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


def _fitting(image: Image.Image, kind: FileFormat) -> Image.Image:
    """`image` in a mode that the format can store."""
    if image.mode in kind.modes:
        return image
    if image.mode == "I;16":
        image = _eight_bits(image)
    elif image.mode in ("RGBA", "LA") and "RGBA" not in kind.modes:
        grey = image.mode == "LA"
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA")).convert("L" if grey else "RGB")
    if image.mode in kind.modes:
        return image
    return image.convert("RGBA" if image.mode == "LA" else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit grey; Pillow's own conversion would clip it at 255."""
    if image.mode != "I;16":
        return image
    return Image.fromarray(((np.asarray(image, np.uint32) + 128) // 257).astype(np.uint8))


def _loses_depth(image: Image.Image) -> bool:
    """Whether Pillow reads this file's 16-bit colours with 8 bits."""
    tiles = getattr(image, "tile", [])  # tells how the decoder unpacks the samples
    return not image.mode.startswith("I") and any(";16" in str(tile[3]) for tile in tiles)


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    try:
        x, y = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 0 < x < math.inf and 0 < y < math.inf else None


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (text or type(error).__name__).rstrip(".")
