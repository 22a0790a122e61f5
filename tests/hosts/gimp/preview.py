"""Inside GIMP with its windows: the dialog's preview, its settings, and the canvas preview.

What the preview shows is looked for on the screen, pixel for pixel.
"""

import sys
import time

import case

sys.path.insert(0, case.arguments["scripts"])
from daemon_looks import LayerLook, dreams_done, idle, look
from desk import (
    CANCEL,
    GRAY,
    deep_dream,
    open_photo,
    photo_part,
    pixels,
    recipe_of,
    run_checks,
    snapshot,
)
from gi.repository import GdkPixbuf, Gegl, Gimp
from screen import (
    DIALOG,
    LETTERS,
    PROGRESS,
    beside_dialog,
    changed_since,
    close_all,
    daemon_status,
    find,
    on_image,
    own_step,
    pixels_of_screen,
    rgb,
    set_number,
    show,
    title_of,
    titles,
    type_into,
    until,
    wait_for_picture,
)

from dreamlink.client.launch import connect
from dreamlink.picture import Region
from dreamlink.recipe import presets

Gegl.init(None)  # else it can't read reduced pixels
SIDE = 360  # pixels of the preview
QUICK = {"layer": "features.5", "octaves": 2, "steps": 2, "seed": 7}


def ask_for_layers():
    client = connect()
    client.send({"op": "layers", "id": "test", "model": "squeezenet1_1"})
    assert client.receive(60)
    client.close()


def check_preview_follows_the_controls():
    image, source = photo_part(200, 150)
    before = snapshot(image)
    data = pixels(source, "R'G'B'A u8")
    first = LayerLook(data, (200, 150), QUICK)
    half = first.blended(strength=0.5)
    first.close()
    other = look(data, (200, 150), {**QUICK, "steps": 4})
    told = {}

    def act():
        wait_for_picture(first.rgb, 200, "the dream")
        case.screenshot("preview")
        until(idle, "the look is not finished")
        told["done"] = dreams_done()
        set_number("strength", "0.5")
        wait_for_picture(half, 200, "the dream of half the strength")
        set_number("strength", "0")
        wait_for_picture(rgb(data), 200, "the dream of no strength")
        told["blended"] = dreams_done()
        set_number("strength", "1")
        set_number("steps", "4")
        wait_for_picture(other, 200, "the dream of other steps")
        type_into(DIALOG, "Escape")

    answer = beside_dialog(act, image, [source], **QUICK)
    assert answer.status == CANCEL, answer
    assert told["blended"] == told["done"], "it was dreamed again for another strength"
    assert snapshot(image) == before
    until(idle, "the preview's dream goes on without its dialog")


def check_preview_can_be_compared_and_switched_off():
    image, source = photo_part(200, 150)
    data = pixels(source, "R'G'B'A u8")
    dreamed = look(data, (200, 150), QUICK)

    def act():
        x, y = wait_for_picture(dreamed, 200, "the dream")
        case.xdotool("mousemove", str(x + 100), str(y + 75), "mousedown", "1")
        wait_for_picture(rgb(data), 200, "the source, while the mouse is pressed")
        case.xdotool("mouseup", "1")
        wait_for_picture(dreamed, 200, "the dream again")
        type_into(DIALOG, "alt+v")
        wait_for_picture(rgb(data), 200, "the source, without preview")
        type_into(DIALOG, "alt+v")
        wait_for_picture(dreamed, 200, "the dream, with preview again")
        type_into(DIALOG, "Escape")

    beside_dialog(act, image, [source], **QUICK)


def check_preview_of_a_large_layer_is_a_part_of_it_reduced():
    """Reduced to the coarsest octave, 1.4 times; first the middle, then a part chosen by mouse."""
    image, source = open_photo()
    image.scale(700, 630)
    whole, reduced = Region(0, 0, 500, 450), 1.4
    recipe = {**QUICK, "context": 0}

    def expected(left, top):
        area = Gegl.Rectangle.new(left, top, SIDE, SIDE)
        none = Gegl.AbyssPolicy.NONE
        data = source.get_buffer().get(area, 1 / reduced, "R'G'B'A u8", none)
        region = Region(0, 0, SIDE, SIDE)
        moved = Region(-left, -top, *whole[2:])
        return look(data, (SIDE, SIDE), recipe, region, moved, reduced)

    middle, corner = expected(70, 45), expected(0, 0)

    def act():
        x, y = wait_for_picture(middle, SIDE, "the middle")
        case.screenshot("preview-part")
        case.xdotool("mousemove", str(x + 10), str(y + 10), "mousedown", "1")
        case.xdotool("mousemove", str(x + 150), str(y + 150), "mouseup", "1")
        wait_for_picture(corner, SIDE, "the corner")
        type_into(DIALOG, "Escape")

    beside_dialog(act, image, [source], **recipe)


