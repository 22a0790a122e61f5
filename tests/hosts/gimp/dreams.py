"""Inside GIMP: dreams over the PDB, and the layers that they add."""

import hashlib
import struct
import sys

import case

sys.path.insert(0, case.arguments["scripts"])
from desk import (
    FAST,
    GRAY,
    PAINTED,
    PLUGIN,
    RGB,
    as_stored,
    ask_daemon,
    deep_dream,
    open_photo,
    photo_part,
    pixels,
    projection,
    recipe_of,
    run_checks,
    snapshot,
)
from gi.repository import Gegl, Gimp

P = Gimp.Precision
ENCODED = {False: "R'G'B'A float", True: "Y'A float"}  # as sRGB is; for images in colour, in gray
LINEAR = {False: "RGBA float", True: "YA float"}
RGBA, GRAYA = Gimp.ImageType.RGBA_IMAGE, Gimp.ImageType.GRAYA_IMAGE


def check_photo():
    """Saves the layer's pixels for the test outside, which asks the daemon for the same dream."""
    image, source = open_photo()
    before = snapshot(image)
    layer = deep_dream(image, [source], **FAST).layer
    assert image.get_layers() == [layer, source]
    assert image.get_selected_layers() == [layer]
    assert layer.get_name() == "Dream of Background (features.5, seed 7)", layer.get_name()
    assert (layer.get_width(), layer.get_height()) == (451, 300)
    assert tuple(layer.get_offsets())[1:] == (0, 0)
    assert layer.get_mask() is None
    assert layer.get_opacity() == 100
    assert layer.get_visible()
    assert layer.get_mode() in (Gimp.LayerMode.NORMAL, Gimp.LayerMode.NORMAL_LEGACY)
    assert {name: recipe_of(layer)[name] for name in FAST} == FAST
    case.verdict(photo=hashlib.sha256(pixels(layer, "R'G'B'A u8")).hexdigest())
    image.remove_layer(layer)
    assert snapshot(image)[2:] == before[2:], "the source changed"


def check_group_and_offsets():
    image, source = photo_part()
    top = Gimp.Layer.new(image, "top", 20, 20, RGBA, 100, Gimp.LayerMode.NORMAL)
    group = Gimp.GroupLayer.new(image, "group")
    image.insert_layer(group, None, 0)
    image.insert_layer(top, group, 0)
    image.reorder_item(source, group, 1)
    source.set_offsets(-30, 17)
    layer = deep_dream(image, [source], **FAST).layer
    assert group.get_children() == [top, layer, source], group.get_children()
    assert tuple(layer.get_offsets())[1:] == (-30, 17)
    assert (layer.get_width(), layer.get_height()) == (64, 48)


def check_group_as_source():
    image, source = photo_part()
    group = Gimp.GroupLayer.new(image, "group")
    image.insert_layer(group, None, 0)
    image.reorder_item(source, group, 0)
    layer = deep_dream(image, [group], **FAST).layer
    assert image.get_layers() == [layer, group]
    data = ask_daemon(pixels(group, "R'G'B'A u8"), (64, 48), "U8", "RGBA", FAST)
    assert pixels(layer, "R'G'B'A u8") == data


def select_softly(image):
    Gimp.context_set_feather(True)
    Gimp.context_set_feather_radius(12, 12)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 180, 100, 90, 60)
    Gimp.context_set_feather(False)


def check_selection():
    selection(FAST)


def check_selection_is_painted():
    selection(PAINTED)


def selection(recipe):
    image, source = open_photo()
    source.set_offsets(10, 5)
    select_softly(image)
    chosen = pixels(image.get_selection(), "Y u8")
    _, *box = source.mask_intersect()
    x, y, width, height = box
    seen = (x - 40, y - 40, width + 80, height + 80)
    shown, own = projection(image), pixels(source)

    layer = deep_dream(image, [source], **recipe).layer

    assert tuple(layer.get_offsets())[1:] == (x + 10, y + 5)
    assert (layer.get_width(), layer.get_height()) == (width, height)
    mask = pixels(layer.create_mask(Gimp.AddMaskType.SELECTION), "Y u8")
    data = ask_daemon(
        pixels(source, "R'G'B'A u8", seen), seen[2:], "U8", "RGBA", recipe, (40, 40, width, height),
        mask,
    )  # fmt: skip
    assert data[3::4] == mask
    assert pixels(layer.get_mask(), "Y u8") == mask
    dreamt = pixels(layer, "R'G'B'A u8")
    assert set(dreamt[3::4]) == {255}
    assert all(dreamt[i::4] == data[i::4] for i in range(3))
    assert layer.get_apply_mask()
    assert sum(0 < value < 255 for value in chosen) > 0, "the edge is not soft"
    changed_at_full = 0
    after = projection(image)
    for place, value in enumerate(chosen):
        same = after[4 * place : 4 * place + 4] == shown[4 * place : 4 * place + 4]
        assert same or value, f"pixel {place} outside the selection changed"
        changed_at_full += value == 255 and not same
    assert changed_at_full > 0.9 * chosen.count(255)
    assert pixels(source) == own


