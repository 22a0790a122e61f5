"""A layer dreams as it looks, and its dream takes its place in the picture.

`stacks.py` draws layers at random; here each rule has a check of its own.
"""

import case
import desk
import stacks
from krita import QPushButton, QSlider, Selection

from dreamlayer_krita.document import layer_io as reader

SIZE = (0, 0, 128, 96)
BOX = (20, 16, 70, 56)
ZERO = {"layer": "features.5", "steps": 1, "strength": 0.0}
# The first octave is done soon, the second one takes a while.
LONG = {
    "octaves": 2, "octave_scale": 3.0, "steps": 60, "noise": 0.1, "noise_samples": 4,
    "layer": "features.10",
}  # fmt: skip
PLACE = "is hidden, because its dream takes its place."


def run(_document):
    yield from desk.close_documents()
    desk.docker().setVisible(True)
    desk.docker().raise_()
    desk.app.activeWindow().qwindow().showMaximized()
    yield 500
    yield from desk.run_checks(globals())


# What the checks share


def on_paper(alpha=255, name="Paint", box=BOX):
    """A document with a filled Background and a layer of waves on it, which is active."""
    document = yield from desk.new_document(*SIZE[2:])
    layer = painted(document, name, alpha, box)
    yield from desk.activate(document, layer)
    return document, layer


def painted(document, name="Paint", alpha=255, box=BOX, parent=None):
    pixels = bytearray(desk.drawing(*box[2:]))
    pixels[3::4] = bytes([alpha]) * (box[2] * box[3])
    layer = document.createNode(name, "paintlayer")
    layer.setPixelData(bytes(pixels), *box)
    (parent or document.rootNode()).addChildNode(layer, None)
    return layer


def seen(document):
    document.refreshProjection()
    document.waitForDone()
    return bytes(document.pixelData(*SIZE))


def close(one, other):
    """Whether two pictures differ by at most 1 of 255 in all but a thousandth of their samples."""
    off = sum(abs(a - b) > 1 for a, b in zip(one, other, strict=True))
    return off <= len(one) / 1000


def dreamed(document, source, **recipe):
    """Dream; returns the new layer and what the user was told about it."""
    before = seen(document)
    yield from desk.activate(document, source)
    new = yield from desk.dream(**{**ZERO, **recipe})
    if not recipe.get("strength"):
        assert close(before, bytes(document.pixelData(*SIZE))), "the picture has changed"
        assert close(before, seen(document)), "the picture changes when it is composed again"
    return new, desk.message().partition("seed ")[2].partition(". ")[2]


def alike(one, other):
    """Whether two layers are composed in the same way."""
    ways = (lambda n: n.blendingMode(), lambda n: n.opacity(), lambda n: n.inheritAlpha())
    return all(way(one) == way(other) for way in ways)


def is_now(snapshot):
    return desk.snapshot(desk.app.activeDocument()) == snapshot


def directly_above(new, layer):
    ids = [node.uniqueId() for node in layer.parentNode().childNodes()]
    return ids.index(new.uniqueId()) == ids.index(layer.uniqueId()) + 1


def select(document, x, y, width, height):
    selection = Selection()
    selection.select(x, y, width, height, 255)
    document.setSelection(selection)
    yield from desk.until(lambda: document.selection() is not None, "there is a selection")


# The new layer in the place of its source


def check_plain_layer_stays_visible():
    document, layer = yield from on_paper()
    new, note = yield from dreamed(document, layer)
    assert layer.visible() and new.visible() and not note, note
    assert alike(new, layer) and directly_above(new, layer)


def check_layer_that_would_count_twice_is_replaced():
    ways = {
        "multiply": lambda layer: layer.setBlendingMode("multiply"),
        "translucent": lambda layer: layer.setOpacity(80),
        "soft": lambda layer: None,
        "clipped": lambda layer: (layer.setInheritAlpha(True), layer.setBlendingMode("screen")),
    }
    for way, change in ways.items():
        document, layer = yield from on_paper(alpha=120 if way == "soft" else 255)
        change(layer)
        yield 200
        before, steps = (seen(document), desk.snapshot(document)), desk.history()
        new, note = yield from dreamed(document, layer)
        assert note == f"“Paint” {PLACE}", (way, note)
        assert not layer.visible() and new.visible(), way
        assert alike(new, layer) and directly_above(new, layer), way
        assert desk.history() == [*steps, "Add Layer"], desk.history()
        after = desk.snapshot(document)
        case.screenshot(f"replaced-{way}")
        yield from desk.undo()
        yield from desk.until(lambda state=before[1]: is_now(state), f"{way}: undone", 5)
        assert seen(document) == before[0]
        yield from desk.redo()
        yield from desk.until(lambda state=after: is_now(state), f"{way}: redone", 5)
        yield from desk.close_documents()


