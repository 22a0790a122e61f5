"""Inside GIMP, with windows: what the networks see, chosen by eye in a window of the dialog.

The window's pictures are looked for on the screen, pixel for pixel.
"""

import sys
import time

import case

sys.path.insert(0, case.arguments["scripts"])
from daemon_looks import idle, look, see
from daemon_process import kill_daemon, launcher, signal_daemon, unread
from desk import (
    GRAY,
    PLUGIN,
    open_photo,
    photo_part,
    pixels,
    recipe_of,
    run_checks,
    snapshot,
)
from gi.repository import Gegl, Gimp
from screen import (
    DIALOG,
    beside_dialog,
    close_all,
    find,
    pixels_of_screen,
    place_on_screen,
    rgb,
    set_number,
    titles,
    type_into,
    until,
    wait_for_picture,
)

from dreamlink.picture import Picture
from dreamlink.session.seen_list import SIDE, rows, shade

sys.path.insert(0, str(PLUGIN))
from dreamlayer_gimp.dialog.pixbufs import pixbuf, shaded, thumbnail

Gegl.init(None)  # else it can't read reduced pixels
QUICK = {"layer": "features.5", "octaves": 2, "steps": 2, "seed": 7}
WINDOW = "^What it sees here$"
SIZE = (200, 150)
SMALL = (64, 48)  # the kernel takes its pixels while the daemon is held
U8 = "R'G'B'A u8"
LEFT, LINE = 6, 50  # pixels: where the window's line begins, and a part of its height
TOP = 3  # pictures that are looked for in a row: the strongest


def pictures(data, size, order="RGBA", which="", **asked):
    """What the window must show of a picture: rows, with their small pictures as RGB bytes."""
    seen = see(data, size, order=order, **asked)
    small = thumbnail(pixbuf(Picture(*size, "U8", order), bytes(data)), SIDE)
    listed = rows(seen, which)
    assert listed
    return [(row, packed(shaded(small, shade(row.heat), seen.heat_size))) for row in listed]


def packed(picture):
    """A pixbuf's RGB bytes, without alpha and without what pads its rows."""
    line, stride = picture.get_n_channels() * picture.get_width(), picture.get_rowstride()
    data = picture.get_pixels()
    lines = [data[y * stride : y * stride + line] for y in range(picture.get_height())]
    return rgb(b"".join(lines)) if picture.get_has_alpha() else b"".join(lines)


def wait_for_row(expected):
    """Wait until the strongest are visible, one beside the other; returns their places."""
    first = wait_for_picture(expected[0][1], SIDE, f"the picture of {expected[0][0].address}")
    places = [first, *(place_on_screen(data, SIDE) for _, data in expected[1:TOP])]
    assert None not in places, places
    assert len({top for _, top in places}) == 1, f"they are not in one row: {places}"
    assert [left for left, _ in places] == sorted({left for left, _ in places}), places
    return places


def open_window():
    type_into(DIALOG, "alt+w")
    find(WINDOW)
    case.xdotool("mousemove", "5", "5")  # no tooltip in the way


