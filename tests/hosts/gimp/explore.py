"""Inside GIMP, with windows: nine looks, from which one goes on by clicking.

The window's looks are looked for on the screen, pixel for pixel.
"""

import sys
import time

import case

sys.path.insert(0, case.arguments["scripts"])
from daemon_looks import idle, look
from daemon_process import kill_daemon, launcher, signal_daemon, unread
from desk import GRAY, open_photo, photo_part, pixels, recipe_of, run_checks, snapshot
from explore_window import (
    WINDOW,
    Walk,
    are_seen,
    closed,
    leave,
    open_window,
    press,
    wait_for_looks,
)
from gi.repository import Gegl, Gimp
from screen import (
    DIALOG,
    beside_dialog,
    close_all,
    titles,
    type_into,
    until,
    wait_for_picture,
)
from seen_window import line, wait_for_sentence
from striped_map import map_over

Gegl.init(None)  # else it can't read reduced pixels
QUICK = {"layer": "features.5", "octaves": 2, "steps": 2, "seed": 7, "context": 40}
SIZE = (192, 96)  # not reduced, and nine of them fit on the screen
SMALL = (64, 32)  # the kernel takes its pixels while the daemon is held
MIDDLE = 4
U8 = "R'G'B'A u8"


def check_nine_looks_at_a_photo():
    image, source = open_photo()
    before = snapshot(image)

    def act():
        open_window()
        time.sleep(0.5)
        case.screenshot("explore-begins")
        until(lambda: not idle(), "nothing is asked")
        time.sleep(2)
        until(idle, "the looks are not finished", 90)
        time.sleep(1)
        case.screenshot("explore-photo")
        type_into(WINDOW, "alt+s")
        time.sleep(2)
        until(idle, "the looks are not finished", 90)
        time.sleep(1)
        case.screenshot("explore-surprise")
        leave()

    beside_dialog(act, image, [source])
    assert snapshot(image) == before


def check_a_click_goes_on_and_back_and_forward_return():
    image, source = photo_part(*SIZE)
    walk = Walk(pixels(source, U8), SIZE, QUICK)
    first = walk.looks()
    walk.go("choose", 1)
    second = walk.looks()
    assert second[MIDDLE] == first[1] and len({*first, *second}) == 17

    def act():
        open_window()
        places = wait_for_looks(first)
        case.screenshot("explore")
        press(places[1])
        wait_for_looks(second)
        case.screenshot("explore-second")
        type_into(WINDOW, "alt+b")
        wait_for_looks(first)
        type_into(WINDOW, "alt+f")
        wait_for_looks(second)
        leave()

    beside_dialog(act, image, [source], **QUICK)


def check_use_this_sets_the_controls_and_the_preview_follows():
    image, source = photo_part(*SIZE)
    data = pixels(source, U8)
    walk = Walk(data, SIZE, QUICK)
    first = walk.looks()
    walk.go("choose", 0)
    recipe = {**QUICK, **walk.chosen}
    dreamed = look(data, SIZE, recipe)
    assert dreamed != look(data, SIZE, QUICK)

    def act():
        open_window()
        press(wait_for_looks(first)[0])
        wait_for_looks(walk.looks())
        type_into(WINDOW, "alt+u")
        closed()
        wait_for_picture(dreamed, SIZE[0], "the dream of what is used")
        time.sleep(1)
        case.screenshot("explore-used")
        type_into(DIALOG, "alt+o")

    layer = beside_dialog(act, image, [source], **QUICK).layer
    told = recipe_of(layer)
    assert {name: told[name] for name in recipe} == recipe


def check_a_dream_map_that_overrules_it_is_told():
    image, source = photo_part(*SIZE)
    looks = Walk(pixels(source, U8), SIZE, QUICK).looks()
    colours = map_over(image, SIZE, 60, 80)
    bound = "#ff0000=features.5; #0000ff=features.7"
    said = []

    def act():
        open_window()
        wait_for_looks(looks)
        until(idle, "the looks are not finished", 90)
        time.sleep(1)
        said.append(line(WINDOW))
        case.screenshot(f"explore-map-{len(said)}")
        leave()

    beside_dialog(act, image, [source], **QUICK)
    beside_dialog(act, image, [source], **QUICK, map=colours, bind=bound)
    assert said[0] != said[1], "the window says the same with a dream map"


def check_a_double_click_uses_a_look():
    image, source = photo_part(*SIZE)
    data = pixels(source, U8)
    walk = Walk(data, SIZE, QUICK)
    first = walk.looks()
    walk.go("choose", 3)
    dreamed = look(data, SIZE, {**QUICK, **walk.chosen})

    def act():
        open_window()
        press(wait_for_looks(first)[3], times=2)
        closed()
        wait_for_picture(dreamed, SIZE[0], "the dream of the look")
        type_into(DIALOG, "Escape")

    beside_dialog(act, image, [source], **QUICK)


