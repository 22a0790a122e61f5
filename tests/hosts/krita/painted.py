"""Painted dreams: look, again, edit, sliders, selection and film, as for dreams by steps."""

import json
import time

import case
import desk
import dreams
import film
import live
import store
from krita import QComboBox, QDoubleSpinBox, QImage, QPushButton, Qt

from dreamlink.client.launch import connect_to_running
from dreamlink.recipe.presets import PRESETS

PAINTED = {**PRESETS["dogs"].values, "steps": 1, "seed": 7}
PART = 150, 70, 240, 180  # of the photo: it is painted in two stages
PHOTO = 0, 0, 451, 300
BLOCK = 6  # pixels; what is compared are means of blocks, as fine detail differs with the size


def run(_document):
    yield from desk.close_documents()
    desk.app.activeWindow().qwindow().showMaximized()
    yield 500
    yield from desk.run_checks(globals())


def opened(part=PART):
    """A part of the photo, with the form filled in; returns document and its pixels."""
    document = yield from desk.open_picture()
    document.crop(*part)
    document.waitForDone()
    desk.docker().setVisible(True)  # Krita hides it with the window of the first picture
    desk.docker().raise_()
    desk.fill_form(**PAINTED)
    return document, whole(document.activeNode())


def size():
    document = desk.app.activeDocument()
    return 0, 0, document.width(), document.height()


def whole(layer):
    return bytes(layer.pixelData(*size()))


# The look


def check_dream_becomes_what_its_look_shows():
    document, source = yield from opened(PHOTO)
    desk.fill_form(steps=2)
    look = yield from live.looked(live.switch)
    assert (look.width(), look.height()) == (384, 255), "it does not show all of the picture"
    case.screenshot("painted-look")
    layer = yield from desk.dream()
    before = scaled(source, look.width(), look.height())
    like = likeness(look, scaled(whole(layer), look.width(), look.height()), before)
    yield from desk.activate(document, document.rootNode().childNodes()[0])
    other = yield from desk.dream(seed=8)
    unlike = likeness(look, scaled(whole(other), look.width(), look.height()), before)
    live.switch()
    print(f"the dream is like its look: {like:.2f}, another seed's: {unlike:.2f}")
    assert like > 0.6 and like > unlike + 0.08, (like, unlike)


def check_look_shows_all_of_a_large_layer():
    """Of 40 megapixels in 16 bits, too: things are as large as a share of the whole."""
    document, source = yield from opened(PHOTO)
    before = scaled(source, 384, 255)
    desk.fill_form(steps=6)
    document.scaleImage(1353, 900, 300, 300, "Bicubic")  # painted at the sizes of a large one
    document.waitForDone()
    small = yield from live.looked(live.switch)
    live.switch()
    document.setColorSpace("RGBA", "U16", document.colorProfile())
    document.scaleImage(7800, 5188, 300, 300, "Bicubic")
    document.waitForDone()
    began = time.monotonic()
    look = yield from live.looked(live.switch)
    print(f"the look was complete after {time.monotonic() - began:.1f} s")
    case.screenshot("painted-large-look")
    assert (look.width(), look.height()) == (384, 255), "it does not show all of the picture"
    like = likeness(look, small, before)
    live.switch()
    print(f"the looks at the small and the large layer are alike: {like:.2f}")
    assert like > 0.8, like


def likeness(look, dreamed, source):
    """The correlation of what two pictures add to the source, in light, by blocks; −1 to 1.

    All three are images of the same size.
    """
    small = look.width(), look.height()
    shown, dream, before = (gray(image) for image in (look, dreamed, source))
    added = [blocks(light, before, *small) for light in (shown, dream)]
    means = [sum(values) / len(values) for values in added]
    one, two = (
        [value - mean for value in values] for values, mean in zip(added, means, strict=True)
    )
    return product(one, two) / (product(one, one) * product(two, two)) ** 0.5


def product(one, two):
    return sum(a * b for a, b in zip(one, two, strict=True))


def scaled(pixels, width, height):
    full = size()[2:]
    image = QImage(pixels, *full, 4 * full[0], QImage.Format_ARGB32)
    return image.scaled(width, height, Qt.IgnoreAspectRatio, Qt.SmoothTransformation)


