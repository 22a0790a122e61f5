"""Writes a picture with its metadata, in the format that the file's name says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import IO, Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dreamlayer.files import formats, tags
from dreamlayer.files import metadata as meta
from dreamlayer.files.containers.png import XMP_KEYWORD
from dreamlayer.files.formats import BMP, JPEG, PNG, TIFF, FileFormat
from dreamlayer.files.metadata import Metadata
from dreamlayer.files.reading import eight_bits, on_white

RECIPE_KEYWORD = "dreamlayer"  # the name of a PNG's text chunk
SEGMENT = 65_000  # bytes of metadata that a segment of a JPEG holds, with what precedes them
JPEG_PROFILE = 255 * SEGMENT  # bytes of a profile, which is cut into segments
HEX_LINE = 72  # digits of a line, as ImageMagick writes them
OWN_KEYWORD = RECIPE_KEYWORD.encode() + b"\0"


def fitted(metadata: Metadata, kind: FileFormat, mode: str) -> tuple[Metadata, list[str]]:
    """What a format can hold of the metadata, and the names of what it can't.

    `mode` is the picture's in the file.
    """
    texts = [text for text in metadata.texts if not text[1].startswith(OWN_KEYWORD)]
    kept = Metadata(
        metadata.exif, metadata.xmp, metadata.iptc, metadata.profile, metadata.dpi, texts,
        metadata.comment,
    )  # fmt: skip
    dropped = []
    if kept.profile is not None and not meta.profile_fits(kept.profile, mode):
        kept.profile = None
        dropped.append(formats.PROFILE)
    for name, attribute in _ATTRIBUTES.items():
        value = getattr(kept, attribute)
        if value and not (
            name in kind.holds and (kind is not JPEG or _fits_jpeg(attribute, value))
        ):
            setattr(kept, attribute, [] if attribute == "texts" else None)
            dropped.append(name)
    return kept, dropped


_ATTRIBUTES = {
    formats.EXIF: "exif", formats.XMP: "xmp", formats.IPTC: "iptc", formats.PROFILE: "profile",
    formats.TEXTS: "texts", formats.COMMENT: "comment", formats.DPI: "dpi",
}  # fmt: skip


def _fits_jpeg(attribute: str, value: Any) -> bool:
    if attribute == "exif":
        return len(meta.exif_bytes(value)) <= SEGMENT
    if attribute == "profile":
        return len(value) <= JPEG_PROFILE
    return attribute == "dpi" or len(value) <= SEGMENT


def mode_in(mode: str, kind: FileFormat) -> str:
    """The mode in which a format stores a picture of a mode."""
    if mode in kind.modes:
        return mode
    if mode == "I;16":
        return mode_in("L", kind)
    if mode in ("RGBA", "LA") and "RGBA" not in kind.modes:
        return mode_in("L" if mode == "LA" else "RGB", kind)
    return "RGBA" if mode == "LA" else "RGB"


def encode(
    image: Image.Image,
    file: IO[bytes],
    kind: FileFormat,
    metadata: Metadata,
    recipe: Mapping[str, Any],
) -> None:
    """Write a picture into an open file; raises what Pillow raises.

    In a PNG, `recipe` is stored as JSON in the text chunk "dreamlayer".
    """
    kept, _dropped = fitted(metadata, kind, mode_in(image.mode, kind))
    options = {**kind.options, **_options(kept, kind)}
    if kind is PNG:
        options["pnginfo"] = _png_chunks(kept, recipe)
    _fitting(image, kind).save(file, kind.name, **options)
    if kind is TIFF:
        _add_tags(file, kept)


def _options(kept: Metadata, kind: FileFormat) -> dict[str, Any]:
    """Pillow's options for the metadata."""
    options: dict[str, Any] = {}
    if kept.profile is not None:
        options["icc_profile"] = kept.profile
    if kept.dpi is not None:
        options["dpi"] = kept.dpi
    if kind in (TIFF, BMP):
        return options
    if kept.exif is not None and (kept.exif.entries or kept.exif.below):
        exif = meta.exif_bytes(kept.exif)
        options["exif"] = meta.EXIF_MARK + exif if kind is JPEG else exif
    if kept.xmp is not None and kind is not PNG:
        options["xmp"] = kept.xmp
    if kind is JPEG:
        if kept.comment is not None:
            options["comment"] = kept.comment
        if kept.iptc is not None:
            data = meta.PHOTOSHOP_MARK + meta.resources(kept.iptc)
            options["extra"] = b"\xff\xed" + (len(data) + 2).to_bytes(2, "big") + data
    return options


def _png_chunks(kept: Metadata, recipe: Mapping[str, Any]) -> PngInfo:
    chunks = PngInfo()
    chunks.add_text(RECIPE_KEYWORD, json.dumps(recipe))
    if kept.xmp is not None:
        chunks.add(b"iTXt", XMP_KEYWORD + bytes(5) + kept.xmp)
    if kept.iptc is not None:
        chunks.add_text("Raw profile type iptc", _raw_profile(meta.resources(kept.iptc)), zip=True)
    if kept.comment is not None:
        chunks.add_text("Comment", _text(kept.comment))
    for name, data in kept.texts:
        chunks.add(name, data)
    return chunks


def _text(comment: bytes) -> str:
    """A comment, whose encoding no file names."""
    try:
        text = comment.decode("utf-8")
    except UnicodeDecodeError:
        text = comment.decode("latin-1")
    return text.replace("\0", " ").strip()


def _raw_profile(data: bytes) -> str:
    """Metadata as ImageMagick writes it into a PNG's text."""
    digits = data.hex()
    lines = (digits[i : i + HEX_LINE] for i in range(0, len(digits), HEX_LINE))
    return "\n".join(["", "iptc", f"{len(data):8d}", *lines, ""])


def _add_tags(file: IO[bytes], kept: Metadata) -> None:
    """Add the metadata to the tags of a TIFF that Pillow wrote, behind its pixels."""
    wanted = meta.entries_for_tiff(kept)

    def read(offset: int, length: int) -> bytes:
        file.seek(offset)
        return file.read(length)

    form, offset = tags.head(read(0, 16))
    page = tags.read(read, form, offset)
    wanted = wanted.written_in(form.order)
    page.entries = {**wanted.entries, **page.entries}
    page.below = wanted.below
    end = file.seek(0, 2)
    place = end + end % 2
    file.write(bytes(end % 2) + tags.packed(page, place))
    file.seek(0)
    file.write(tags.file_head(form, place))


def _fitting(image: Image.Image, kind: FileFormat) -> Image.Image:
    """`image` in a mode that the format can store."""
    wanted = mode_in(image.mode, kind)
    if image.mode == wanted:
        return image
    image = eight_bits(image)
    if wanted in ("RGB", "L"):
        image = on_white(image)
    return image if image.mode == wanted else image.convert(wanted)


def lost(metadata: Metadata, kind: FileFormat, mode: str) -> Iterator[str]:
    """Sentences about what a format can't store of a picture of a mode."""
    if mode == "I;16" and mode not in kind.modes:
        yield f"{kind.name} has 8 bits per colour: the other 8 are lost."
    if mode in ("RGBA", "LA") and "RGBA" not in kind.modes:
        yield f"{kind.name} has no transparency: transparent parts become white."
    _kept, dropped = fitted(metadata, kind, mode_in(mode, kind))
    if dropped:
        yield f"{kind.name} can't hold the picture's {', '.join(dropped)}: not kept."
