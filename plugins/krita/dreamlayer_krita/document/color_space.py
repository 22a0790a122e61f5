"""Krita's colour spaces: which the daemon takes as they are, and what the others travel as."""

from __future__ import annotations

import re
from typing import NamedTuple

SRGB = "sRGB-elle-V2-srgbtrc.icc"
SRGB_CURVE = r"(srgb|gray)-.*-srgbtrc\.icc|srgb built-in|srgb iec61966-2[.-]1"
LINEAR_CURVE = r"(srgb|gray)-.*-g10\.icc"


class ColorSpace(NamedTuple):
    """What Krita calls a colour space, e.g. ("RGBA", "U16", "sRGB-elle-V2-g10.icc")."""

    model: str
    depth: str
    profile: str

    @property
    def curve(self) -> str | None:
        """The transfer curve, or None if the daemon does not know these pixels."""
        if self.model not in ("RGBA", "GRAYA"):
            return None
        name = self.profile.lower()
        if re.fullmatch(SRGB_CURVE, name):
            return "srgb"
        return "linear" if re.fullmatch(LINEAR_CURVE, name) else None

    @property
    def order(self) -> str:
        """Krita's order of samples: whole numbers are stored blue first."""
        if self.model == "GRAYA":
            return "GA"
        return "BGRA" if self.depth in ("U8", "U16") else "RGBA"

    @property
    def wire(self) -> ColorSpace:
        """The colour space that the pixels are sent in: this one, or else linear light in floats.

        There a wide gamut's colours lie below 0 and above 1, and none is cut off: those that
        nothing is dreamed into come back as they were, CMYK's nearly so.
        """
        if self.curve:
            return self
        return LINEAR_GRAY if self.model == "GRAYA" else LINEAR


LINEAR = ColorSpace("RGBA", "F32", "sRGB-elle-V2-g10.icc")
LINEAR_GRAY = ColorSpace("GRAYA", "F32", "Gray-D50-elle-V2-g10.icc")


def space_of(node: object) -> ColorSpace:
    """The colour space of a layer."""
    return ColorSpace(node.colorModel(), node.colorDepth(), node.colorProfile())  # type: ignore[attr-defined]
