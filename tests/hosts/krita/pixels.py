"""Pixels: every colour space, all kinds of selections and layers, guide and strength map.

Dreams are started through the session, as the docker does, with guide and strength map as
arguments. The strength map is empty where nothing may change, so one dream shows both what stays
unchanged and what is dreamed.
"""

import dataclasses
import struct

import case
import desk
from krita import InfoObject, Selection

from dreamlayer_krita.document import layer_io as reader
from dreamlink.session.dream import State

WIDTH, HEIGHT = 96, 72
SIZE = (0, 0, WIDTH, HEIGHT)
LEFT, RIGHT = (0, 0, 24, HEIGHT), (24, 0, WIDTH - 24, HEIGHT)  # the dream changes nothing in LEFT
GLARING = (4, 40, 16, 16)  # in LEFT: colours outside other spaces' range
STRONG = {"strength": 2.0, "step_size": 8.0, "steps": 1, "dither": False}
SRGB = "sRGB-elle-V2-srgbtrc.icc"
LINEAR = "sRGB-elle-V2-g10.icc"
GRAY = "Gray-D50-elle-V2-srgbtrc.icc"
GRAY_LINEAR = "Gray-D50-elle-V2-g10.icc"
DEPTHS = ("U8", "U16", "F16", "F32")
references = {}  # the dream in U8 sRGB, in colour and in grey


def run(_document):
    yield from desk.close_documents()
    yield from desk.run_checks(globals())
    desk.app.writeSetting(*reader.SELECTED_AS[:2], "alpha")


# Dreaming


def recipe_of(**values):
    recipe = desk.session().recipe()
    return dataclasses.replace(recipe, **values)


def dream(recipe=None, **inputs):
    """Dream on the active layer; returns the new layer, which is one undo step."""
    recipe = recipe or recipe_of(**STRONG)
    document = desk.app.activeDocument()
    before = desk.history()
    source = reader.read(recipe, **inputs)
    assert desk.history() == before, "reading has made an undo step"
    job = desk.session().start(source, recipe)
    yield from desk.until(lambda: job.over, "the dream is over")
    assert job.state is State.DONE, job.text
    yield from desk.until(lambda: len(desk.history()) > len(before), "the step is listed")
    assert desk.history() == [*before, "Add Layer"], desk.history()
    return document.nodeByUniqueID(job.result.node_id)


def space_of(node):
    return (node.colorModel(), node.colorDepth(), node.colorProfile())


def converted(layer, space):
    """The layer's pixels, converted by Krita in another document."""
    other = desk.app.createDocument(1, 1, "", *space_of(layer), 72.0)
    copy = other.rootNode().childNodes()[0]
    copy.setPixelData(layer.pixelData(*SIZE), *SIZE)
    assert copy.setColorSpace(*space), space
    pixels = bytes(copy.pixelData(*SIZE))
    other.close()
    return pixels


def picture(model="RGBA"):
    """Waves in U8, with a half opaque and a transparent band at the top right."""
    pixels = bytearray(desk.drawing(WIDTH, HEIGHT, model, "U8", contrast=0.25))
    samples = len(pixels) // (WIDTH * HEIGHT)
    for y, opacity in enumerate([128] * 6 + [0] * 4):
        for x in range(64, WIDTH):
            pixels[(y * WIDTH + x) * samples + samples - 1] = opacity
    return bytes(pixels)