def check_selection_partly_beside_the_layer():
    image, source = photo_part()
    source.set_offsets(30, 20)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 50, 40)
    layer = deep_dream(image, [source], **FAST, feather=8.0).layer
    assert tuple(layer.get_offsets())[1:] == (30, 20)
    assert (layer.get_width(), layer.get_height()) == (20, 20)
    mask = pixels(layer.get_mask(), "Y u8")
    assert mask[0] == 255, "the layer's own corner is no edge of the selection"
    assert sorted(mask[:20], reverse=True) == list(mask[:20]), "it does not fall to the right"
    assert mask[19] < 60 > mask[-20], list(mask[:20])


def check_transparent_parts_stay_transparent():
    image, source = photo_part(alpha=True)
    buffer = source.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, 25, 48), "R'G'B'A u8", bytes(25 * 48 * 4))
    buffer.flush()
    layer = deep_dream(image, [source], **FAST).layer
    assert pixels(layer, "A u8") == pixels(source, "A u8")


def try_precision(precision, base=RGB, alpha=False, depth="F32", tolerance=1e-4, profile=None):
    """The network sees an image of any kind as it sees the same one in plain sRGB.

    tolerance: how far the layer may be from the daemon's answer to what we read, in linear light;
    0 where GIMP stores just what travels. Elsewhere babl converts, and not in each process alike.
    """
    image, source = photo_part(precision=precision, base=base, alpha=alpha)
    if profile:
        image.convert_color_profile(profile, Gimp.ColorRenderingIntent.PERCEPTUAL, True)
    gray = base == GRAY
    form = ("Y'A u8" if gray else "R'G'B'A u8") if depth == "U8" else ENCODED[gray]

    layer = deep_dream(image, [source], **FAST).layer
    answer = ask_daemon(pixels(source, form), (64, 48), depth, "GA" if gray else "RGBA", FAST)
    assert layer.has_alpha()
    if tolerance == 0:
        assert pixels(layer, form) == answer
    else:
        kind = GRAYA if gray else RGBA
        expected = as_stored(image, kind, (64, 48), form, answer, LINEAR[gray])
        assert farthest(pixels(layer, LINEAR[gray]), expected) <= tolerance
    assert farthest(pixels(layer, ENCODED[gray]), pixels(source, ENCODED[gray])) > 0.05


def farthest(one, other):
    return max(abs(a - b) for a, b in zip(floats(one), floats(other), strict=True))


def floats(data):
    return struct.unpack(f"<{len(data) // 4}f", data)


def check_8_bit():
    try_precision(P.U8_NON_LINEAR, depth="U8", tolerance=0)


def check_8_bit_gray():
    try_precision(P.U8_NON_LINEAR, GRAY, depth="U8", tolerance=0)


def check_8_bit_linear():
    try_precision(P.U8_LINEAR, tolerance=1.01 / 255)


def check_16_bit():
    try_precision(P.U16_NON_LINEAR)


def check_16_bit_gray_with_alpha():
    try_precision(P.U16_NON_LINEAR, GRAY, alpha=True)


def check_16_bit_half_linear():
    try_precision(P.HALF_LINEAR, tolerance=1e-3)


def check_32_bit_float_linear():
    try_precision(P.FLOAT_LINEAR)


def check_32_bit_float():
    try_precision(P.FLOAT_NON_LINEAR, alpha=True, tolerance=0)


def check_profile_with_a_linear_curve():
    """The network must not see such a picture darker than the user does."""
    linear = Gimp.ColorProfile.new_rgb_srgb_linear()
    try_precision(P.FLOAT_NON_LINEAR, profile=linear)


