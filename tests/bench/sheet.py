"""A contact sheet: pictures in labelled rows and columns."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

WIDTH = 240  # px of a column, unless told otherwise
LABEL = 20  # px
GAP = 6  # px


class Sheet:
    """Put pictures in; `save` lays them out in the order in which rows and columns were named."""

    def __init__(self, width: int = WIDTH) -> None:
        self._width = width
        self._cells: dict[tuple[str, str], Image.Image] = {}
        self._labels: dict[tuple[str, str], str] = {}

    def put(self, row: str, column: str, picture: Tensor, label: str | None = None) -> None:
        """Keep a small copy of a picture (1, 3, H, W) in 0..1; its label is "row · column"."""
        self._labels[row, column] = label or f"{row} · {column}"
        pixels = (picture[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        image = Image.fromarray(pixels)
        height = round(image.height * self._width / image.width)
        self._cells[row, column] = image.resize((self._width, height), Image.Resampling.LANCZOS)

    def save(self, path: Path) -> None:
        """Write the sheet; the suffix says in which format."""
        rows = list(dict.fromkeys(row for row, _ in self._cells))
        columns = list(dict.fromkeys(column for _, column in self._cells))
        heights = [
            max(image.height for (name, _), image in self._cells.items() if name == row)
            for row in rows
        ]
        size = (
            GAP + len(columns) * (self._width + GAP),
            GAP + sum(height + LABEL + GAP for height in heights),
        )
        sheet = Image.new("RGB", size, "white")
        draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
        top = GAP
        for row, height in zip(rows, heights, strict=True):
            for number, column in enumerate(columns):
                left = GAP + number * (self._width + GAP)
                if (row, column) in self._cells:
                    draw.text((left, top + 2), self._labels[row, column], "black", font)
                    sheet.paste(self._cells[row, column], (left, top + LABEL))
            top += height + LABEL + GAP
        sheet.save(path, quality=90)
