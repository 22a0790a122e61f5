"""What a host shows of an answer: a list of pictures with names, and what choosing one dreams."""

from __future__ import annotations

from collections.abc import Sequence

from ..wire.seeing import Seen, SeenRow
from .mixing import mixed

TITLE = "What it sees here"
SIDE = 128  # pixels of a picture in the list
INSET = 52  # pixels of what the row answers to, in the corner of its picture
FRAME = 2  # white pixels around it
COLUMNS, LINES = 5, 4  # of pictures that the window shows at first
EVERYTHING = ""
FILTERS = (  # labels, and which of the answer's lists they show
    ("Everything", EVERYTHING),
    ("Things", "kinds"),
    ("Channels", "channels"),
    ("Layers", "layers"),
)
FILTER_HELP = "Which of the answers are listed"
NONE = "Nothing here answers more than usual."
MOST_LIKE = "Most like: {}"
CHOSEN = "Dreams now of {}. Choose a preset to come back."
HELP = "Click one to dream of it, several with Ctrl for a mix."
VAGUE = "Its picture shows other channels as much."
CLASSES = 3  # that are named
DARK = 160  # of 255: how dark a picture is where nothing answers
SHADES = bytes(DARK - DARK * value // 255 for value in range(256))  # by the heat map's values


def rows(seen: Seen | None, which: str = EVERYTHING) -> list[SeenRow]:
    """What answers more than usual: kinds, channels, layers, the strongest of each first.

    `which` is one of the lists that `FILTERS` names.
    """
    if seen is None:
        return []
    lists = {"kinds": seen.kinds, "channels": seen.channels, "layers": seen.layers}
    wanted = [listed for name, listed in lists.items() if which in (EVERYTHING, name)]
    return [row for listed in wanted for row in listed if row.score > 0]


def classes(seen: Seen) -> str:
    """The classes that a network believes in, with their probabilities; "" without any."""
    named = [f"{each.name} ({each.probability:.0%})" for each in seen.classes[:CLASSES]]
    return ", ".join(named)


def name(row: SeenRow) -> str:
    """The row's name in a sentence."""
    return row.name if _is_kind(row) else row.address


def short_name(row: SeenRow) -> str:
    """The text below a picture: one line or two."""
    model, _, inside = row.address.partition("/")
    return row.name if _is_kind(row) else f"{inside}\n{model}"


def details(row: SeenRow) -> str:
    """What a tool tip says."""
    lines = [row.address, f"{row.score:.1f}"]
    return "\n".join(lines if row.specific else [*lines, VAGUE])


def chosen(parts: Sequence[tuple[SeenRow, float]]) -> dict[str, str]:
    """The parameters of the recipe that dream of rows, each with its weight, all at once.

    Raises CannotMix.
    """
    model, layer = parts[0][0].model, mixed(parts)
    return {"model": model, "layer": layer, "channels": "", "start": "picture"}


def names(parts: Sequence[tuple[SeenRow, float]]) -> str:
    """The names of what is chosen, in a sentence."""
    return " + ".join(name(row) for row, _ in parts)


def shade(heat: bytes) -> bytes:
    """Black pixels of four bytes, opacity last, to lay over the picture that was sent.

    `heat` is a row's map. The shade is darkest where the row does not answer; of its size.
    """
    pixels = bytearray(4 * len(heat))
    pixels[3::4] = heat.translate(SHADES)
    return bytes(pixels)


def _is_kind(row: SeenRow) -> bool:
    return "/kind:" in row.address