def line():
    """The rows of RGB pixels with what the window's upper line says, at its left."""
    said = case.xdotool("getwindowgeometry", "--shell", titles(WINDOW)[-1])
    place = dict(part.split("=") for part in said.splitlines())
    x, y, width = (int(place[name]) for name in ("X", "Y", "WIDTH"))
    across, shown = int(case.xdotool("getdisplaygeometry").split()[0]), pixels_of_screen()
    starts = (3 * (row * across + x + LEFT) for row in range(y + LEFT, y + LEFT + LINE))
    return [shown[start : start + 3 * width // 2] for start in starts]


def beside(place):
    """Some pixels left of a picture, which have another colour if it is chosen."""
    (x, y), across = place, int(case.xdotool("getdisplaygeometry").split()[0])
    end = 3 * ((y + SIDE // 2) * across + x)
    return pixels_of_screen()[end - 3 * 4 : end]


def wait_for_sentence(*before):
    """Wait until the line says something, and something else than before."""

    def is_said():
        now = line()
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


def check_a_cat_is_seen():
    image, source = open_photo()
    before = snapshot(image)
    factor = source.get_width() / 360
    size = (360, int(source.get_height() / factor))
    area = Gegl.Rectangle.new(0, 0, *size)
    data = source.get_buffer().get(area, 1 / factor, U8, Gegl.AbyssPolicy.NONE)
    expected = pictures(data, size)
    assert expected[0][0].name == "cats", expected[0][0]

    def act():
        open_window()
        wait_for_row(expected)
        time.sleep(1)
        case.screenshot("see")
        leave()

    beside_dialog(act, image, [source], **QUICK)
    assert snapshot(image) == before


def check_a_click_dreams_of_what_is_seen():
    image, source = photo_part(*SIZE)
    data = pixels(source, U8)
    expected = pictures(data, SIZE)
    row = expected[1][0]
    recipe = {**QUICK, "model": row.model, "layer": row.expression}
    dreamed = look(data, SIZE, recipe)
    assert dreamed != look(data, SIZE, QUICK)

    def act():
        open_window()
        press(wait_for_row(expected)[1])
        wait_for_picture(dreamed, SIZE[0], "the dream of what was chosen")
        time.sleep(1)
        case.screenshot("see-chosen")
        wait_for_row(expected)  # still there, to choose another
        type_into(DIALOG, "alt+o")

    asked = {**QUICK, "channels": "3", "start": "noise"}
    layer = beside_dialog(act, image, [source], **asked).layer
    told = recipe_of(layer)
    assert {name: told[name] for name in recipe} == recipe
    assert (told["channels"], told["start"]) == ("", "picture")
    until(lambda: not titles(WINDOW), "the window outlives the dialog")


def check_what_was_chosen_is_marked_until_something_else_is():
    image, source = photo_part(*SIZE)
    data = pixels(source, U8)
    expected = pictures(data, SIZE)
    row = expected[1][0]
    dreamed = look(data, SIZE, {**QUICK, "model": row.model, "layer": row.expression})
    plain = look(data, SIZE, {**QUICK, "model": row.model})

    def act():
        open_window()
        place = wait_for_row(expected)[1]
        find(DIALOG)
        time.sleep(1)
        unmarked = beside(place)
        press(place)
        wait_for_picture(dreamed, SIZE[0], "the dream of what was chosen")
        find(DIALOG)
        time.sleep(1)
        assert beside(place) != unmarked
        set_number("layer", QUICK["layer"])
        wait_for_picture(plain, SIZE[0], "the dream of another layer")
        until(lambda: beside(place) == unmarked, "it is still marked")
        case.screenshot("see-unmarked")
        leave()

    beside_dialog(act, image, [source], **QUICK)


def check_the_filter_shows_one_list():
    image, source = photo_part(*SIZE)
    data = pixels(source, U8)
    things, channels, layers = (
        pictures(data, SIZE, which=which) for which in ("kinds", "channels", "layers")
    )

    def act():
        open_window()
        wait_for_row(things)
        choose_filter(2)
        wait_for_row(channels)
        assert place_on_screen(things[0][1], SIDE) is None, "things are still shown"
        time.sleep(1)
        case.screenshot("see-channels")
        choose_filter(3)
        wait_for_row(layers)
        assert place_on_screen(channels[0][1], SIDE) is None, "channels are still shown"
        leave()

    beside_dialog(act, image, [source], **QUICK)


def choose_filter(number):
    type_into(WINDOW, "alt+s", "Home", *["Down"] * number)


def check_only_the_selection_is_asked_about():
    """With as much around it as a half of its longer side."""
    image, source = photo_part(*SIZE)
    data = pixels(source, U8)
    whole = pictures(data, SIZE)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 130, 100, 60, 40)
    seen = (100, 70, 100, 80)
    mask = pixels(image.get_selection(), "Y u8", (130, 100, 60, 40))
    part = pictures(pixels(source, U8, seen), seen[2:], region=(30, 30, 60, 40), mask=mask)
    assert part[0][1] != whole[0][1]

    def act():
        open_window()
        wait_for_row(part)
        time.sleep(1)
        case.screenshot("see-selection")
        leave()

    beside_dialog(act, image, [source], **QUICK)


def check_a_gray_layer_is_seen():
    image, source = photo_part(*SIZE, base=GRAY)
    expected = pictures(pixels(source, "Y'A u8"), SIZE, order="GA")

    def act():
        open_window()
        wait_for_row(expected)
        leave()

    beside_dialog(act, image, [source], **QUICK)


def check_an_empty_layer_is_told():
    image, _source = photo_part(*SIZE)
    empty = Gimp.Layer.new(
        image, "empty", *SIZE, Gimp.ImageType.RGBA_IMAGE, 100, Gimp.LayerMode.NORMAL
    )
    image.insert_layer(empty, None, 0)

    def act():
        until(idle, "the look is not finished")
        signal_daemon("STOP")
        try:
            open_window()
            time.sleep(1)
            looking = line()
            assert not is_blank(looking)
        finally:
            signal_daemon("CONT")
        wait_for_sentence(looking)
        case.screenshot("see-empty")
        leave()

    beside_dialog(act, image, [empty], **QUICK)


def check_a_closed_window_looks_no_more():
    """The daemon, held, gets a cancel after the question; opened again, the window looks anew."""
    image, source = photo_part(*SMALL)
    data = pixels(source, U8)
    expected = pictures(data, SMALL)
    dreamed = look(data, SMALL, QUICK)

    def act():
        wait_for_picture(dreamed, SMALL[0], "the dialog's dream")
        until(idle, "the look is not finished")
        signal_daemon("STOP")
        try:
            open_window()
            until(lambda: unread() > len(data), "the daemon is not asked")
            time.sleep(1)
            assert place_on_screen(expected[0][1], SIDE) is None
            case.screenshot("see-waiting")
            asked = unread()
            type_into(WINDOW, "Escape")
            until(lambda: not titles(WINDOW), "the window does not close while it looks")
            until(lambda: unread() > asked, "the daemon is not told")
        finally:
            signal_daemon("CONT")
        time.sleep(2)
        assert not titles(WINDOW), "the answer opened it"
        open_window()
        wait_for_row(expected)
        leave()

    beside_dialog(act, image, [source], **QUICK)


def check_a_lost_daemon_is_told_and_another_looks():
    image, source = photo_part(*SIZE)
    data = pixels(source, U8)
    expected = pictures(data, SIZE)
    dreamed = look(data, SIZE, QUICK)

    def act():
        wait_for_picture(dreamed, SIZE[0], "the dialog's dream")
        until(idle, "the look is not finished")
        signal_daemon("STOP")
        open_window()
        time.sleep(1)
        looking = line()
        kill_daemon()
        wait_for_sentence(looking)
        time.sleep(1)
        case.screenshot("see-lost")
        type_into(WINDOW, "alt+l")
        wait_for_row(expected)
        leave()

    beside_dialog(act, image, [source], **QUICK)


def check_no_daemon_is_told():
    """The daemon is lost first, so that the window has said all else that it may say."""
    image, source = photo_part(*SIZE)
    expected = pictures(pixels(source, U8), SIZE)

    def act():
        until(idle, "the look is not finished")
        signal_daemon("STOP")
        open_window()
        time.sleep(1)
        looking = line()
        with launcher(None):
            wait_for_sentence(looking)
            lost = line()
            type_into(WINDOW, "alt+l")
            wait_for_sentence(looking, lost)
            time.sleep(1)
            case.screenshot("see-none")
            assert place_on_screen(expected[0][1], SIDE) is None
        type_into(WINDOW, "alt+l")
        wait_for_row(expected)
        leave()

    beside_dialog(act, image, [source], **QUICK)


run_checks(dict(globals()), after_each=close_all)
case.verdict(finished=True)
