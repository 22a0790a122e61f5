"""What a shot goes on from after an interruption, in a small file beside its frames.

The frames alone are not enough: they have 8 bits a colour, and what is carried from frame to frame
has 16. The file is replaced after each frame, when that is in its place; so whenever the command
ends, the frame that the file names is there, and the next one is dreamed from the same numbers.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dreamlayer.compositing.overlay import Overlay
from dreamlayer.engine.image.planes import DETAIL_FORMAT, StoredPlane
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe

FORM = 1  # of the file


@dataclass(frozen=True)
class ShotState:
    """How far a shot is.

    Attributes:
        making: what the frames are made from and how (`fingerprint`).
        frame: the number of the last frame that is done.
        overlay: its dream; None if the next one doesn't need it.
    """

    making: str
    frame: int
    overlay: Overlay | None = None

    def save(self, path: Path) -> None:
        """Write it in place of the one before, or not at all; raises OSError."""
        header: dict[str, Any] = {"form": FORM, "making": self.making, "frame": self.frame}
        arrays: dict[str, Any] = {}
        detail = None if self.overlay is None else self.overlay.detail
        if self.overlay is not None and detail is not None:
            raw, layout = self.overlay.source
            header["layout"] = layout.to_dict()
            arrays = {"detail": detail.storage[0].numpy(), "source": np.ascontiguousarray(raw)}
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            with open(fresh, "wb") as file:
                np.savez(file, header=text, **arrays)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path, recipe: Recipe) -> ShotState | None:
        """The state in a file; None if there is none, or it is damaged.

        `recipe` is what the shot is dreamed with.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                header = json.loads(data["header"].tobytes())
                if header["form"] != FORM:
                    return None
                overlay = None
                if "detail" in data:
                    overlay = _overlay(data["detail"], data["source"], header["layout"], recipe)
                return cls(str(header["making"]), int(header["frame"]), overlay)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            return None


def fingerprint(values: Mapping[str, Any]) -> str:
    """A text that is another one for other values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _overlay(
    detail: np.ndarray, source: np.ndarray, layout: Mapping[str, Any], recipe: Recipe
) -> Overlay:
    plane = StoredPlane(torch.from_numpy(detail)[None], DETAIL_FORMAT)
    picture = Picture.of(layout)
    edges = picture.region.edges(picture.region)
    return Overlay(source, picture, plane, False, recipe, None, False, edges)
