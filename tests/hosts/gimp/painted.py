"""Inside GIMP, with windows: painted dreams in the dialog, which previews and remembers them."""

import sys

import case

sys.path.insert(0, case.arguments["scripts"])
from daemon_looks import LayerLook, dreams_done, idle, look
from desk import (
    CANCEL,
    PAINTED,
    call,
    deep_dream,
    open_photo,
    photo_part,
    pixels,
    recipe_of,
    run_checks,
    snapshot,
)
from gi.repository import Gegl
from screen import (
    DIALOG,
    INTERACTIVE,
    beside_dialog,
    close_all,
    on_window,
    rgb,
    set_number,
    show,
    type_into,
    until,
    wait_for_picture,
)

Gegl.init(None)  # else it can't read reduced pixels
U8 = "R'G'B'A u8"
SIDE = 360  # pixels of the preview
SMALL = (200, 150)
LARGE = (1000, 750)  # px; of dreams by steps the preview would show a part
BLOCK = 8  # pixels of the preview; likeness is that of their means


def check_dream_is_what_its_preview_shows():
    """To the bit, where the preview is not reduced."""
    image, source = photo_part(*SMALL)
    looked = look(pixels(source, U8), SMALL, PAINTED)
    assert looked != rgb(pixels(source, U8))

    def act():
        wait_for_picture(looked, SMALL[0], "the painting")
        case.screenshot("painted")
        type_into(DIALOG, "alt+o")

    layer = beside_dialog(act, image, [source], **PAINTED).layer
    assert rgb(pixels(layer, U8)) == looked


def check_strength_is_blended_at_once():
    image, source = photo_part(*SMALL)
    before, data = snapshot(image), pixels(source, U8)
    first = LayerLook(data, SMALL, PAINTED)
    half, again = first.blended(strength=0.5), first.blended()
    first.close()
    assert again == first.rgb
    told = {}

    def act():
        wait_for_picture(first.rgb, SMALL[0], "the painting")
        until(idle, "the look is not finished")
        told["done"] = dreams_done()
        set_number("strength", "0.5")
        wait_for_picture(half, SMALL[0], "the painting of half the strength")
        set_number("strength", "0")
        wait_for_picture(rgb(data), SMALL[0], "the painting of no strength")
        set_number("strength", "1")
        wait_for_picture(first.rgb, SMALL[0], "the painting of full strength")
        told["blended"] = dreams_done()
        type_into(DIALOG, "Escape")

    assert beside_dialog(act, image, [source], **PAINTED).status == CANCEL
    assert told["blended"] == told["done"], "it was dreamed again for another strength"
    assert snapshot(image) == before


def check_dream_of_a_large_layer_is_like_its_preview():
    """All of the layer is shown, as things are as large as a share of it."""
    image, source = open_photo()
    image.scale(*LARGE)
    size = (SIDE, SIDE * LARGE[1] // LARGE[0])
    recipe = {**PAINTED, "context": 0}
    before = reduced(source, size)
    looked = look(before, size, recipe, reduced=LARGE[0] / SIDE)

    def act():
        wait_for_picture(looked, size[0], "the whole layer's painting")
        case.screenshot("painted-large")
        type_into(DIALOG, "alt+o")

    layer = beside_dialog(act, image, [source], **recipe).layer
    other = deep_dream(image, [source], **{**recipe, "seed": 8}).layer
    like, unlike = (
        likeness(looked, rgb(reduced(dream, size)), rgb(before), *size) for dream in (layer, other)
    )
    print(f"the dream is like its look: {like:.2f}, another seed's: {unlike:.2f}")
    assert like > 0.6 and like > unlike + 0.05, (like, unlike)


def reduced(layer, size):
    """A layer's pixels, as the preview reads them."""
    area = Gegl.Rectangle.new(0, 0, *size)
    none = Gegl.AbyssPolicy.NONE
    return layer.get_buffer().get(area, size[0] / layer.get_width(), U8, none)


def likeness(one, two, before, width, height):
    """The correlation of what is added, in light, by blocks; −1 to 1."""
    added = []
    for picture in (one, two):
        sums = [
            after - light
            for after, light in zip(
                blocks(picture, width, height), blocks(before, width, height), strict=True
            )
        ]
        mean = sum(sums) / len(sums)
        added.append([value - mean for value in sums])
    return product(*added) / (product(added[0], added[0]) * product(added[1], added[1])) ** 0.5


def product(one, two):
    return sum(a * b for a, b in zip(one, two, strict=True))


def blocks(picture, width, height):
    """The light of each whole block of an RGB picture."""
    return [
        sum(
            sum(picture[3 * (row * width + x) : 3 * (row * width + x + BLOCK)])
            for row in range(y, y + BLOCK)
        )
        for y in range(0, height - BLOCK + 1, BLOCK)
        for x in range(0, width - BLOCK + 1, BLOCK)
    ]


def check_edit_shows_what_the_layer_remembers():
    """The dialog of Dream Again dreams the same, unless something is changed."""
    image, source = photo_part(*SMALL)
    show(image)
    asked = {**PAINTED, "contrast": 0.9, "chroma": 0.4, "size": 1.5, "spread": "one"}
    first = deep_dream(image, [source], **asked).layer
    on_window("^Dream Again$", "Return", name="painted-again")
    second = call("plug-in-dreamlayer-again", image, [first], INTERACTIVE).layer
    recipe = recipe_of(second)
    assert {name: recipe[name] for name in asked} == asked, recipe
    assert recipe == recipe_of(first)
    assert pixels(second) == pixels(first) != pixels(source)
    other = call("plug-in-dreamlayer-again", image, [first], contrast=0.3).layer
    assert pixels(other) != pixels(first)


run_checks(dict(globals()), after_each=close_all)
case.verdict(finished=True)