def check_clipped_layer_does_not_spill():
    """In a group, above a shape; another clipped layer stays clipped as before."""
    document = yield from desk.new_document(*SIZE[2:])
    group = document.createGroupLayer("Group")
    document.rootNode().addChildNode(group, None)
    painted(document, "Shape", box=(40, 30, 30, 30), parent=group)
    layer = painted(document, "Shade", box=(10, 10, 100, 80), parent=group)
    upper = painted(document, "Light", alpha=90, box=(30, 20, 60, 50), parent=group)
    for node in (layer, upper):
        node.setInheritAlpha(True)
    upper.setBlendingMode("add")
    new, note = yield from dreamed(document, layer)
    assert new.inheritAlpha() and layer.visible() and not note, note
    assert desk.children(group)[1:] == ["Shade", new.name(), "Light"], desk.children(group)
    yield from desk.activate(document, layer)
    new = yield from desk.dream(layer="features.10", steps=6, step_size=6.0, strength=1.5)
    case.screenshot("clipped-dream")


def check_switched_off_channels_are_taken_over():
    document, layer = yield from on_paper()
    layer.channels()[2].setVisible(False)
    new, _ = yield from dreamed(document, layer)
    assert [c.visible() for c in new.channels()] == [True, True, False, True]


def check_translucent_group_is_replaced():
    document = yield from desk.new_document(*SIZE[2:])
    group = document.createGroupLayer("Group")
    document.rootNode().addChildNode(group, None)
    painted(document, parent=group)
    group.setOpacity(90)
    new, note = yield from dreamed(document, group)
    assert note == f"“Group” {PLACE}" and new.opacity() == 90 and not group.visible()


def check_hidden_layer_has_a_hidden_dream():
    document, layer = yield from on_paper()
    layer.setBlendingMode("multiply")
    layer.setVisible(False)
    new, note = yield from dreamed(document, layer)
    assert note == "“Paint” is hidden, and so is its dream: show it in the layer list.", note
    assert not new.visible() and not layer.visible() and alike(new, layer)


