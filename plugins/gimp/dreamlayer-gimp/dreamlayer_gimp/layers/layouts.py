"""The layout in which a layer's pixels are sent: lossless, in its own colour space and curve."""

from __future__ import annotations

from typing import Any

from gi.repository import Babl

from dreamlink.picture import Picture, Region

KINDS = {"u8": "U8", "u16": "U16", "float": "F32"}  # babl's name of a sample → the link's


def layout(image: Any, own: str, area: Region) -> tuple[Picture, str]:
    """The layout of an area's pixels, with alpha, and the name of babl's format for it.

    `own` is babl's name of the format in which they are stored.

    Neither curve nor primaries are converted on the way out and back, so wide gamuts, values
    outside 0 to 1 and the last bit survive. 8 and 16 bits are sent as they are, others as floats.
    """
    model, kind = own.split("-", maxsplit=1)[0].split(" ")  # e.g. "R~G~B~A", "u16"
    kind = kind if kind in KINDS else "float"
    mark, gray = curve(own), model.startswith("Y")
    form = "".join(letter + mark for letter in ("Y" if gray else "RGB")) + f"A {kind}"
    linear = not mark or (mark == "'" and image.get_effective_color_profile().is_linear())
    picture = Picture(
        area.width,
        area.height,
        KINDS[kind],
        "GA" if gray else "RGBA",
        "linear" if linear else "srgb",
    )
    name: str = Babl.get_name(Babl.format_with_space(form, Babl.format_get_space(Babl.format(own))))
    return picture, name


def curve(form: str) -> str:
    """Babl's mark for a format's curve: "'" its colour space's own, "~" sRGB's, "" linear."""
    return form[1] if form[1] in ("'", "~") else ""
