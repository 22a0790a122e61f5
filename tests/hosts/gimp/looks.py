"""Inside GIMP: what is dreamed is what is seen of a layer, and the dream takes its place."""

import sys

import case

sys.path.insert(0, case.arguments["scripts"])
from desk import (
    FAST,
    SUCCESS,
    call,
    deep_dream,
    new_below,
    photo_part,
    pixels,
    run_checks,
    snapshot,
)
from gi.repository import Gimp
from looking import ALLOWED, ZERO, add_filter, changes, seen

MODES, CLIPPINGS = Gimp.LayerMode, Gimp.LayerCompositeMode
INVERT = "gegl:invert-gamma"
RGBA = "R'G'B'A u8"


def source_on_blue(width=80, height=60):
    """A layer with alpha above a blue one."""
    image, layer = photo_part(width, height, alpha=True)
    new_below(image, layer, "#2040c0")
    return image, layer


def unchanged(image, drawable, **arguments):
    """Dream at strength 0, and assert that nothing that is seen changes; the dream's layer."""
    before = seen(image)
    made = deep_dream(image, [drawable], **{**ZERO, **arguments}).layer
    share = changes(before, seen(image))
    assert share <= ALLOWED, f"{share:.1%} of the samples changed"
    return made


def refused(image, drawable, *words, **arguments):
    """Assert that the call fails with these words and changes nothing."""
    image.clean_all()
    before = snapshot(image)
    answer = deep_dream(image, [drawable], **{**FAST, **arguments})
    assert answer.status != SUCCESS
    for word in words:
        assert word in answer.text, answer.text
    assert snapshot(image) == before


def grouped(image, layer):
    group = Gimp.GroupLayer.new(image, "group")
    image.insert_layer(group, None, 0)
    image.reorder_item(layer, group, 0)
    return group


# What is seen of a layer


def check_filter_of_a_layer():
    image, layer = source_on_blue()
    add_filter(layer, INVERT)
    made = unchanged(image, layer)
    wanted = bytes(255 - value if i % 4 < 3 else value for i, value in enumerate(pixels(layer)))
    off = max(abs(a - b) for a, b in zip(pixels(made), wanted, strict=True))
    assert off <= 1, off
    assert not made.get_filters()


def check_filter_of_a_group():
    image, layer = source_on_blue()
    group = grouped(image, layer)
    add_filter(group, INVERT)
    unchanged(image, group)


def check_filter_that_is_switched_off():
    image, layer = source_on_blue()
    add_filter(layer, INVERT).set_visible(False)
    made = unchanged(image, layer)
    assert pixels(made) == pixels(layer)


def check_shadow_beyond_the_layer():
    """The dream is as large as what is seen, and the shadow is not cast twice."""
    image, layer = source_on_blue(120, 90)
    layer.resize(60, 50, 0, 0)
    add_filter(layer, "gegl:dropshadow", x=20.0, y=15.0, radius=4.0)
    made = unchanged(image, layer)
    assert made.get_width() > 60 + 15, made.get_width()
    assert not layer.get_visible()


def check_filter_and_noise_at_the_place_in_the_image():
    """Noise depends on the place, so it must not be rendered elsewhere."""
    image, layer = source_on_blue()
    layer.set_offsets(-13, -9)
    add_filter(layer, "gegl:noise-rgb", red=0.5, green=0.5, blue=0.5)
    made = unchanged(image, layer)
    assert tuple(made.get_offsets())[1:] == (0, 0)  # no further than the canvas


def check_filtered_layer_outside_the_canvas():
    image, layer = source_on_blue()
    layer.set_offsets(200, 0)
    add_filter(layer, INVERT)
    refused(image, layer, "outside the canvas", "Fit Canvas to Layers")


def check_pass_through_group():
    image, layer = source_on_blue()
    group = grouped(image, layer)
    group.set_mode(MODES.PASS_THROUGH)
    words = "“group” is in pass-through mode", "choose a layer inside it"
    refused(image, group, *words)
    refused(image, layer, *words, strength_map=group)
    refused(image, layer, *words, guide=group, layer="features.5:guide")
    unchanged(image, layer)


