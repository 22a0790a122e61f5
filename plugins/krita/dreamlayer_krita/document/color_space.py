"""Krita's colour spaces, and the ones in which pixels are sent to the daemon."""

from __future__ import annotations

import re
from typing import NamedTuple

SRGB = "sRGB-elle-V2-srgbtrc.icc"
SRGB_CURVE = r"(srgb|gray)-.*-srgbtrc\.icc|srgb built-in|srgb iec61966-2[.-]1"
LINEAR_CURVE = r"(srgb|gray)-.*-g10\.icc"


class ColorSpace(NamedTuple):
    """A colour space in Krita's terms, e.g. ("RGBA", "U16", "sRGB-elle-V2-g10.icc")."""

    model: str
    depth: str
    profile: str

    @property
    def curve(self) -> str | None:
        """The transfer curve, or None if the daemon does not support this colour space."""
        if self.model not in ("RGBA", "GRAYA"):
            return None
        name = self.profile.lower()
        if re.fullmatch(SRGB_CURVE, name):
            return "srgb"
        return "linear" if re.fullmatch(LINEAR_CURVE, name) else None

    @property
    def order(self) -> str:
        """Krita's order of samples; integer RGBA is stored blue first."""
        if self.model == "GRAYA":
            return "GA"
        return "BGRA" if self.depth in ("U8", "U16") else "RGBA"

    @property
    def wire(self) -> ColorSpace:
        """The colour space for sending: this one if the daemon supports it, else linear floats.

        In floats the colours of a wide gamut lie below 0 and above 1 and none is clipped, so
        colours that the dream does not change come back unchanged (those of CMYK almost).
        """
        if self.curve:
            return self
        return LINEAR_GRAY if self.model == "GRAYA" else LINEAR


COLOURS = ColorSpace("RGBA", "U8", SRGB)
LINEAR = ColorSpace("RGBA", "F32", "sRGB-elle-V2-g10.icc")
LINEAR_GRAY = ColorSpace("GRAYA", "F32", "Gray-D50-elle-V2-g10.icc")


def space_of(node: object) -> ColorSpace:
    """The colour space of a layer."""
    return ColorSpace(node.colorModel(), node.colorDepth(), node.colorProfile())  # type: ignore[attr-defined]
