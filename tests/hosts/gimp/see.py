"""Inside GIMP, with windows: what the networks see, chosen by eye in a window of the dialog.

The window's pictures are looked for on the screen, pixel for pixel.
"""

import sys
import time

import case

sys.path.insert(0, case.arguments["scripts"])
from daemon_looks import idle, look
from daemon_process import kill_daemon, launcher, signal_daemon, unread
from desk import GRAY, open_photo, photo_part, pixels, recipe_of, run_checks, snapshot
from gi.repository import Gegl, Gimp
from screen import (
    DIALOG,
    beside_dialog,
    close_all,
    find,
    place_on_screen,
    set_number,
    titles,
    type_into,
    until,
    wait_for_picture,
)
from seen_window import (
    WINDOW,
    beside,
    choose_filter,
    is_blank,
    leave,
    line,
    note,
    open_window,
    pictures,
    press,
    wait_for_row,
    wait_for_sentence,
)
from striped_map import map_over

from dreamlink.session.seen_list import SIDE, chosen

Gegl.init(None)  # else it can't read reduced pixels
QUICK = {"layer": "features.5", "octaves": 2, "steps": 2, "seed": 7}
SIZE = (200, 150)
SMALL = (64, 48)  # the kernel takes its pixels while the daemon is held
U8 = "R'G'B'A u8"


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


def check_several_are_mixed():
    image, source = photo_part(*SIZE)
    data = pixels(source, U8)
    expected = pictures(data, SIZE)
    parts = [(row, 1.0) for row, _ in expected[:2]]
    recipe = {**QUICK, **chosen(parts)}
    dreamed = look(data, SIZE, recipe)

    def act():
        open_window()
        first, second, *_ = wait_for_row(expected)
        press(first)
        case.xdotool("keydown", "ctrl")
        press(second)
        case.xdotool("keyup", "ctrl")
        wait_for_picture(dreamed, SIZE[0], "the dream of both")
        time.sleep(1)
        case.screenshot("see-mix")
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


def check_a_dream_map_that_overrules_it_is_told():
    image, source = photo_part(*SIZE)
    data = pixels(source, U8)
    expected = pictures(data, SIZE)
    colours = map_over(image, SIZE, 60, 80)
    bound = "#ff0000=features.5; #0000ff=features.7"
    said, noted = [], []

    def act():
        open_window()
        place = wait_for_row(expected)[0]
        time.sleep(1)
        said.append(line())
        case.screenshot(f"see-map-{len(said)}")
        press(place)
        time.sleep(1)
        noted.append(note())
        case.screenshot(f"see-map-{len(said)}-chosen")
        leave()

    beside_dialog(act, image, [source], **QUICK)
    beside_dialog(act, image, [source], **QUICK, map=colours, bind=bound)
    assert said[0] != said[1], "the window says the same with a dream map"
    assert noted[0] != noted[1], "a click says the same with a dream map"


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