def check_mask_that_is_shown():
    image, layer = source_on_blue()
    layer.add_mask(layer.create_mask(Gimp.AddMaskType.WHITE))
    layer.set_show_mask(True)
    refused(image, layer, "shows its mask", "Show Layer Mask")


def check_strength_map_with_a_filter():
    """White that is inverted lets nothing dream."""
    image, layer = source_on_blue()
    white = new_below(image, layer, "white")
    assert deep_dream(image, [layer], **FAST, strength_map=white).status == SUCCESS
    add_filter(white, INVERT)
    refused(image, layer, "The strength map is black", strength_map=white)


def check_strength_map_with_a_mask():
    """What its mask hides lets nothing dream, wherever the map lies."""
    image, layer = source_on_blue()
    white = new_below(image, layer, "white")
    white.set_offsets(-20, 0)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 30, 60)
    white.add_mask(white.create_mask(Gimp.AddMaskType.SELECTION))
    Gimp.Selection.none(image)
    made = deep_dream(image, [layer], **FAST, strength_map=white).layer
    ones, others = pixels(made, RGBA), pixels(layer, RGBA)
    columns = [
        any(ones[i : i + 4] != others[i : i + 4] for i in range(x * 4, len(ones), 80 * 4))
        for x in range(80)
    ]
    assert all(columns[2:28])
    assert not any(columns[30:])


def check_guide_with_filter_and_mask():
    """The same as a guide that has its filter and mask merged into its pixels."""
    image, layer = source_on_blue()
    _, guide = photo_part(80, 60, alpha=True)
    image_of_guide = guide.get_image()
    image_of_guide.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 40, 60)
    guide.add_mask(guide.create_mask(Gimp.AddMaskType.SELECTION))
    recipe = {**FAST, "layer": "features.5:guide", "guide": guide}
    plain = pixels(deep_dream(image, [layer], **recipe).layer)
    add_filter(guide, INVERT)
    filtered = pixels(deep_dream(image, [layer], **recipe).layer)
    merged = Gimp.Layer.new_from_visible(image_of_guide, image_of_guide, "merged")
    image_of_guide.insert_layer(merged, None, 0)
    wanted = pixels(deep_dream(image, [layer], **{**recipe, "guide": merged}).layer)
    assert filtered == wanted
    assert filtered != plain


def check_frames_with_filters():
    image, first = photo_part(64, 48, alpha=True)
    second = first.copy()
    image.insert_layer(second, None, 0)
    add_filter(second, INVERT)
    wanted = seen(image)
    film = deep_dream(image, [first], frames=True, **ZERO).layer.get_image()
    assert changes(wanted, seen(film)) <= ALLOWED


# The dream takes the source's place


def check_multiplied_source():
    image, layer = source_on_blue()
    layer.set_name("Multiplied")
    layer.set_mode(MODES.MULTIPLY)
    layer.set_opacity(60)
    layer.set_blend_space(Gimp.LayerColorSpace.RGB_LINEAR)
    layer.set_composite_space(Gimp.LayerColorSpace.RGB_LINEAR)
    layer.set_composite_mode(CLIPPINGS.UNION)
    made = unchanged(image, layer)
    for get in ("mode", "opacity", "blend_space", "composite_space", "composite_mode"):
        assert getattr(made, f"get_{get}")() == getattr(layer, f"get_{get}")(), get
    assert made.get_visible()
    assert not layer.get_visible()


def check_plain_source_stays():
    image, layer = source_on_blue()
    layer.set_name("Plain")
    unchanged(image, layer)
    assert layer.get_visible()


def check_soft_source():
    image, layer = source_on_blue()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 40, 60)
    layer.edit_clear()
    Gimp.Selection.none(image)
    unchanged(image, layer)
    assert not layer.get_visible()


def check_source_with_a_white_mask_stays():
    image, layer = source_on_blue()
    layer.add_mask(layer.create_mask(Gimp.AddMaskType.WHITE))
    unchanged(image, layer)
    assert layer.get_visible()