def document_in(model, depth, profile):
    """A document of this colour space with the picture and a map that is white in RIGHT."""
    gray = model == "GRAYA"
    document = desk.app.createDocument(WIDTH, HEIGHT, "space", model, depth, profile, 72.0)
    layer = document.rootNode().childNodes()[0]
    own = space_of(layer)
    layer.setColorSpace("GRAYA" if gray else "RGBA", "U8", GRAY if gray else SRGB)
    layer.setPixelData(picture("GRAYA" if gray else "RGBA"), *SIZE)
    layer.setPixelData(glaring("GRAYA" if gray else "RGBA", "U8"), *GLARING)
    layer.setColorSpace(*own)
    if model in ("RGBA", "GRAYA"):
        layer.setPixelData(glaring(model, depth), *GLARING)
    strength = document.createNode("Map", "paintlayer")
    strength.setColorSpace("GRAYA", "U8", GRAY)
    strength.setPixelData(b"\xff\xff" * (RIGHT[2] * RIGHT[3]), *RIGHT)
    document.rootNode().addChildNode(strength, layer)
    strength.setVisible(False)
    document.refreshProjection()
    desk.app.activeWindow().addView(document)
    yield from desk.until(lambda: desk.active(document), "the new document is active")
    yield from desk.activate(document, layer)
    return document, layer, strength