def check_large_layers_travel_in_strips():
    """GIMP crashes beyond 4 GiB at once; here a strip is limited to three rows."""
    sys.path.insert(0, str(PLUGIN))
    from dreamlayer_gimp.layers import buffers, layouts, lossless
    from dreamlayer_gimp.layers.look import LayerLook
    from dreamlink.picture import Region

    buffers.prepare()
    area = Region(5, 7, 50, 40)
    for has_alpha, precision in (
        (True, P.U8_NON_LINEAR), (False, P.U8_NON_LINEAR), (False, P.U16_PERCEPTUAL),
        (False, P.HALF_LINEAR),
    ):  # fmt: skip
        image, source = photo_part(precision=precision, alpha=has_alpha)
        look = LayerLook.of(source)
        _, form = layouts.layout(image, look.form, area)
        whole = lossless.read(look, area, form)
        assert whole == pixels(source, form, area)
        size = len(whole) // (50 * 40)
        target = Gimp.Layer.new(image, "target", 64, 48, RGBA, 100, Gimp.LayerMode.NORMAL)
        place = area.moved(3, 1)
        kept, buffers.STRIP_BYTES = buffers.STRIP_BYTES, 3 * 50 * size
        try:
            assert len(buffers.strips(area, form)) == 14
            assert lossless.read(look, area, form) == whole
            lossless.write(target, place, form, whole)
            assert pixels(target, form, place) == whole
            lossless.make_opaque(target, place)
        finally:
            buffers.STRIP_BYTES = kept
        colours = form.replace("A ", " ", 1)
        assert pixels(target, colours, place) == pixels(source, colours, area)
        assert set(pixels(target, "A u8", place)) == {255}
        assert not any(pixels(target, form, (0, 0, 64, 8))), "it wrote beside its place"


def check_several_layers():
    image, source = photo_part()
    other = source.copy()
    other.set_name("other")
    image.insert_layer(other, None, 0)
    image.set_selected_layers([source, other])
    top = deep_dream(image, [source, other], **FAST).layer
    over_other, other_again, over_source, source_again = image.get_layers()
    assert (top, other, source) == (over_other, other_again, source_again)
    assert over_other.get_name() == "Dream of other (features.5, seed 7)"
    assert set(image.get_selected_layers()) == {over_other, over_source}


def check_with_last_values():
    """Without an interactive call before, the default preset is dreamed."""
    from dreamlink.recipe.presets import DEFAULT, PRESETS

    image, source = photo_part()
    layer = deep_dream(image, [source], Gimp.RunMode.WITH_LAST_VALS).layer
    recipe = recipe_of(layer)
    assert recipe["seed"] > 0, "no seed was drawn"
    assert {**recipe, "seed": 0} == PRESETS[DEFAULT].recipe().to_dict()
    assert str(recipe["seed"]) in layer.get_name()


def check_preset_and_what_differs():
    image, source = photo_part()
    layer = deep_dream(image, [source], preset="strawberries", steps=1, seed=7).layer
    recipe = recipe_of(layer)
    told = {name: recipe[name] for name in ("layer", "octaves", "steps", "colour", "seed")}
    assert told == {
        "layer": "features.9:10", "octaves": 5, "steps": 1, "colour": "capped", "seed": 7
    }, told  # fmt: skip


def check_channel_and_index_as_in_the_reference():
    image, source = photo_part()
    layer = deep_dream(image, [source], **{**FAST, "layer": "5:30"}).layer
    recipe = recipe_of(layer)
    assert recipe["layer"] == "5:30"
    assert ":30, seed 7)" in layer.get_name(), layer.get_name()


def check_noise_fills_an_empty_layer():
    image, _ = photo_part(96, 64)
    empty = Gimp.Layer.new(image, "air", 96, 64, RGBA, 100, Gimp.LayerMode.NORMAL)
    image.insert_layer(empty, None, 0)
    chosen = {"start": "noise", "conditioning": "laplacian", "colour": "luminance"}
    layer = deep_dream(image, [empty], **FAST, **chosen).layer
    recipe = recipe_of(layer)
    assert {name: recipe[name] for name in chosen} == chosen, recipe
    assert set(pixels(layer, "A u8")) == {255}, "it is not opaque"
    assert len(set(pixels(layer, "Y' u8"))) > 10, "it is not filled"


def check_recipe_survives_saving():
    from gi.repository import Gio

    image, source = photo_part()
    layer = deep_dream(image, [source], **FAST).layer
    file = Gio.File.new_for_path(case.picture + ".xcf")
    assert Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, file, None)
    again = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, file)
    assert recipe_of(again.get_layers()[0]) == recipe_of(layer)


run_checks(dict(globals()))
case.verdict(finished=True)