def check_preview_of_a_selection():
    image, source = photo_part(200, 150)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 40, 30, 100, 80)
    data = pixels(source, "R'G'B'A u8")
    dreamed = look(data, (200, 150), QUICK, (40, 30, 100, 80))

    def act():
        wait_for_picture(dreamed, 100, "the dream of the selection")
        type_into(DIALOG, "Escape")

    beside_dialog(act, image, [source], **QUICK)


def check_preview_of_a_gray_layer_with_a_strength_map():
    image, source = photo_part(200, 150, base=GRAY)
    strength = source.copy()
    image.insert_layer(strength, None, 0)
    strength.invert(False)
    data, strong = pixels(source, "Y'A u8"), pixels(strength, "Y'A u8")
    dreamed = look(data, (200, 150), QUICK, order="GA", strength=strong)

    def act():
        wait_for_picture(dreamed, 200, "the dream")
        case.screenshot("preview-gray")
        type_into(DIALOG, "Escape")

    beside_dialog(act, image, [source], **QUICK, strength_map=strength)


def check_preview_is_cancelled_when_the_controls_change():
    image, source = photo_part(200, 150)
    long = {**QUICK, "steps": 500, "noise": 0.1, "noise_samples": 8}
    dreamed = look(pixels(source, "R'G'B'A u8"), (200, 150), {**long, "steps": 2})
    cancelled = daemon_status()["cancelled"]

    def act():
        until(lambda: not idle(), "no look is dreamed")
        set_number("steps", "2")
        wait_for_picture(dreamed, 200, "the newer dream")
        until(idle, "the older dream goes on")
        type_into(DIALOG, "Escape")

    beside_dialog(act, image, [source], **long)
    assert daemon_status()["cancelled"] > cancelled


def check_preview_goes_on_after_a_mistake():
    image, source = photo_part(200, 150)
    dreamed = look(pixels(source, "R'G'B'A u8"), (200, 150), {**QUICK, "layer": "5"})

    def act():
        set_number("layer", "nothing.99")
        time.sleep(1)
        case.screenshot("preview-mistake")
        set_number("layer", "5")
        wait_for_picture(dreamed, 200, "the dream")
        type_into(DIALOG, "Escape")

    beside_dialog(act, image, [source], **QUICK)


def check_names_are_offered():
    """Type a part of a kind's name, then choose it from the list with the keyboard."""
    image, source = photo_part(200, 150)
    chosen = {**QUICK, "layer": "kind:dogs"}
    dreamed = [look(pixels(source, "R'G'B'A u8"), (200, 150), recipe) for recipe in (QUICK, chosen)]

    def act():
        wait_for_picture(dreamed[0], 200, "the dream")
        ask_for_layers()  # which is answered after the dialog's own question
        time.sleep(1)
        case.xdotool("key", f"alt+{LETTERS['layer']}", "ctrl+a")
        still = pixels_of_screen()
        case.xdotool("type", "D:DOGS")
        until(lambda: changed_since(still), "no list of names opens")
        time.sleep(1)
        case.screenshot("names")
        case.xdotool("key", "Down", "Return")
        wait_for_picture(dreamed[1], 200, "the dream of dogs")
        type_into(DIALOG, "Escape")

    beside_dialog(act, image, [source], **QUICK)


def check_presets_with_thumbnails():
    """The first entry is "Custom settings", the sixth is the fifth preset."""
    image, source = photo_part(200, 150)
    preset = list(presets.PRESETS.values())[4]
    recipe = {**preset.recipe().to_dict(), "seed": QUICK["seed"]}
    dreamed = look(pixels(source, "R'G'B'A u8"), (200, 150), recipe)
    thumbnail = GdkPixbuf.Pixbuf.new_from_file_at_size(str(preset.thumbnail), 48, 48)
    assert (thumbnail.get_width(), thumbnail.get_rowstride()) == (48, 144)

    def act():
        type_into(DIALOG, "alt+p", "Home", *["Down"] * 5)
        wait_for_picture(thumbnail.get_pixels(), 48, "the preset's thumbnail")
        wait_for_picture(dreamed, 200, "the preset's dream")
        case.screenshot("preset-chosen")
        type_into(DIALOG, "Escape")

    beside_dialog(act, image, [source], **QUICK)


def check_reset():
    image, source = photo_part(200, 150)
    data = pixels(source, "R'G'B'A u8")
    default = presets.find(presets.DEFAULT).recipe().to_dict()
    first, defaults = (look(data, (200, 150), each) for each in (QUICK, {**default, "seed": 1}))

    def act():
        wait_for_picture(first, 200, "the dream")
        still = pixels_of_screen()
        type_into(DIALOG, "alt+r")
        until(lambda: changed_since(still), "the menu of resets is not seen")
        type_into(DIALOG, "Tab", "space")  # the second entry: the factory defaults
        wait_for_picture(defaults, 200, "the dream of the defaults")
        set_number("octaves", "1")
        type_into(DIALOG, "alt+o")

    recipe = recipe_of(beside_dialog(act, image, [source], **QUICK).layer)
    assert recipe == {**default, "octaves": 1, "seed": recipe["seed"]}, recipe