def check_selection_counts_twice_and_says_so():
    document, layer = yield from on_paper()
    layer.setBlendingMode("multiply")
    yield from desk.activate(document, layer)
    before = seen(document)
    yield from select(document, 30, 30, 24, 20)
    new = yield from desk.dream(**ZERO)
    after = seen(document)
    expected = (
        "Inside the selection “Paint” now counts twice (it is set to Multiply): hide or erase it"
        " there, or dream without a selection."
    )
    assert expected in desk.message(), desk.message()
    assert layer.visible() and alike(new, layer)
    inside = {y * 128 + x for y in range(30, 50) for x in range(30, 54)}
    changed = {at // 4 for at in range(len(before)) if before[at] != after[at]}
    assert changed and changed <= inside, "it has changed outside the selection"
    case.screenshot("selection-multiply")


def check_selection_in_a_plain_layer_changes_nothing():
    document, layer = yield from on_paper()
    yield from select(document, 30, 30, 24, 20)
    _, note = yield from dreamed(document, layer)
    assert not note and layer.visible(), note


def check_everything_selected_is_the_whole_layer():
    document, layer = yield from on_paper()
    layer.setOpacity(120)
    yield from select(document, *SIZE)
    _, note = yield from dreamed(document, layer)
    assert note == f"“Paint” {PLACE}" and not layer.visible(), note


# While it dreams, and afterwards


def check_cancelled_dream_shows_its_source_again():
    document, layer = yield from on_paper()
    layer.setBlendingMode("multiply")
    before = seen(document), desk.snapshot(document)
    desk.fill_form(**LONG)
    desk.trigger()
    yield from desk.until(lambda: not layer.visible(), "the dream grows in its place")
    assert desk.busy() and document.rootNode().childNodes()[-1].blendingMode() == "multiply"
    desk.part(QPushButton, "cancel").click()
    yield from desk.until(lambda: desk.snapshot(document) == before[1], "it is as before", 10)
    assert seen(document) == before[0]


def check_undone_growing_layer_shows_its_source_again():
    document, layer = yield from on_paper(alpha=99)
    before = desk.snapshot(document)
    desk.fill_form(**LONG)
    desk.trigger()
    yield from desk.until(lambda: not layer.visible(), "the dream grows in its place")
    yield 100
    document.waitForDone()  # Krita ignores undo while it works on the picture
    yield from desk.undo()
    yield from desk.until(lambda: not desk.busy(), "the dream ends", 30)
    yield from desk.until(lambda: desk.snapshot(document) == before, "it is as before", 10)


def check_sliders_keep_the_place():
    document, layer = yield from on_paper(alpha=150)
    before = seen(document)
    new, _ = yield from dreamed(document, layer, strength=1.5, steps=4, layer="features.10")
    assert not close(before, seen(document)), "nothing was dreamed"
    desk.part(QSlider, "slide_strength").setValue(0)
    yield from desk.until(lambda: close(before, bytes(document.pixelData(*SIZE))), "as before", 20)
    assert not layer.visible() and new.visible()


def check_again_takes_the_place_of_the_first_dream():
    document, layer = yield from on_paper()
    layer.setBlendingMode("multiply")
    before = desk.snapshot(document)
    first, _ = yield from dreamed(document, layer, strength=1.0)
    middle = seen(document)
    desk.app.action("dreamlayer_again").trigger()
    yield from desk.until(lambda: len(desk.nodes(document)) == 4, "a layer is added")
    yield from desk.finish()
    second = document.rootNode().childNodes()[-1]
    assert f"“{first.name()}” is hidden, because the new dream takes its place." in desk.message()
    assert (layer.visible(), first.visible(), second.visible()) == (False, False, True)
    assert alike(second, layer) and close(middle, seen(document)), "the dreams count twice"
    yield from desk.undo()
    yield from desk.until(first.visible, "the first dream is back", 5)
    assert not layer.visible() and seen(document) == middle
    yield from desk.undo()
    yield from desk.until(lambda: desk.snapshot(document) == before, "the layer is back", 5)


def check_replaced_layer_is_dreamed_anew():
    """Its first dream is in its place; the second one takes that over, rather than being hidden."""
    document, layer = yield from on_paper(alpha=150)
    before = seen(document)
    first, _ = yield from dreamed(document, layer)
    second, note = yield from dreamed(document, layer)
    assert f"“{first.name()}” is hidden, because the new dream takes its place." in note, note
    assert (layer.visible(), first.visible(), second.visible()) == (False, False, True)
    assert document.rootNode().childNodes()[-1].uniqueId() == second.uniqueId()
    assert close(before, seen(document)), "the dreams count twice"
    yield from desk.undo()
    yield from desk.until(first.visible, "the first dream is back", 5)
    assert not layer.visible()


def check_merged_or_deleted_dream_leaves_its_source_hidden():
    document, layer = yield from on_paper(alpha=99)
    new, _ = yield from dreamed(document, layer)
    upper = painted(document, "Upper", alpha=80)
    yield from desk.activate(document, upper)
    before = seen(document)
    desk.app.action("merge_layer").trigger()
    gone = new.uniqueId()
    yield from desk.until(lambda: document.nodeByUniqueID(gone) is None, "they are merged", 10)
    yield 300
    assert not layer.visible(), "the source is shown again, beside the picture that has it"
    apart = [abs(a - b) for a, b in zip(before, seen(document), strict=True)]
    print(f"merging: off by {sum(apart) / len(apart):.2f} in the mean, {max(apart)} at most")
    assert sum(apart) / len(apart) < 1, "merging has changed the picture"


# What is read


def masked_alike(document, layer, add):
    """The dream of a hidden layer with a mask is what the layer shows when it is shown."""
    layer.setVisible(False)
    yield 100
    add(document, layer)
    document.refreshProjection()
    document.waitForDone()
    yield 500  # Krita computes a transform mask and sets the modified flag a moment later
    before = desk.snapshot(document), document.modified()
    desk.fill_form(**ZERO)
    source = reader.read(desk.session().recipe(), where=reader.DreamTarget(layer, None))
    assert (desk.snapshot(document), document.modified()) == before, "reading leaves traces"
    layer.setVisible(True)
    seen(document)
    place = source.place
    assert bytes(source.pixels) == bytes(layer.projectionPixelData(*place)), add.__name__
    assert bytes(source.pixels) != bytes(layer.pixelData(*place)), f"{add.__name__}: no effect"
    return place


def check_masks_of_a_hidden_layer_count():
    for add in (stacks.inverted, stacks.blurred, stacks.cut_out, stacks.transformed):
        document, layer = yield from on_paper()
        steps = desk.history()
        place = yield from masked_alike(document, layer, add)
        print(add.__name__, place, desk.history()[len(steps) :])
        if add is stacks.blurred:
            assert place.width > BOX[2] and place.height > BOX[3], "the blurred edge is missing"
        yield from desk.close_documents()


def check_layer_style_counts():
    document, layer = yield from on_paper()
    plain = seen(document)
    layer.setLayerStyleFromAsl(stacks.STYLE)
    assert seen(document) != plain, "the style has no effect"
    new, note = yield from dreamed(document, layer)
    assert note == f"“Paint” {PLACE}", note
    assert desk.box(new)[2] > BOX[2], "the shadow is missing"


def check_hidden_group_is_up_to_date():
    document = yield from desk.new_document(*SIZE[2:])
    group = document.createGroupLayer("Group")
    document.rootNode().addChildNode(group, None)
    inner = painted(document, parent=group)
    yield 200
    group.setVisible(False)
    seen(document)
    inner.setPixelData(bytes((10, 10, 200, 255)) * (BOX[2] * BOX[3]), *BOX)
    document.waitForDone()
    new, _ = yield from dreamed(document, group)
    assert bytes(new.pixelData(30, 30, 1, 1)) == bytes((10, 10, 200, 255))


def check_strength_map_is_read_as_it_looks():
    document = yield from desk.new_document(*SIZE[2:])
    bottom = document.rootNode().childNodes()[0]
    white = document.createNode("Map", "paintlayer")
    white.setPixelData(b"\xff" * (4 * 128 * 96), *SIZE)
    white.setVisible(False)
    document.rootNode().addChildNode(white, None)
    stacks.inverted(document, white)
    yield from desk.activate(document, bottom)
    recipe = desk.session().recipe()
    for shown in (False, True):
        white.setVisible(shown)
        seen(document)
        map_ = reader.read(recipe, strength=white.uniqueId()).strength
        assert bytes(map_.frame[:4]) == b"\0\0\0\xff", (shown, bytes(map_.frame[:4]))


def check_guide_is_read_as_it_looks():
    document = yield from desk.new_document(*SIZE[2:])
    bottom = document.rootNode().childNodes()[0]
    guide = document.createNode("Guide", "paintlayer")
    guide.setPixelData(bytes((250, 250, 250, 255)) * (64 * 32), 10, 10, 64, 32)
    document.rootNode().addChildNode(guide, None)
    stacks.inverted(document, guide)
    yield from desk.activate(document, bottom)
    desk.fill_form(layer="features.10:guide")
    recipe = desk.session().recipe()
    for shown in (True, False):
        guide.setVisible(shown)
        seen(document)
        layout, pixels = reader.read(recipe, guide=guide.uniqueId()).guide
        assert (layout.width, layout.height) == (64, 32), layout
        assert set(pixels[0::4]) == {5} and set(pixels[3::4]) == {255}, (shown, pixels[:8])


def check_layers_without_a_look_of_their_own_are_refused():
    document = yield from desk.new_document(*SIZE[2:])
    bottom = document.rootNode().childNodes()[0]
    group = document.createGroupLayer("Group")
    document.rootNode().addChildNode(group, None)
    painted(document, parent=group)
    group.setPassThroughMode(True)
    effect = document.createFilterLayer("Effect", desk.app.filter("invert"), stacks.everything())
    document.rootNode().addChildNode(effect, None)
    yield from desk.activate(document, bottom)
    desk.fill_form(layer="features.10:guide")
    recipe = desk.session().recipe()
    for node, words in ((group, "“Group” is in pass-through mode"), (effect, "“Effect” has no")):
        own = reader.DreamTarget(node, None)
        for inputs in (
            {"where": own, "guide": bottom.uniqueId()},
            {"guide": node.uniqueId()},
            {"guide": bottom.uniqueId(), "strength": node.uniqueId()},
        ):
            try:
                reader.read(recipe, **inputs)
            except reader.DocumentError as error:
                assert words in str(error), error
            else:
                raise AssertionError(f"not refused: {node.name()} {inputs}")
