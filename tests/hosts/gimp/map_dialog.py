"""Inside GIMP, with windows: the dream map in the dialog, its colours' button, and the preview."""

import sys
import time
from math import floor

import case

sys.path.insert(0, case.arguments["scripts"])
from daemon_looks import look
from desk import call, deep_dream, open_photo, photo_part, pixels, recipe_of, run_checks
from gi.repository import Gegl
from screen import (
    DIALOG,
    INTERACTIVE,
    LAST,
    LETTERS,
    beside_dialog,
    changed_since,
    close_all,
    on_window,
    pixels_of_screen,
    show,
    type_into,
    until,
    wait_for_picture,
)
from striped_map import BLUE, NOTHING, RED, RGBA, map_over

from dreamlink.picture import Region

Gegl.init(None)  # else it can't read reduced pixels
QUICK = {"layer": "features.5", "octaves": 2, "steps": 2, "seed": 7}
TAKEN = "#0000ff=features.5; #ff0000=kind:dogs"
SIZE = (200, 150)
SIDE = 360  # pixels of the preview


def press_button(changes=True):
    """Open More and press the button below the colours' field."""
    type_into(DIALOG, "alt+m")
    time.sleep(1)
    still = pixels_of_screen()
    case.xdotool("key", f"alt+{LETTERS['bind']}", "Tab", "space")
    if changes:
        until(lambda: changed_since(still), "the button does nothing")
    time.sleep(1)


def check_colours_are_taken_from_the_map():
    image, source = photo_part(*SIZE)
    colours = map_over(image, SIZE, 60, 80)
    recipe = {**QUICK, "bind": TAKEN}
    dreamed = look(pixels(source, RGBA), SIZE, recipe, dream_map=pixels(colours, RGBA))

    def act():
        press_button()
        wait_for_picture(dreamed, SIZE[0], "the dream of two colours")
        case.screenshot("map")
        type_into(DIALOG, "alt+o")

    layer = beside_dialog(act, image, [source], **QUICK, map=colours).layer
    assert recipe_of(layer)["bind"] == TAKEN
    assert pixels(layer, RGBA, (60, 0, 60, 150)) == pixels(source, RGBA, (60, 0, 60, 150))


def check_what_the_field_says_stays():
    image, source = photo_part(*SIZE)
    colours = map_over(image, SIZE, 60, 80)

    def act():
        press_button()
        type_into(DIALOG, "alt+o")

    before = "#ff0000=7:20 + 5*0.5; #123456=9"
    layer = beside_dialog(act, image, [source], **QUICK, map=colours, bind=before).layer
    assert recipe_of(layer)["bind"] == "#0000ff=features.5; #ff0000=7:20 + 5*0.5"


def check_button_without_a_map_says_what_to_do():
    image, source = photo_part(*SIZE)
    plain = look(pixels(source, RGBA), SIZE, QUICK)

    def act():
        wait_for_picture(plain, SIZE[0], "the dream")
        press_button()
        case.screenshot("map-none")
        type_into(DIALOG, "alt+o")

    layer = beside_dialog(act, image, [source], **QUICK).layer
    assert recipe_of(layer)["bind"] == ""


def check_preview_of_a_part_reads_the_map_there():
    """Reduced to the coarsest octave, 1.4 times, without new colours; the middle of the layer."""
    image, source = open_photo()
    image.scale(700, 630)
    colours = map_over(image, (700, 630), 330, 300)
    reduced, left, top = 1.4, 70, 45
    area = Gegl.Rectangle.new(left, top, SIDE, SIDE)
    data = source.get_buffer().get(area, 1 / reduced, RGBA, Gegl.AbyssPolicy.NONE)
    row = b"".join(
        RED if x < 330 else BLUE if x >= 400 else NOTHING
        for x in (floor((left + at + 0.5) * reduced) for at in range(SIDE))
    )
    recipe = {**QUICK, "context": 0, "bind": TAKEN}
    moved = Region(-left, -top, 500, 450)
    middle = look(
        data, (SIDE, SIDE), recipe, Region(0, 0, SIDE, SIDE), moved, reduced, dream_map=row * SIDE
    )

    def act():
        wait_for_picture(middle, SIDE, "the middle")
        type_into(DIALOG, "Escape")

    beside_dialog(act, image, [source], **recipe, map=colours)


def check_map_of_another_image_is_forgotten():
    """As it is after a dream with a map in another image."""
    other, _ = photo_part()
    colours = map_over(other, (64, 48), 30, 30)
    image, source = photo_part(*SIZE)
    plain = look(pixels(source, RGBA), SIZE, QUICK)

    def act():
        wait_for_picture(plain, SIZE[0], "the dream without a map")
        type_into(DIALOG, "alt+o")

    layer = beside_dialog(act, image, [source], **QUICK, map=colours, bind=TAKEN).layer
    assert recipe_of(layer)["bind"] == ""


def check_last_values_have_the_map():
    """Repeat, and the dialog that is shown again, find it; in another image it is forgotten."""
    image, source = photo_part(*SIZE)
    colours = map_over(image, SIZE, 60, 80)
    asked = {**QUICK, "map": colours, "bind": TAKEN}
    first = beside_dialog(lambda: type_into(DIALOG, "alt+o"), image, [source], **asked).layer
    repeated = deep_dream(image, [source], LAST).layer
    assert pixels(repeated) == pixels(first) != pixels(source)
    on_window(DIALOG, "alt+o")
    shown = deep_dream(image, [source], INTERACTIVE).layer
    assert pixels(shown) == pixels(first)
    other, layer = photo_part(*SIZE)
    answer = deep_dream(other, [layer], LAST)
    assert "no map is chosen" in answer.text, answer
    on_window(DIALOG, "alt+o")
    assert recipe_of(deep_dream(other, [layer], INTERACTIVE).layer)["bind"] == ""


def check_dream_again_shows_the_map():
    image, source = photo_part(*SIZE)
    colours = map_over(image, SIZE, 60, 80)
    show(image)
    first = deep_dream(image, [source], **QUICK, bind=TAKEN, map=colours).layer
    on_window("^Dream Again$", "Return", name="map-again")
    second = call("plug-in-dreamlayer-again", image, [first], INTERACTIVE).layer
    assert recipe_of(second) == recipe_of(first)
    assert pixels(second) == pixels(first) != pixels(source)


run_checks(dict(globals()), after_each=close_all)
case.verdict(finished=True)