def check_hidden_source():
    image, layer = source_on_blue()
    layer.set_name("Hidden")
    add_filter(layer, INVERT)
    shown = seen(image)
    layer.set_visible(False)
    made = unchanged(image, layer)
    assert not made.get_visible()
    made.set_visible(True)
    assert changes(shown, seen(image)) <= ALLOWED


def check_replaced_source_is_dreamed_anew():
    """Its first dream is in its place; the second one takes that over, rather than being hidden."""
    image, layer = source_on_blue()
    layer.set_mode(MODES.MULTIPLY)
    before = seen(image)
    first = unchanged(image, layer)
    second = unchanged(image, layer)
    visible = [one.get_visible() for one in (layer, first, second)]
    assert visible == [False, False, True], visible
    assert image.get_item_position(second) + 1 == image.get_item_position(first)
    assert changes(before, seen(image)) <= ALLOWED


def check_selection_on_a_multiplied_source():
    """Outside the selection nothing changes; inside, both are seen."""
    image, layer = source_on_blue()
    layer.set_name("Partly")
    layer.set_mode(MODES.MULTIPLY)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 10, 10, 40, 30)
    before = seen(image)
    made = deep_dream(image, [layer], **ZERO).layer
    inside = bytearray(80 * 60)
    for y in range(10, 40):
        inside[y * 80 + 10 : y * 80 + 50] = b"\1" * 40
    assert changes(before, seen(image), inside) == 0
    assert layer.get_visible()
    assert made.get_mode() == MODES.MULTIPLY


def check_selection_of_all():
    """Nothing of the source is left to see, so the dream takes its place; also beside it."""
    image, layer = source_on_blue()
    layer.set_mode(MODES.MULTIPLY)
    layer.set_offsets(-10, 5)
    Gimp.Selection.all(image)
    unchanged(image, layer)
    assert not layer.get_visible()


def check_selection_on_a_source_that_clears_its_surroundings():
    """Clipping to the layer would make the dream of a part clear the rest."""
    for clipping in (CLIPPINGS.CLIP_TO_LAYER, CLIPPINGS.INTERSECTION):
        image, layer = source_on_blue()
        layer.set_composite_mode(clipping)
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 10, 10, 40, 30)
        unchanged(image, layer)


def check_locked_visibility():
    image, layer = source_on_blue()
    layer.set_lock_visibility(True)
    unchanged(image, layer)
    image.remove_layer(image.get_layers()[0])
    layer.set_mode(MODES.MULTIPLY)
    refused(image, layer, "visibility", "is locked", "unlock it")


def check_failed_dream_hides_nothing():
    image, layer = source_on_blue()
    layer.set_mode(MODES.MULTIPLY)
    refused(image, layer, "features.99", layer="features.99")
    assert layer.get_visible()


def check_several_layers():
    """Each takes its own place."""
    image, layer = source_on_blue()
    other = layer.copy()
    image.insert_layer(other, None, 0)
    other.set_mode(MODES.SCREEN)
    before = seen(image)
    assert deep_dream(image, [layer, other], **ZERO).status == SUCCESS
    assert changes(before, seen(image)) <= ALLOWED
    assert layer.get_visible()
    assert not other.get_visible()


def check_dream_again_takes_the_dreams_place():
    image, layer = source_on_blue()
    layer.set_mode(MODES.MULTIPLY)
    before = seen(image)
    first = deep_dream(image, [layer], **ZERO).layer
    second = call("plug-in-dreamlayer-again", image, [first], seed=5).layer
    assert changes(before, seen(image)) <= ALLOWED
    assert [each.get_visible() for each in (second, first, layer)] == [True, False, False]
    assert second.get_mode() == MODES.MULTIPLY


def check_dream_again_where_the_first_was_put_aside():
    """Who hides a dream and dreams again wants to see the new one."""
    image, layer = source_on_blue()
    first = deep_dream(image, [layer], **ZERO).layer
    first.set_visible(False)
    second = call("plug-in-dreamlayer-again", image, [layer], seed=5).layer
    assert second.get_visible()


run_checks(dict(globals()))
case.verdict(finished=True)