def gray(image):
    """The light of each pixel of an image, row by row."""
    image = image.convertToFormat(QImage.Format_Grayscale8)
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    line = image.bytesPerLine()
    return [bytes(bits)[line * y : line * y + image.width()] for y in range(image.height())]


def blocks(after, before, width, height):
    """The mean change of each whole block."""
    return [
        sum(
            sum(after[y + row][x : x + BLOCK]) - sum(before[y + row][x : x + BLOCK])
            for row in range(BLOCK)
        )
        for y in range(0, height - BLOCK + 1, BLOCK)
        for x in range(0, width - BLOCK + 1, BLOCK)
    ]


def check_painting_grows_on_the_canvas():
    document, source = yield from opened()
    before = desk.history()
    grown = yield from live.growing(document, steps=10)
    first = whole(grown)
    assert first != source and any(first), "no pixels"
    yield from desk.finish()
    assert document.rootNode().childNodes()[1:] == [grown], "it is another layer"
    assert whole(grown) != first and set(whole(grown)[3::4]) == {255}
    assert desk.history() == [*before, "Add Layer"], desk.history()


# The finished layer


def check_again_with_the_same_seed_and_with_a_new_one():
    document, _ = yield from opened()
    layer = yield from desk.dream()
    again = yield from store.repeated(store.action("again"))
    assert whole(again) == whole(layer), "the dream is a different one"
    stored = json.loads(bytes(document.annotation(store.DREAMS)))["dreams"]
    recipe = stored[again.uniqueId().toString()]["recipe"]
    assert {name: recipe[name] for name in PAINTED} == PAINTED, recipe
    other = yield from store.repeated(desk.part(QPushButton, "new_seed").click)
    assert whole(other) != whole(layer)


def check_edit():
    document, source = yield from opened()
    layer = yield from desk.dream()
    desk.fill_form(method="steps", layer="features.5", contrast=0.6, steps=2, seed=1)
    yield from desk.activate(document, layer)
    store.action("edit")()
    recipe = desk.session().recipe().to_dict()
    assert {name: recipe[name] for name in PAINTED} == PAINTED, recipe
    desk.fill_form(contrast=0.2)
    calm = yield from store.repeated(desk.trigger)
    assert calm.name() == layer.name(), calm.name()
    assert 0 < change(calm, source) < 0.7 * change(layer, source), "it is not calmer"


def change(layer, source):
    return sum(abs(a - b) for a, b in zip(whole(layer), source, strict=True))


def check_sliders_need_no_new_dream():
    _, source = yield from opened()
    layer = yield from desk.dream()
    dreamed, done, steps = whole(layer), dreams_done(), desk.history()
    live.slide("strength", 0)
    yield from desk.until(lambda: whole(layer) == source, "without strength it is the source", 30)
    live.slide("strength", 10)
    yield from desk.until(lambda: whole(layer) not in (source, dreamed), "half of the dream", 30)
    desk.part(QDoubleSpinBox, "live_strength").setValue(1.0)
    yield from desk.until(lambda: whole(layer) == dreamed, "all of the dream", 30)
    colours = desk.part(QComboBox, "live_colour")
    colours.setCurrentIndex(colours.findData("luminance"))
    yield from desk.until(lambda: whole(layer) != dreamed, "luminance", 30)
    case.screenshot("painted-slid")
    colours.setCurrentIndex(colours.findData("full"))
    yield from desk.until(lambda: whole(layer) == dreamed, "all colours", 30)
    assert (dreams_done(), desk.history()) == (done, steps)


def dreams_done():
    client = connect_to_running()
    client.send({"op": "status", "id": "test"})
    message = client.receive(10)
    client.close()
    return message[0]["done"]


# Selection and film


def check_nothing_changes_outside_the_selection():
    document, before = yield from opened()
    yield from film.select(document)
    chosen = document.selection()
    place = (chosen.x(), chosen.y(), chosen.width(), chosen.height())
    layer = yield from desk.dream(context=32)
    assert bytes(layer.pixelData(*place))[3::4] == bytes(chosen.pixelData(*place))
    dreams.outside_is_empty(layer, place, size())
    dreams.outside_is_equal(document, before, place, size())
    seen = bytes(document.pixelData(*place))
    assert seen != dreams.crop(before, place, size()), "nothing was dreamed"


def check_frames_are_painted_each_from_the_one_before():
    yield from film.stable_and_carried(**PAINTED)
    case.screenshot("painted-film")