def glaring(model, depth):
    """Pure colours at the ends of the range, and in floats beyond them."""
    code, top = desk.FORMATS[depth]
    far, none = (top, 0) if isinstance(top, int) else (3.5, -0.25)
    pure = (
        [[far]] if model == "GRAYA" else [[far, none, none], [none, far, none], [none, none, far]]
    )
    if isinstance(top, int):
        pure = [colour[::-1] for colour in pure]
    colours = [pure[index // 64 % len(pure)] for index in range(GLARING[2] * GLARING[3])]
    values = [value for colour in colours for value in (*colour, top)]
    return struct.pack(f"<{len(values)}{code}", *values)


# Colour spaces


def space_check(model, depths, profile, raw, unchanged=0.0):
    """In each depth: LEFT has the source's values, and RIGHT the dream as in U8 sRGB.

    Args:
        raw: whether the pixels are sent unconverted: then LEFT is identical, else half floats may
            differ by one step.
        unchanged: the largest difference allowed in LEFT otherwise, as a fraction of the range.
    """
    failures = []
    for depth in depths:
        full_name = next(
            (p for p in desk.app.profiles(model, depth) if p.startswith(profile)), None
        )
        assert full_name is not None, f"this Krita has no {profile} for {model} {depth}"
        _, source, strength = yield from document_in(model, depth, full_name)
        space = space_of(source)
        before = bytes(source.pixelData(*SIZE))
        layer = yield from dream(strength=strength.uniqueId())
        after = bytes(layer.pixelData(*SIZE))
        if space_of(layer) != space or space != (model, depth, full_name):
            failures.append(f"{space} has become {space_of(layer)}")
        if bytes(source.pixelData(*SIZE)) != before:
            failures.append(f"{space}: the source has changed")
        if alpha(after, model, depth) != alpha(before, model, depth):
            failures.append(f"{space}: the opacity has changed")
        if raw and source.pixelData(*LEFT) != layer.pixelData(*LEFT):
            failures.append(f"{space}: changed in LEFT")
        off, far, odd = compared(source, layer, depth)
        print(f"{space}: LEFT differs by {off:.2g}; RIGHT by {far:.2f}, from sRGB by {odd:.2f}")
        if off > (2e-3 if depth == "F16" else unchanged) or far < 4 or odd > far / 2:
            failures.append(f"{space}: {off=} {far=} {odd=}")
        yield from desk.close_documents()
    assert not failures, "\n".join(failures)


def alpha(pixels, model, depth):
    """The opacity of all pixels."""
    samples = {"RGBA": 4, "GRAYA": 2, "CMYKA": 5, "LABA": 4}[model]
    code, _ = desk.FORMATS[depth]
    return struct.unpack(f"<{len(pixels) // struct.calcsize(code)}{code}", pixels)[
        samples - 1 :: samples
    ]


def furthest(one, other, depth, box):
    """The largest difference of two layers of one space in a box, as a fraction of the range."""
    code, top = desk.FORMATS[depth]
    values = []
    for layer in (one, other):
        pixels = bytes(layer.pixelData(*box))
        values.append(struct.unpack(f"<{len(pixels) // struct.calcsize(code)}{code}", pixels))
    return max(abs(a - b) for a, b in zip(*values, strict=True)) / top


def compared(source, layer, depth):
    """The differences of source and dream in LEFT and RIGHT, and of the U8 sRGB dream in RIGHT.

    In LEFT the largest, as a fraction of the range; in RIGHT the mean in U8, of 255.
    """
    space = ("GRAYA", "U8", GRAY) if source.colorModel() == "GRAYA" else ("RGBA", "U8", SRGB)
    before, after = converted(source, space), converted(layer, space)
    if source.colorModel() == "CMYKA":  # the same colour may have other ink values
        return apart(before, after, LEFT) / 255, apart(before, after, RIGHT), 0.0
    reference = references.setdefault(space, after)
    off = furthest(source, layer, depth, LEFT)
    return off, apart(before, after, RIGHT), apart(reference, after, RIGHT)


def apart(one, other, box):
    """The mean difference of two pictures of the canvas's size in a box, below the bands."""
    samples = len(one) // (WIDTH * HEIGHT)
    total = count = 0
    for y in range(12, HEIGHT):
        start = (y * WIDTH + box[0]) * samples
        row = slice(start, start + box[2] * samples)
        total += sum(abs(a - b) for a, b in zip(one[row], other[row], strict=True))
        count += box[2] * samples
    return total / count


def check_rgba_in_srgb():
    yield from space_check("RGBA", DEPTHS, SRGB, raw=True)


def check_rgba_in_linear_light():
    yield from space_check("RGBA", DEPTHS, LINEAR, raw=True)


def check_graya_in_srgb():
    yield from space_check("GRAYA", DEPTHS, GRAY, raw=True)


def check_graya_in_linear_light():
    yield from space_check("GRAYA", DEPTHS, GRAY_LINEAR, raw=True)


def check_rgba_in_a_wide_gamut_of_linear_light():
    yield from space_check("RGBA", DEPTHS, "Rec2020-elle-V4-g10", raw=False, unchanged=1e-4)


def check_rgba_in_a_wide_gamut():
    yield from space_check("RGBA", DEPTHS, "ClayRGB-elle-V4-srgbtrc", raw=False, unchanged=1e-4)


def check_graya_with_another_gamma():
    yield from space_check("GRAYA", DEPTHS, "Gray-D50-elle-V2-g22", raw=False, unchanged=1e-4)


def check_cmyk():
    """Krita's own conversion there and back changes the ink values of a colour."""
    yield from space_check("CMYKA", ("U8", "U16", "F32"), "Artifex CMYK", raw=False, unchanged=0.03)


def check_lab():
    yield from space_check("LABA", ("U16",), "Lab identity", raw=False, unchanged=1e-3)


def check_layer_in_another_space_than_its_picture():
    document = yield from desk.new_document(WIDTH, HEIGHT)
    layer = document.createNode("Grey", "paintlayer")
    layer.setColorSpace("GRAYA", "F32", GRAY_LINEAR)
    layer.setPixelData(desk.drawing(WIDTH, HEIGHT, "GRAYA", "F32"), *SIZE)
    document.rootNode().addChildNode(layer, None)
    yield from desk.activate(document, layer)
    dreamt = yield from dream()
    assert space_of(dreamt) == ("GRAYA", "F32", GRAY_LINEAR), space_of(dreamt)
    assert dreamt.pixelData(*SIZE) != layer.pixelData(*SIZE)


# Selections


def soft_selection(document):
    """Select a diamond that fades towards its edge; returns its box."""
    place = (28, 16, 44, 38)
    values = [
        max(0, 255 - 12 * (abs(2 * x - place[2]) + abs(2 * y - place[3]) - 12) // 2)
        for y in range(place[3])
        for x in range(place[2])
    ]
    selection = Selection()
    selection.setPixelData(bytes(min(value, 255) for value in values), *place)
    document.setSelection(selection)
    yield from desk.until(lambda: document.selection() is not None, "there is a selection")
    yield 200
    chosen = document.selection()
    box = (chosen.x(), chosen.y(), chosen.width(), chosen.height())
    assert len(set(bytes(chosen.pixelData(*box)))) > 10, "the edge is not soft"
    return box


def set_selected_as(choice):
    desk.app.writeSetting(*reader.SELECTED_AS[:2], choice)


def in_selection(choice, model="RGBA", depth="U8", profile=""):
    """Dream in a soft selection; returns layer, selection, its box, and the picture."""
    document = yield from desk.new_document(WIDTH, HEIGHT, model, depth, profile)
    place = yield from soft_selection(document)
    chosen = bytes(document.selection().pixelData(*place))
    before = bytes(document.pixelData(*SIZE))
    set_selected_as(choice)
    try:
        layer = yield from dream(recipe_of(**STRONG, seed=5))
    finally:
        set_selected_as("alpha")
    document.waitForDone()
    after = bytes(document.pixelData(*SIZE))
    assert after != before, "nothing was dreamed"
    size = len(after) // (WIDTH * HEIGHT)
    outside = set(range(WIDTH * HEIGHT))
    for y in range(place[1], place[1] + place[3]):
        outside -= set(range(y * WIDTH + place[0], y * WIDTH + place[0] + place[2]))
    changed = [
        i for i in outside if after[size * i : size * (i + 1)] != before[size * i : size * (i + 1)]
    ]
    assert not changed, f"{len(changed)} pixels have changed outside the selection"
    return layer, chosen, place, after


def check_selection_as_alpha():
    layer, chosen, place, _ = yield from in_selection("alpha")
    assert not layer.childNodes()
    assert bytes(layer.pixelData(*place))[3::4] == chosen, "the opacity is not the selection"


def check_selection_as_transparency_mask():
    """It looks as with the selection as alpha, and the mask can be painted on."""
    *_, with_alpha = yield from in_selection("alpha")
    yield from desk.close_documents()
    layer, chosen, place, with_mask = yield from in_selection("mask")
    [mask] = layer.childNodes()
    assert mask.type() == "transparencymask", mask.type()
    assert bytes(mask.pixelData(*place)) == chosen, "the mask is not the selection"
    assert set(bytes(layer.pixelData(*place))[3::4]) == {255}, "the layer is not opaque below"
    apart = [abs(a - b) for a, b in zip(with_alpha, with_mask, strict=True)]
    assert max(apart) <= 12 and sum(apart) / len(apart) < 1, f"it looks different: {max(apart)}"
    case.screenshot("transparency-mask")
    document = desk.app.activeDocument()
    node_id = layer.uniqueId()
    yield from desk.undo()
    assert document.nodeByUniqueID(node_id) is None, "one undo does not remove it"
    yield from desk.redo()
    redone = document.nodeByUniqueID(node_id)
    assert bytes(redone.childNodes()[0].pixelData(*place)) == chosen
    assert bytes(document.pixelData(*SIZE)) == with_mask


def check_selection_as_transparency_mask_in_a_wide_gamut():
    layer, chosen, place, _ = yield from in_selection(
        "mask", "RGBA", "U16", "Rec2020-elle-V4-g10.icc"
    )
    assert space_of(layer) == ("RGBA", "U16", "Rec2020-elle-V4-g10.icc"), space_of(layer)
    assert bytes(layer.childNodes()[0].pixelData(*place)) == chosen


def check_selection_beyond_the_canvas():
    document = yield from desk.new_document(WIDTH, HEIGHT)
    selection = Selection()
    selection.select(-50, 30, 100, 300, 255)
    document.setSelection(selection)
    yield from desk.until(lambda: document.selection() is not None, "there is a selection")
    layer = yield from dream()
    assert desk.box(layer) == (0, 30, 50, HEIGHT - 30), desk.box(layer)


# Layers


def shown_check(document, source, place=SIZE):
    """A dream on what a layer shows is added directly above it."""
    yield from desk.activate(document, source)
    seen = bytes(source.projectionPixelData(*place))
    recipe = recipe_of(strength=0.0)
    layer = yield from dream(recipe)
    assert layer.type() == "paintlayer" and desk.box(layer) == place, desk.box(layer)
    assert bytes(layer.pixelData(*place)) == seen, (
        "the dream of strength 0 is not what the layer shows"
    )
    siblings = [node.uniqueId() for node in source.parentNode().childNodes()]
    assert siblings.index(layer.uniqueId()) == siblings.index(source.uniqueId()) + 1
    yield from desk.activate(document, source)
    layer = yield from dream()
    assert bytes(layer.pixelData(*place)) != seen, "nothing was dreamed"


def added(document, layer, *shown_at):
    document.rootNode().addChildNode(layer, None)
    yield from desk.until(
        lambda: any(bytes(layer.projectionPixelData(*shown_at))), "the layer shows something"
    )
    yield 300  # until all of it does
    document.waitForDone()


def check_text_layer():
    document = yield from desk.new_document(WIDTH, HEIGHT)
    text = document.createVectorLayer("Words")
    text.addShapesFromSvg(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">'
        '<text x="4" y="52" font-size="56" fill="#c04080">Ab</text></svg>'
    )
    assert text.shapes()[0].type() == "KoSvgTextShapeID", text.shapes()[0].type()
    yield from added(document, text, *SIZE)
    yield from shown_check(document, text, desk.box(text))


def check_fill_layer():
    document = yield from desk.new_document(WIDTH, HEIGHT)
    everything = Selection()
    everything.select(*SIZE, 255)
    fill = document.createFillLayer("Paint", "color", InfoObject(), everything)
    yield from added(document, fill, *SIZE)
    yield from shown_check(document, fill)


def check_file_layer():
    document = yield from desk.new_document(WIDTH, HEIGHT)
    file = document.createFileLayer("Photo", case.picture, "None")
    yield from added(document, file, *SIZE)
    yield from shown_check(document, file)


def check_layer_with_a_transparency_mask():
    """The dream does not show what the layer's mask hides."""
    document = yield from desk.new_document(WIDTH, HEIGHT)
    layer = document.rootNode().childNodes()[0]
    mask = document.createTransparencyMask("Cut-out")
    layer.addChildNode(mask, None)
    shape = Selection()
    shape.select(10, 10, 60, 40, 255)
    mask.setSelection(shape)
    document.refreshProjection()
    document.waitForDone()
    seen = bytes(document.pixelData(*SIZE))[3::4]
    assert set(seen) == {0, 255}, "nothing is cut out"
    yield from desk.activate(document, layer)
    dreamt = yield from dream(recipe_of(strength=0.0))
    assert bytes(dreamt.pixelData(*SIZE)) == bytes(layer.projectionPixelData(*SIZE))
    document.waitForDone()
    assert bytes(document.pixelData(*SIZE))[3::4] == seen, "the dream shows what was hidden"


def check_layer_that_sticks_out():
    """Pixels outside the canvas are not sent and not dreamed on."""
    document = yield from desk.new_document(WIDTH, HEIGHT)
    big = document.createNode("Big", "paintlayer")
    big.setPixelData(desk.drawing(200, 60), -40, 30, 200, 60)
    document.rootNode().addChildNode(big, None)
    yield from desk.activate(document, big)
    layer = yield from dream()
    assert desk.box(layer) == (0, 30, WIDTH, HEIGHT - 30), desk.box(layer)
    assert desk.box(big) == (-40, 30, 200, 60), "the source has changed"


# Guide and strength map


def expect_refusal(recipe, words, **inputs):
    """Reading raises an error with these words and does not change the document."""
    document = desk.app.activeDocument()
    before = (desk.snapshot(document), desk.history())
    try:
        reader.read(recipe, **inputs)
    except reader.DocumentError as error:
        assert words in str(error), error
    else:
        raise AssertionError(f"not refused: {words}")
    assert (desk.snapshot(document), desk.history()) == before, "the document has changed"


def check_guide_from_another_layer():
    """Another guide gives another dream; a large guide is reduced and not changed."""
    document = yield from desk.new_document(WIDTH, HEIGHT)
    source = document.rootNode().childNodes()[0]
    photo = document.createFileLayer("Photo", case.picture, "None")
    yield from added(document, photo, *SIZE)
    stripes = document.createNode("Stripes", "paintlayer")
    stripes.setPixelData((b"\0\0\0\xff" * 8 + b"\xff\xff\xff\xff" * 8) * 75 * 700, 0, 0, 1200, 700)
    document.rootNode().addChildNode(stripes, None)
    stripes.setVisible(False)
    recipe = recipe_of(**STRONG, layer="features.10:guide", seed=5)
    dreams = []
    for guide in (photo, stripes):
        yield from desk.activate(document, source)
        layer = yield from dream(recipe, guide=guide.uniqueId())
        dreams.append(bytes(layer.pixelData(*SIZE)))
    assert dreams[0] != dreams[1], "the guide makes no difference"
    layout, pixels = reader.read(recipe, guide=stripes.uniqueId()).guide
    assert (layout.width, layout.height) == (512, 299), layout
    assert len(pixels) == layout.nbytes and set(bytes(pixels)[3::4]) == {255}
    assert 100 < sum(pixels[0::4]) / len(pixels[0::4]) < 155, "the stripes have another brightness"
    assert desk.box(stripes) == (0, 0, 1200, 700)


def check_guide_in_its_own_colours():
    """A guide in linear light is converted by Krita, so that its colours look the same."""
    document = yield from desk.new_document(WIDTH, HEIGHT, "RGBA", "F32", LINEAR)
    guide = document.createNode("Guide", "paintlayer")
    guide.setPixelData(struct.pack("<4f", 0.5, 0.25, 0.75, 1.0) * 64 * 32, 0, 0, 64, 32)
    document.rootNode().addChildNode(guide, None)
    yield from desk.activate(document, document.rootNode().childNodes()[0])
    recipe = recipe_of(layer="features.10:guide")
    layout, pixels = reader.read(recipe, guide=guide.uniqueId()).guide
    assert (layout.width, layout.height, layout.order) == (64, 32, "BGRA"), layout
    blue, green, red, alpha = pixels[4000:4004]
    assert abs(red - 188) <= 1 and abs(green - 137) <= 1 and abs(blue - 225) <= 1, (
        red,
        green,
        blue,
    )
    assert alpha == 255


def check_missing_guides_are_refused():
    document = yield from desk.new_document(WIDTH, HEIGHT)
    other = document.createNode("Other", "paintlayer")
    document.rootNode().addChildNode(other, None)
    yield from desk.activate(document, document.rootNode().childNodes()[0])
    recipe = recipe_of(layer="features.10:guide")
    expect_refusal(recipe, "choose a layer as guide")
    expect_refusal(recipe, "“Other” is empty", guide=other.uniqueId())
    gone = other.uniqueId()
    other.remove()
    expect_refusal(recipe, "chosen as guide is gone", guide=gone)
    expect_refusal(recipe_of(), "chosen as strength map is gone", strength=gone)
    expect_refusal(recipe_of(), "nothing is selected", strength="selection")


def make_half_map(document, layer):
    """Make a layer a map that is white on the right and transparent on the left."""
    right = (WIDTH // 2, 0, WIDTH // 2, HEIGHT)
    layer.setPixelData(b"\xff\xff\xff\xff" * (right[2] * right[3]), *right)
    document.rootNode().addChildNode(layer, None)
    layer.setVisible(False)


def changed_halves(document, layer):
    """Whether the left and the right half of a layer differ from the source."""
    source = document.rootNode().childNodes()[0]
    boxes = [(0, 0, WIDTH // 2, HEIGHT), (WIDTH // 2, 0, WIDTH // 2, HEIGHT)]
    return [source.pixelData(*box) != layer.pixelData(*box) for box in boxes]


def check_strength_map_from_a_layer():
    document = yield from desk.new_document(WIDTH, HEIGHT)
    strength = document.createNode("Map", "paintlayer")
    make_half_map(document, strength)
    yield from desk.activate(document, document.rootNode().childNodes()[0])
    layer = yield from dream(strength=strength.uniqueId())
    assert changed_halves(document, layer) == [False, True]


def check_strength_map_from_a_mask():
    document = yield from desk.new_document(WIDTH, HEIGHT)
    source = document.rootNode().childNodes()[0]
    mask = document.createTransparencyMask("Half")
    source.addChildNode(mask, None)
    chosen = Selection()
    chosen.select(WIDTH // 2, 0, WIDTH // 2, HEIGHT, 255)
    mask.setSelection(chosen)
    mask.setVisible(False)
    assert (mask.uniqueId(), "Background ▸ Half") in reader.list_layers(document, masks=True)
    assert "Half" not in str(reader.list_layers(document))
    yield from desk.activate(document, source)
    layer = yield from dream(strength=mask.uniqueId())
    assert changed_halves(document, layer) == [False, True]


def check_strength_map_from_the_selection():
    """It does not limit the dream: the layer is opaque in the whole selection."""
    document = yield from desk.new_document(WIDTH, HEIGHT)
    place = yield from soft_selection(document)
    layer = yield from dream(strength="selection")
    assert desk.box(layer) == place
    pixels = bytes(layer.pixelData(*place))
    assert set(pixels[3::4]) == {255}, "the layer is not opaque"
    source = bytes(document.rootNode().childNodes()[0].pixelData(*place))
    chosen = bytes(document.selection().pixelData(*place))
    faint = [i for i, value in enumerate(chosen) if value == 0]
    assert faint and all(pixels[4 * i : 4 * i + 4] == source[4 * i : 4 * i + 4] for i in faint)
    assert pixels != source, "nothing was dreamed"


# Changes after the layer was added


def check_layer_is_updated_without_an_undo_step():
    for profile in ("", "Rec2020-elle-V4-g10.icc"):
        document = yield from desk.new_document(WIDTH, HEIGHT, "RGBA", "U16", profile)
        source = reader.read(recipe_of())
        node_id = reader.add_layer(source, "New", bytearray(source.pixels)).node_id
        yield from desk.until(lambda: "Add Layer" in desk.history(), "the step is listed")
        steps = desk.history()
        layer = document.nodeByUniqueID(node_id)
        before = bytes(layer.pixelData(*SIZE))
        empty = bytearray(len(memoryview(source.pixels).cast("B")))
        assert reader.update_layer(node_id, empty, source)
        assert bytes(document.pixelData(*SIZE)) == bytes(
            document.rootNode().childNodes()[0].pixelData(*SIZE)
        ), "the picture does not show it"
        layer.move(10, 5)
        assert reader.update_layer(node_id, bytearray(source.pixels), source)
        assert bytes(layer.pixelData(10, 5, WIDTH, HEIGHT)) == before, (
            "it is not where it was moved"
        )
        yield 300
        assert desk.history() == steps, desk.history()
        layer.remove()
        assert not reader.update_layer(node_id, empty, source)
        desk.close(document)
        assert not reader.update_layer(node_id, empty, source)
        yield from desk.close_documents()


def check_picture_scaled_in_the_middle():
    document = yield from desk.new_document(WIDTH, HEIGHT)
    source = reader.read(recipe_of())
    document.scaleImage(64, 64, 72, 72, "Bicubic")
    yield from desk.until(lambda: document.width() == 64, "the picture is scaled")
    assert "size was changed" in (reader.explain_loss(source) or "")
    assert not reader.update_layer(source.node_id, bytearray(source.pixels), source)
    try:
        reader.add_layer(source, "New", bytearray(source.pixels))
    except reader.DocumentError as error:
        assert "size was changed" in str(error)
    else:
        raise AssertionError("a layer was added")
    assert desk.children(document.rootNode()) == ["Background"]
