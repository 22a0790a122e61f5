"""What came with a request: its frames as pictures, mask, strength and guide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from dreamlayer.compositing import pixels
from dreamlayer.compositing.blend import LUMINANCE
from dreamlayer.compositing.zoom import zoom_pixels
from dreamlayer.engine.image.planes import read_all
from dreamlayer.studio.source import Source
from dreamlink.picture import Picture
from dreamlink.wire.messages import DreamRequest, Frame

RUN = 1 << 19  # pixels that are worked on at a time


@dataclass(frozen=True)
class Given:
    """The frames of a request.

    Attributes:
        raw: (H, W, samples), the picture, enlarged if that was asked for.
        mask: (h, w) of the region, 255 = selected, or None: all is.
        strength: (h, w) of the region, 255 = dream fully, or None: everywhere.
        guide: (1, 3, h, w), R, G, B in 0..1.
    """

    raw: pixels.Raw
    mask: pixels.Mask | None
    strength: pixels.Mask | None
    guide: Tensor | None

    def weights(self) -> pixels.Mask | None:
        """How much each pixel of the region counts: mask times strength, 0 where one of them is.

        Raises ValueError if that is nowhere, with a sentence for the user.
        """
        if self.mask is None or self.strength is None:
            return self.strength if self.mask is None else self.mask
        both = np.empty(self.mask.shape, np.uint8)
        for rows in _runs(both):
            product = self.mask[rows].astype(np.uint16) * self.strength[rows]
            both[rows] = (product + 254) // 255
        if not both.any():
            raise ValueError("The selection and the strength map have nothing in common.")
        return both


def given(request: DreamRequest, frames: Sequence[Frame]) -> Given:
    """The frames of a request.

    Raises:
        ValueError: there is nothing to dream in; with a sentence for the user.
    """
    rest = iter(frames)
    raw = pixels.view(next(rest), request.picture)
    if request.zoom > 1.0:
        raw = zoom_pixels(raw, request.picture, request.zoom, request.recipe.wrap)
    mask = strength = guide = None
    if request.mask:
        mask = pixels.view_mask(next(rest), request.region.height, request.region.width)
        if not mask.any():
            raise ValueError("Nothing is selected there: the mask is black all over.")
    if request.strength:
        strength = light(pixels.view(next(rest), request.strength), request.strength)
        if not strength.any():
            raise ValueError(
                "The strength map is black or transparent all over: nothing would be dreamed."
            )
    if request.guide:
        guide = read_all(Source(pixels.view(next(rest), request.guide), request.guide))
    return Given(raw, mask, strength, guide)


def light(raw: pixels.Raw, picture: Picture) -> pixels.Mask:
    """How light each pixel (h, w) is to the eye, times its opacity, in 255ths.

    Of one grey sample of 8 bits a pixel, as selections and masks are, it is that itself.
    """
    if (picture.depth, picture.order, picture.curve) == ("U8", "G", "srgb"):
        return raw[..., 0]
    found = np.empty(raw.shape[:2], np.uint8)
    for rows in _runs(found):
        colours = pixels.for_network(pixels.read_colours(raw[rows], picture))
        grey = sum(plane * weight for plane, weight in zip(colours, LUMINANCE[0], strict=True))
        opacity = pixels.read_alpha(raw[rows], picture)
        found[rows] = np.rint(grey * 255 if opacity is None else grey * opacity * 255)
    return found


def _runs(mask: pixels.Mask) -> Iterator[slice]:
    """Some rows at a time."""
    height, width = mask.shape
    rows = max(1, RUN // width)
    return (slice(top, top + rows) for top in range(0, height, rows))
