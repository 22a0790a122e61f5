"""Thumbnails of networks that are not embedded: made on this computer, and kept.

A file for each, `FOLDER/NETWORK/LAYER/CHANNEL.webp`; that of the whole layer is `whole.webp`. They
are kept in the user's Dreamlayer folder until the network is removed.
"""

from __future__ import annotations

import io
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamlayer.thumbnails.sheets import ACROSS, SIDE

WHOLE = "whole"
QUALITY = 85  # of a single picture, which becomes part of a sheet
SHEET_QUALITY = 80
GREY = 128
PLAIN = 4.0  # of 255: the standard deviation below which a picture shows nothing
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class OwnThumbnails:
    """Thumbnails in a folder, which need not exist."""

    folder: Path

    def find(self, model: str, layer: str, channel: int | None) -> Pixels | None:
        """The picture (SIDE, SIDE, 3) of a channel, or of the whole layer; None if not made."""
        try:
            with Image.open(self._path(model, layer, channel)) as image:
                pixels = np.asarray(image.convert("RGB"))
        except OSError:  # missing, or damaged: then it is made again
            return None
        return pixels if pixels.shape == (SIDE, SIDE, 3) else None

    def save(self, model: str, layer: str, channel: int | None, picture: Image.Image) -> None:
        """Keep a picture of any size, complete or not at all. Raises OSError."""
        path = self._path(model, layer, channel)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{secrets.token_hex(8)}.webp")
        try:
            small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            small.save(fresh, quality=QUALITY)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)

    def layers(self, model: str) -> list[str]:
        """The layers of which there is any picture."""
        folder = self.folder / model
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def sheet(self, model: str, layer: str, channels: int) -> tuple[bytes, list[int]]:
        """A WebP sheet of a layer's channels in their order, and those that it shows.

        Left out are those that were not made, and those whose picture shows nothing.
        """
        made = {number: self.find(model, layer, number) for number in range(channels)}
        squares = {
            number: pixels
            for number, pixels in made.items()
            if pixels is not None and pixels.std() >= PLAIN
        }
        return sheet_of(squares, channels), list(squares)

    def forget(self, model: str) -> None:
        """Delete the pictures of a network, whose weights are no longer those that they are of."""
        shutil.rmtree(self.folder / model, ignore_errors=True)

    def _path(self, model: str, layer: str, channel: int | None) -> Path:
        name = WHOLE if channel is None else str(channel)
        return self.folder / model / layer / f"{name}.webp"


def sheet_of(squares: dict[int, Pixels], places: int) -> bytes:
    """A WebP of squares (SIDE, SIDE, 3) at their places, `ACROSS` in a row; others are grey."""
    rows = max(1, -(-places // ACROSS))
    grid = np.full((rows, SIDE, ACROSS, SIDE, 3), GREY, np.uint8)
    for number, pixels in squares.items():
        row, column = divmod(number, ACROSS)
        grid[row, :, column] = pixels
    written = io.BytesIO()
    picture = Image.fromarray(grid.reshape(rows * SIDE, ACROSS * SIDE, 3))
    picture.save(written, "WEBP", quality=SHEET_QUALITY)
    return written.getvalue()
