"""The sheet of `dreamlayer see`: the strongest channels and kinds.

Each is a heat map, with a picture of what it answers to in the corner.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from dreamlayer.files.opening import FileError, reason

if TYPE_CHECKING:
    from dreamlink.picture import Region
    from dreamlink.wire.seeing import Seen, SeenRow

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
COLUMNS = 5
WIDTH = 240  # px of a picture
HEIGHT_MAX = 360  # px of a picture
LABEL = 40  # px, two lines
GAP = 8  # px
TITLE = 32  # px
TEXT = 13  # px
DARK = 0.25  # of the picture's light where nothing answers
INK, PAPER = (30, 30, 30), (250, 250, 250)
GLOW = (255, 150, 30)  # over the picture, where the answer is strong
GLOWING = 0.35
FRAME = 2  # px around a thumbnail


def check(path: Path, picture: Path, *, overwrite: bool) -> None:
    """Raise FileError if the sheet can't be written to `path`, before anything is computed."""
    if path.suffix.lower() not in SUFFIXES:
        raise FileError(f"{path} can't be written: its name must end in {', '.join(SUFFIXES)}.")
    if not path.parent.is_dir():
        raise FileError(f"{path} can't be written: there is no folder {path.parent}.")
    if path.exists() and picture.exists() and path.samefile(picture):
        raise FileError(f"{path} is the picture itself: name another file for the sheet.")
    if path.exists() and not overwrite:
        raise FileError(f"{path} exists: name another file, or add --overwrite.")


def write(path: Path, picture: Image.Image, region: Region, seen: Seen) -> None:
    """Draw the sheet and save it, complete or not at all; raises FileError.

    Args:
        picture: what the daemon was sent, mode RGB or RGBA.
        region: the part of it that was asked about.
        seen: its answer.
    """
    sheet = drawn(picture.convert("RGB"), region, seen)
    fresh = path.with_name(f".see-{secrets.token_hex(8)}{path.suffix}")
    try:
        sheet.save(fresh, quality=90)
        fresh.replace(path)
    except OSError as error:
        raise FileError(f"{path} can't be written: {reason(error)}.") from error
    finally:
        fresh.unlink(missing_ok=True)


def drawn(picture: Image.Image, region: Region, seen: Seen) -> Image.Image:
    """The sheet: the picture and what it is taken for, then kinds, channels and layers."""
    scale = min(WIDTH / picture.width, HEIGHT_MAX / picture.height)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    small = picture.resize((width, height), Image.Resampling.LANCZOS)
    rows = -(-len(seen.channels) // COLUMNS) + bool(seen.kinds) + 2
    size = (GAP + COLUMNS * (WIDTH + GAP), 5 * TITLE + rows * (height + LABEL + GAP))
    sheet = Image.new("RGB", size, PAPER)
    framed = small.copy()
    if region[2:] != picture.size:
        edges = (region.x, region.y, region.x + region.width, region.y + region.height)
        box = [min(int(edge * scale), small.size[i % 2] - 1) for i, edge in enumerate(edges)]
        ImageDraw.Draw(framed).rectangle(box, outline=GLOW, width=2)
    top = _section(sheet, 0, "", [(framed, ["what is looked at"])])
    text = "\n".join(f"{row.name}  {row.probability:.0%}" for row in seen.classes)
    place = (2 * GAP + WIDTH, TITLE)
    ImageDraw.Draw(sheet).multiline_text(place, text, INK, _font(), spacing=6)
    for title, listed in (
        ("Kinds of things", seen.kinds[:COLUMNS]),
        ("Channels", seen.channels),
        ("Layers", seen.layers[:COLUMNS]),
    ):
        cells = [(_pictured(small, row, seen), _label(row)) for row in listed]
        top = _section(sheet, top, title, cells)
    return sheet.crop((0, 0, size[0], top + GAP))


def _pictured(small: Image.Image, row: SeenRow, seen: Seen) -> Image.Image:
    """The heat map, with the row's thumbnail in the corner if there is one."""
    heated = _heated(small, row, seen.heat_size)
    side = seen.thumbnail_side
    if row.thumbnail and min(heated.size) > 2 * side:
        frame = Image.new("RGB", (side + 2 * FRAME, side + 2 * FRAME), PAPER)
        frame.paste(Image.frombytes("RGB", (side, side), row.thumbnail), (FRAME, FRAME))
        heated.paste(frame, (heated.width - frame.width, heated.height - frame.height))
    return heated


def _heated(small: Image.Image, row: SeenRow, size: tuple[int, int]) -> Image.Image:
    """The picture, dark where nothing answers and glowing where the answer is strongest."""
    heat = Image.frombytes("L", size, row.heat).resize(small.size, Image.Resampling.BICUBIC)
    dark = Image.blend(Image.new("RGB", small.size), small, DARK)
    bright = Image.blend(small, Image.new("RGB", small.size, GLOW), GLOWING)
    half = heat.point([min(255, 2 * level) for level in range(256)])
    rest = heat.point([max(0, 2 * level - 255) for level in range(256)])
    return Image.composite(bright, Image.composite(small, dark, half), rest)


def _label(row: SeenRow) -> list[str]:
    model, _, rest = row.address.partition("/")
    return [f"{rest}   {row.score:+.2f}", model]


def _section(
    sheet: Image.Image, top: int, title: str, cells: list[tuple[Image.Image, list[str]]]
) -> int:
    """Draw pictures with their labels under a title; returns where the next section begins."""
    if not cells:
        return top
    draw, font = ImageDraw.Draw(sheet), _font()
    draw.text((GAP, top + GAP), title, INK, _font(bold=True))
    top += TITLE
    step = cells[0][0].height + LABEL + GAP
    for number, (image, label) in enumerate(cells):
        left, upper = GAP + number % COLUMNS * (WIDTH + GAP), top + number // COLUMNS * step
        sheet.paste(image, (left, upper))
        for line, text in enumerate(label):
            draw.text((left, upper + image.height + 2 + 17 * line), text, INK, font)
    return top + -(-len(cells) // COLUMNS) * step


def _font(*, bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(TEXT + 4 if bold else TEXT)
