"""Actions in the window of what the networks see, and what it must show."""

import sys

import case
from daemon_looks import see
from desk import PLUGIN
from screen import (
    DIALOG,
    find,
    pixels_of_screen,
    place_on_screen,
    rgb,
    titles,
    type_into,
    until,
    wait_for_picture,
)

from dreamlink.picture import Picture
from dreamlink.session.seen_list import SIDE, rows

sys.path.insert(0, str(PLUGIN))
from dreamlayer_gimp.dialog.pixbufs import pixbuf, thumbnail
from dreamlayer_gimp.dialog.seen_grid import picture_of

WINDOW = "^What it sees here$"
LEFT, LINE = 6, 50  # pixels: where the window's line begins, and a part of its height
NOTE = 110  # pixels at the window's end: the note and the buttons
TOP = 3  # pictures that are looked for in a row: the strongest


def pictures(data, size, order="RGBA", which="", **asked):
    """What the window must show of a picture: rows, with their small pictures as RGB bytes."""
    seen = see(data, size, order=order, **asked)
    small = thumbnail(pixbuf(Picture(*size, "U8", order), bytes(data)), SIDE)
    listed = rows(seen, which)
    assert listed
    return [(row, packed(picture_of(row, small, seen))) for row in listed]


def packed(picture):
    """A pixbuf's RGB bytes, without alpha and without what pads its rows."""
    line, stride = picture.get_n_channels() * picture.get_width(), picture.get_rowstride()
    data = picture.get_pixels()
    lines = [data[y * stride : y * stride + line] for y in range(picture.get_height())]
    return rgb(b"".join(lines)) if picture.get_has_alpha() else b"".join(lines)


def wait_for_row(expected):
    """Wait until the strongest are visible, one beside the other; returns their places."""
    wait_for_picture(expected[0][1], SIDE, f"the picture of {expected[0][0].address}")
    places = []

    def in_one_row():  # while the grid is filled anew, some are still at their older places
        places[:] = [place_on_screen(data, SIDE) for _, data in expected[:TOP]]
        return None not in places and len({top for _, top in places}) == 1

    until(in_one_row, "they are not in one row")
    assert [left for left, _ in places] == sorted({left for left, _ in places}), places
    return places


def open_window():
    type_into(DIALOG, "alt+w")
    find(WINDOW)
    case.xdotool("mousemove", "5", "5")  # no tooltip in the way


def line(window=WINDOW):
    """The rows of RGB pixels with what a window's upper line says, at its left."""
    x, y, width, _ = geometry(window)
    return part_of_screen(x + LEFT, range(y + LEFT, y + LEFT + LINE), width // 2)


def note():
    """The rows of RGB pixels with what the window says below its pictures, at its left."""
    x, y, width, height = geometry(WINDOW)
    return part_of_screen(x + LEFT, range(y + height - NOTE, y + height), width // 2)


def geometry(window):
    said = case.xdotool("getwindowgeometry", "--shell", titles(window)[-1])
    place = dict(part.split("=") for part in said.splitlines())
    return [int(place[name]) for name in ("X", "Y", "WIDTH", "HEIGHT")]


def part_of_screen(left, rows, width):
    across, shown = int(case.xdotool("getdisplaygeometry").split()[0]), pixels_of_screen()
    starts = (3 * (row * across + left) for row in rows)
    return [shown[start : start + 3 * width] for start in starts]


def beside(place):
    """Some pixels left of a picture, which have another colour if it is chosen."""
    (x, y), across = place, int(case.xdotool("getdisplaygeometry").split()[0])
    end = 3 * ((y + SIDE // 2) * across + x)
    return pixels_of_screen()[end - 3 * 4 : end]


def wait_for_sentence(*before, window=WINDOW):
    """Wait until the line says something, and something else than before."""

    def is_said():
        now = line(window)
        return now not in before and not is_blank(now)

    until(is_said, "the window's line says nothing new")


def is_blank(rows):
    return all(row == row[:3] * (len(row) // 3) for row in rows)


def leave():
    type_into(WINDOW, "Escape")
    until(lambda: not titles(WINDOW), "the window does not close")
    type_into(DIALOG, "Escape")


def press(place):
    """Click into a picture, and move the pointer away."""
    x, y = place
    case.xdotool("mousemove", str(x + SIDE // 2), str(y + 30), "click", "1")
    case.xdotool("mousemove", "5", "5")


def choose_filter(number):
    type_into(WINDOW, "alt+s", "Home", *["Down"] * number)
