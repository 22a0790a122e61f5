"""The layout in which a drawable's pixels are sent: lossless, in its own colour space and curve."""

from __future__ import annotations

from typing import Any

from gi.repository import Babl

from dreamlink.picture import Picture, Region

KINDS = {"u8": "U8", "u16": "U16", "float": "F32"}  # babl's name of a sample → the link's


def layout(image: Any, drawable: Any, area: Region) -> tuple[Picture, str]:
    """The layout of an area's pixels, with alpha, and the name of babl's format for it.

    Neither curve nor primaries are converted on the way out and back, so wide gamuts, values
    outside 0 to 1 and the last bit survive. 8 and 16 bits are sent as they are, others as floats.
    """
    own = drawable.get_format()
    model, kind = Babl.get_name(own).split(" ", 1)  # e.g. "R~G~B~A", "u16-space-…"
    kind = kind.split("-")[0]
    kind = kind if kind in KINDS else "float"
    mark, gray = curve(drawable), model.startswith("Y")
    form = "".join(letter + mark for letter in ("Y" if gray else "RGB")) + f"A {kind}"
    linear = not mark or (mark == "'" and image.get_effective_color_profile().is_linear())
    picture = Picture(
        area.width,
        area.height,
        KINDS[kind],
        "GA" if gray else "RGBA",
        "linear" if linear else "srgb",
    )
    name: str = Babl.get_name(Babl.format_with_space(form, Babl.format_get_space(own)))
    return picture, name


def curve(drawable: Any) -> str:
    """Babl's mark for a drawable's curve: "'" its colour space's own, "~" sRGB's, "" linear."""
    model: str = Babl.get_name(drawable.get_format()).split(" ")[0]
    return model[1] if model[1:2] in ("'", "~") else ""