def check_the_keyboard_reaches_all():
    image, source = photo_part(*SIZE)
    data = pixels(source, U8)
    walk = Walk(data, SIZE, QUICK)
    first = walk.looks()
    walk.go("choose", 3)
    second = walk.looks()
    dreamed = look(data, SIZE, {**QUICK, **walk.chosen})

    def act():
        open_window()
        wait_for_looks(first)
        type_into(WINDOW, "Left", "Left")  # stays at the border
        time.sleep(0.5)
        case.screenshot("explore-focus")
        type_into(WINDOW, "Return")
        wait_for_looks(second)
        type_into(WINDOW, "alt+Left")
        wait_for_looks(first)
        type_into(WINDOW, "alt+Right")
        wait_for_looks(second)
        type_into(WINDOW, "Return")  # the focus is in the middle
        closed()
        wait_for_picture(dreamed, SIZE[0], "the dream of the middle")
        type_into(DIALOG, "Escape")

    beside_dialog(act, image, [source], **QUICK)


def check_only_the_selection_is_looked_at():
    image, source = photo_part(*SIZE)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 60, 30, 80, 40)
    mask = pixels(image.get_selection(), "Y u8", (60, 30, 80, 40))

    def act():
        open_window()
        until(lambda: not idle(), "nothing is asked")
        time.sleep(2)
        until(idle, "the looks are not finished", 90)
        time.sleep(1)
        case.screenshot("explore-selection")
        leave()

    assert len(set(mask)) > 1
    beside_dialog(act, image, [source], **QUICK)


def check_an_upright_layer_fits_the_screen():
    image, source = photo_part(100, 190)

    def act():
        open_window()
        until(lambda: not idle(), "nothing is asked")
        time.sleep(2)
        until(idle, "the looks are not finished", 90)
        time.sleep(1)
        case.screenshot("explore-upright")
        said = case.xdotool("getwindowgeometry", "--shell", titles(WINDOW)[-1])
        place = dict(part.split("=") for part in said.splitlines())
        screen = int(case.xdotool("getdisplaygeometry").split()[1])
        assert int(place["Y"]) >= 0 and int(place["Y"]) + int(place["HEIGHT"]) <= screen, place
        leave()

    beside_dialog(act, image, [source], **QUICK)


def check_a_gray_layer_is_explored():
    image, source = photo_part(*SIZE, base=GRAY)
    walk = Walk(pixels(source, "Y'A u8"), SIZE, QUICK, order="GA")

    def act():
        open_window()
        wait_for_looks(walk.looks())
        case.screenshot("explore-gray")
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
        signal_daemon("STOP")  # so that the sentence is not the daemon's
        try:
            open_window()
            wait_for_sentence(window=WINDOW)
            time.sleep(1)
            case.screenshot("explore-empty")
            assert unread() == 0, "the daemon is asked"
        finally:
            signal_daemon("CONT")
        leave()

    beside_dialog(act, image, [empty], **QUICK)


def check_a_closed_window_looks_no_more():
    """The daemon, held, gets a cancel after the looks; opened again, the window looks anew."""
    image, source = photo_part(*SMALL)
    data = pixels(source, U8)
    walk = Walk(data, SMALL, QUICK)
    first = walk.looks()
    walk.go("choose", 0)

    def act():
        open_window()
        places = wait_for_looks(first)
        until(idle, "the looks are not finished")
        signal_daemon("STOP")
        try:
            press(places[0])
            until(lambda: unread() > len(data), "the daemon is not asked")
            time.sleep(1)
            seen = are_seen(walk.looks())
            assert seen[MIDDLE] and not all(seen), seen
            case.screenshot("explore-waiting")
            asked = unread()
            type_into(WINDOW, "Escape")
            closed()
            until(lambda: unread() > asked, "the daemon is not told")
        finally:
            signal_daemon("CONT")
        time.sleep(2)
        assert not titles(WINDOW), "an answer opened it"
        open_window()
        wait_for_looks(first)
        leave()

    beside_dialog(act, image, [source], **QUICK)


def check_a_lost_daemon_is_told_and_another_looks():
    image, source = photo_part(*SIZE)
    walk = Walk(pixels(source, U8), SIZE, QUICK)
    first = walk.looks()
    walk.go("choose", 0)

    def act():
        open_window()
        places = wait_for_looks(first)
        until(idle, "the looks are not finished")
        signal_daemon("STOP")
        press(places[0])
        time.sleep(1)
        looking = line(WINDOW)
        kill_daemon()
        wait_for_sentence(looking, window=WINDOW)
        time.sleep(1)
        case.screenshot("explore-lost")
        type_into(WINDOW, "alt+b")
        wait_for_looks(first)
        type_into(WINDOW, "alt+f")  # asks another daemon for what is missing
        wait_for_looks(walk.looks())
        leave()

    beside_dialog(act, image, [source], **QUICK)


def check_no_daemon_is_told():
    """The daemon is lost first, so that the window has said all else that it may say."""
    image, source = photo_part(*SIZE)
    first = Walk(pixels(source, U8), SIZE, QUICK).looks()

    def act():
        until(idle, "the look is not finished")
        signal_daemon("STOP")
        open_window()
        time.sleep(1)
        looking = line(WINDOW)
        with launcher(None):
            wait_for_sentence(looking, window=WINDOW)
            lost = line(WINDOW)
            type_into(WINDOW, "Escape")
            closed()
            open_window()
            wait_for_sentence(looking, lost, window=WINDOW)
            time.sleep(1)
            case.screenshot("explore-none")
            assert not any(are_seen(first))
            type_into(WINDOW, "Escape")
            closed()
        open_window()
        wait_for_looks(first)
        leave()

    beside_dialog(act, image, [source], **QUICK)


run_checks(dict(globals()), after_each=close_all)
case.verdict(finished=True)