def check_saved_settings_come_back():
    image, source = photo_part(200, 150)
    data, saved = pixels(source, "R'G'B'A u8"), {**QUICK, "seed": 99, "smooth": 1.5}
    first, second = look(data, (200, 150), QUICK), look(data, (200, 150), saved)

    def save():
        wait_for_picture(second, 200, "the dream")
        still = pixels_of_screen()
        type_into(DIALOG, "alt+s")
        until(lambda: changed_since(still), "they can't be loaded now")
        type_into(DIALOG, "Escape")

    def load():
        wait_for_picture(first, 200, "the dream")
        type_into(DIALOG, "alt+l")
        wait_for_picture(second, 200, "the dream of the saved settings")
        type_into(DIALOG, "alt+o")

    beside_dialog(save, image, [source], **saved)
    recipe = recipe_of(beside_dialog(load, image, [source], **QUICK).layer)
    assert {name: recipe[name] for name in saved} == saved, recipe


def check_canvas_preview_is_one_undo_step():
    """The layer is the same as without the preview on the canvas."""
    image, source = photo_part(200, 150)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 20, 20, 150, 100)
    Gimp.Selection.feather(image, 20)
    wanted = {**QUICK, "octaves": 4, "steps": 4}
    plain = deep_dream(image, [source], **wanted).layer
    looks, mask, recipe = pixels(plain), pixels(plain.get_mask()), recipe_of(plain)
    image.remove_layer(plain)
    own_step(image)
    show(image)
    before = image.get_layers()
    layer = deep_dream(image, [source], **wanted, canvas_preview=True).layer
    assert pixels(layer) == looks
    assert pixels(layer.get_mask()) == mask
    assert recipe_of(layer) == recipe
    assert len(image.get_layers()) == 3
    on_image(image, "ctrl+z")
    until(lambda: image.get_layers() == before, "one undo did not remove the dream")
    on_image(image, "ctrl+z")
    until(lambda: image.get_layers() == [source], "there was a second step")


def check_canvas_preview_is_seen_and_cancelled():
    image, source = photo_part(250, 200)
    show(image)
    before = snapshot(image)
    seen = []

    def act():
        type_into(DIALOG, "alt+o")
        find(PROGRESS)
        until(lambda: titles("2 layers.* 250x200"), "the canvas shows no dream")
        case.screenshot("canvas")
        seen.append(titles(PROGRESS))
        type_into(PROGRESS, "alt+c")

    long = {**QUICK, "steps": 500, "octaves": 6, "canvas_preview": True}
    answer = beside_dialog(act, image, [source], **long)
    assert answer.status == CANCEL, answer
    assert seen[0], "the dream was finished before"
    assert snapshot(image) == before
    until(idle, "the dream goes on")


def check_canvas_preview_of_a_multiplied_layer():
    """Its source is hidden with it, and shown again if the dream is cancelled."""
    image, source = photo_part(250, 200)
    source.set_mode(Gimp.LayerMode.MULTIPLY)
    show(image)
    before = snapshot(image)

    def act():
        type_into(DIALOG, "alt+o")
        until(lambda: titles("2 layers.* 250x200"), "the canvas shows no dream")
        type_into(PROGRESS, "alt+c")

    long = {**QUICK, "steps": 500, "octaves": 6, "canvas_preview": True}
    answer = beside_dialog(act, image, [source], **long)
    assert answer.status == CANCEL, answer
    assert snapshot(image) == before
    until(idle, "the dream goes on")
    layer = deep_dream(image, [source], **QUICK, canvas_preview=True).layer
    assert image.get_layers() == [layer, source]
    assert [layer.get_visible(), source.get_visible()] == [True, False]
    on_image(image, "ctrl+z")
    until(lambda: image.get_layers() == [source], "one undo did not remove the dream")
    assert source.get_visible()


def check_canvas_preview_removed_by_the_user():
    """Ctrl+Z during the dream removes the layer, which ends the dream."""
    image, source = photo_part(250, 200)
    show(image)

    title = title_of(image)  # GIMP can't be asked in the thread

    def act():
        type_into(DIALOG, "alt+o")
        until(lambda: titles("2 layers.* 250x200"), "the canvas shows no dream")
        type_into(title, "ctrl+z")

    long = {**QUICK, "steps": 500, "octaves": 6, "canvas_preview": True}
    answer = beside_dialog(act, image, [source], **long)
    assert "was removed during the dream" in answer.text, answer
    assert image.get_layers() == [source]
    until(idle, "the dream goes on")


run_checks(dict(globals()), after_each=close_all)
case.verdict(finished=True)
