"""Inside GIMP: dreams on everything that can be selected, at the place of their source.

Layers of all kinds, selections, and what helps a dream: guide and strength map.
"""

import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import case

sys.path.insert(0, case.arguments["scripts"])
from desk import (
    FAST,
    GRAY,
    RGB,
    deep_dream,
    open_photo,
    own_format,
    photo_part,
    pixels,
    projection,
    run_checks,
    snapshot,
)
from gi.repository import Gegl, Gimp, Gio

P = Gimp.Precision
RGBA = "R'G'B'A u8"


def new_layer(image, name, size, parent=None, place=0):
    kind = Gimp.ImageType.RGBA_IMAGE
    layer = Gimp.Layer.new(image, name, *size, kind, 100, Gimp.LayerMode.NORMAL)
    image.insert_layer(layer, parent, place)
    return layer


def paint(drawable, box, form, data):
    buffer = drawable.get_buffer()
    buffer.set(Gegl.Rectangle.new(*box), form, data)
    buffer.flush()
    drawable.update(*box)


def changed(layer, source, form="R'G'B' u8"):
    """For each pixel of the dream, whether it differs from the source under it."""
    _, x, y = layer.get_offsets()
    _, left, top = source.get_offsets()
    box = (x - left, y - top, layer.get_width(), layer.get_height())
    ones, others = pixels(layer, form), pixels(source, form, box)
    size = len(ones) // (box[2] * box[3])
    return [ones[i : i + size] != others[i : i + size] for i in range(0, len(ones), size)]


def share(flags):
    flags = list(flags)
    return sum(flags) / len(flags)


def assert_above(layer, source):
    """Assert that a dream is right above its source, in its group, with its size and offsets."""
    image = source.get_image()
    assert layer.get_parent() == source.get_parent()
    assert image.get_item_position(layer) == image.get_item_position(source) - 1
    assert tuple(layer.get_offsets()) == tuple(source.get_offsets())
    assert layer.get_width() == source.get_width()
    assert layer.get_height() == source.get_height()
    assert layer.get_name().startswith(f"Dream of {source.get_name()} ("), layer.get_name()


# What is selected of the image


def select_softly(image):
    Gimp.context_set_feather(True)
    Gimp.context_set_feather_radius(6, 6)
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 60, 40, 60, 50)
    Gimp.context_set_feather(False)


def check_selection_becomes_alpha():
    """As with a mask, but as the layer's own transparency; the visible result is the same."""
    image, source = photo_part(200, 150)
    select_softly(image)
    masked = deep_dream(image, [source], **FAST).layer
    seen = projection(image)
    mask = pixels(masked.get_mask(), "Y u8")
    image.remove_layer(masked)
    image.set_selected_layers([source])
    layer = deep_dream(image, [source], **FAST, selection_as="alpha").layer
    assert layer.get_mask() is None
    assert pixels(layer, "A u8") == mask
    assert any(0 < value < 255 for value in mask), "the edge is not soft"
    off = max(abs(a - b) for a, b in zip(projection(image), seen, strict=True))
    assert off <= 1, off


def check_surroundings_are_seen():
    """The surroundings of a selection influence the dream in it, as far as the network sees."""
    image, source = photo_part(200, 150)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 80, 50, 60, 50)
    near = deep_dream(image, [source], **{**FAST, "context": 64}).layer
    alone = deep_dream(image, [source], **{**FAST, "context": 0}).layer
    paint(source, (0, 0, 200, 40), RGBA, bytes((20, 200, 40, 255)) * (200 * 40))
    other = deep_dream(image, [source], **{**FAST, "context": 64}).layer
    alone_again = deep_dream(image, [source], **{**FAST, "context": 0}).layer
    assert pixels(near) != pixels(other)
    assert pixels(near) != pixels(alone)
    assert pixels(alone) == pixels(alone_again)


def check_selection_on_a_masked_layer():
    """The dream shows nothing that was hidden in its source, and nothing outside."""
    image, source = photo_part(120, 90)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 60, 90)
    source.add_mask(source.create_mask(Gimp.AddMaskType.SELECTION))
    Gimp.Selection.none(image)
    before, shown = snapshot(image), projection(image)
    whole = deep_dream(image, [source], **FAST).layer
    assert pixels(whole.get_mask()) == pixels(source.get_mask())
    assert share(changed(whole, source)) > 0.9
    assert hidden_parts(image) == {0}, "the dream shows what is hidden of its source"
    image.remove_layer(whole)
    source.set_visible(True)
    assert snapshot(image)[2:] == before[2:], "the source or its mask changed"
    image.set_selected_layers([source])
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 40, 20, 60, 50)
    part = deep_dream(image, [source], **FAST).layer
    assert (part.get_width(), part.get_height()) == (60, 50)
    assert hidden_parts(image) == {0}
    after = projection(image)
    inside = [after[i : i + 4] != shown[i : i + 4] for i in range(0, len(shown), 4)]
    rows = [inside[y * 120 : (y + 1) * 120] for y in range(90)]
    assert not any(any(row[:40]) or any(row[60:]) for row in rows)
    assert not any(any(row) for row in rows[:20] + rows[70:])
    assert share(flag for row in rows[20:70] for flag in row[40:60]) > 0.9


def hidden_parts(image):
    """All visible opacities in the right half of the picture."""
    seen = Gimp.Layer.new_from_visible(image, image, "seen")
    opacities = set(pixels(seen, "A u8", (60, 0, 60, 90)))
    seen.delete()
    return opacities


def check_selection_in_a_layer_that_is_moved_and_clipped():
    """Only the part of a selection that is on the layer dreams, whatever the layer's offsets."""
    image, source = photo_part(120, 90)
    source.set_offsets(-37, 23)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 10, 0, 200, 60)
    layer = deep_dream(image, [source], **FAST).layer
    assert tuple(layer.get_offsets())[1:] == (10, 23)
    assert (layer.get_width(), layer.get_height()) == (73, 37)
    assert share(changed(layer, source)) > 0.9


def check_little_memory_for_a_part_of_a_huge_picture():
    """Of a hundred megapixels the plug-in reads only what it needs, and babl builds no tables."""
    image = Gimp.Image.new(10_000, 10_000, RGB)
    kind = Gimp.ImageType.RGB_IMAGE
    source = Gimp.Layer.new(image, "huge", 10_000, 10_000, kind, 100, Gimp.LayerMode.NORMAL)
    image.insert_layer(source, None, 0)
    Gimp.context_set_foreground(Gegl.Color.new("#807050"))
    source.fill(Gimp.FillType.FOREGROUND)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 5000, 5000, 512, 512)
    with watched_memory() as peaks:
        layer = deep_dream(image, [source], **FAST).layer
    assert (layer.get_width(), layer.get_height()) == (512, 512)
    assert peaks, "the plug-in's process was not found"
    assert max(peaks.values()) < 300, f"{peaks} MB"
    print(f"the plug-in took {max(peaks.values())} MB")
    image.delete()


@contextmanager
def watched_memory():
    """The largest memory of each process of the plug-in while the body runs, in MB."""
    peaks, over = {}, threading.Event()

    def watch():
        while not over.wait(0.01):
            for process in Path("/proc").glob("[0-9]*"):
                with suppress(OSError, IndexError):  # it has ended meanwhile
                    if b"dreamlayer-gimp.py" in (process / "cmdline").read_bytes():
                        status = (process / "status").read_text()
                        peaks[process.name] = int(status.split("VmHWM:")[1].split()[0]) // 1024

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        over.set()
        watcher.join()


# Kinds of layers


def check_layer_larger_than_the_image():
    image, source = photo_part(200, 150)
    image.resize(80, 60, -50, -40)
    assert (source.get_width(), image.get_width()) == (200, 80)
    layer = deep_dream(image, [source], **FAST).layer
    assert_above(layer, source)
    assert tuple(layer.get_offsets())[1:] == (-50, -40)
    assert share(changed(layer, source)) > 0.9


def check_several_layers_in_groups():
    """Each dream is in the group of its own source, whatever else was selected."""
    image, source = photo_part(90, 60)
    outer = Gimp.GroupLayer.new(image, "outer")
    inner = Gimp.GroupLayer.new(image, "inner")
    image.insert_layer(outer, None, 0)
    image.insert_layer(inner, outer, 0)
    one, two = source.copy(), source.copy()
    one.set_name("one")
    two.set_name("two")
    image.insert_layer(one, inner, 0)
    image.insert_layer(two, outer, 1)
    two.set_offsets(12, 9)
    chosen = [source, one, two]
    image.set_selected_layers(chosen)
    top = deep_dream(image, chosen, **FAST).layer
    dreams = image.get_selected_layers()
    assert len(dreams) == 3
    assert top in dreams
    for layer in chosen:
        parent = layer.get_parent()
        beside = parent.get_children() if parent else image.get_layers()
        dream = beside[image.get_item_position(layer) - 1]
        assert dream in dreams
        assert_above(dream, layer)
    assert [len(inner.get_children()), len(outer.get_children())] == [2, 3]


def check_group_with_moved_layers():
    """A group dreams as it looks: with the offsets, opacities and masks of its layers."""
    image, source = photo_part(90, 60)
    group = Gimp.GroupLayer.new(image, "group")
    image.insert_layer(group, None, 0)
    image.reorder_item(source, group, 0)
    source.set_offsets(40, -20)
    source.set_opacity(50)
    own = snapshot(image)
    layer = deep_dream(image, [group], **FAST).layer
    assert_above(layer, group)
    assert tuple(layer.get_offsets())[1:] == (40, -20)
    assert set(pixels(layer, "A u8")) == set(pixels(group, "A u8"))
    assert max(pixels(layer, "A u8")) < 255
    image.remove_layer(layer)
    group.set_visible(True)
    assert snapshot(image)[2:] == own[2:]


def check_text_layer():
    """It stays text; its dream is pixels, with the letters' shapes."""
    image, _ = photo_part(120, 90)
    font = Gimp.context_get_font() or Gimp.fonts_get_list("")[0]
    text = Gimp.TextLayer.new(image, "Dream", font, 40, Gimp.Unit.pixel())
    image.insert_layer(text, None, 0)
    text.set_color(Gegl.Color.new("#803010"))
    layer = deep_dream(image, [text], **FAST).layer
    assert_above(layer, text)
    assert isinstance(text, Gimp.TextLayer)
    assert text.get_text() == "Dream"
    assert type(layer) is Gimp.Layer
    alpha = pixels(layer, "A u8")
    assert alpha == pixels(text, "A u8")
    flags = [flag for flag, opacity in zip(changed(layer, text), alpha, strict=True) if opacity]
    assert 0 < len(flags) < len(alpha)
    assert share(flags) > 0.5


def check_vector_layer():
    """Since GIMP 3.2: a path's stroke and fill; like a text layer it stays a vector layer."""
    image, _ = photo_part(120, 90)
    path = Gimp.Path.new(image, "path")
    image.insert_path(path, None, 0)
    path.bezier_stroke_new_ellipse(60, 45, 40, 30, 0)
    vector = Gimp.VectorLayer.new(image, path)
    image.insert_layer(vector, None, 0)
    vector.set_enable_fill(True)
    vector.set_fill_color(Gegl.Color.new("#806040"))
    vector.refresh()
    layer = deep_dream(image, [vector], **FAST).layer
    assert_above(layer, vector)
    assert vector.get_path() == path
    assert pixels(layer, "A u8") == pixels(vector, "A u8")
    assert any(changed(layer, vector))


def check_link_layer():
    """Since GIMP 3.2: another file's picture."""
    image, _ = photo_part(120, 90)
    file = Gio.File.new_for_path(case.picture)
    link = Gimp.LinkLayer.new(image, file)
    image.insert_layer(link, None, 0)
    layer = deep_dream(image, [link], **FAST).layer
    assert_above(layer, link)
    assert link.get_file().equal(file)
    assert share(changed(layer, link)) > 0.9


# What helps a dream


def check_guide_from_another_layer():
    """The guide's content changes the dream, not its name or position."""
    image, source = photo_part(120, 90)
    guide = new_layer(image, "guide", (700, 40))
    paint(guide, (0, 0, 700, 40), RGBA, bytes((250, 200, 20, 255, 10, 30, 90, 255)) * (350 * 40))
    guide.set_visible(False)
    recipe = {**FAST, "layer": "features.5:guide"}
    striped = deep_dream(image, [source], **recipe, guide=guide).layer
    again = deep_dream(image, [source], **recipe, guide=guide).layer
    assert pixels(striped) == pixels(again)
    assert share(changed(striped, source)) > 0.9
    paint(
        guide, (0, 0, 700, 40), RGBA, bytes((250, 200, 20, 255) * 20 + (10, 30, 90, 255) * 20) * 700
    )
    other = deep_dream(image, [source], **recipe, guide=guide).layer
    assert pixels(other) != pixels(striped)


def check_guide_of_another_image():
    """A guide of another precision and size is reduced, and keeps its visible colours."""
    image, source = photo_part(120, 90)
    _, guide = open_photo()
    recipe = {**FAST, "layer": "features.5:guide"}
    first = deep_dream(image, [source], **recipe, guide=guide).layer
    guide.get_image().convert_precision(P.FLOAT_LINEAR)
    second = deep_dream(image, [source], **recipe, guide=guide).layer
    ones, others = pixels(first, RGBA), pixels(second, RGBA)
    off = sum(abs(a - b) for a, b in zip(ones, others, strict=True)) / len(ones)
    assert off < 1, off


def check_strength_map_from_another_layer():
    """Where the map is black or transparent nothing changes; grey changes less than white."""
    image, source = photo_part(120, 90)
    strength = new_layer(image, "strength", (120, 90))
    strength.set_visible(False)
    row = bytes(0 for _ in range(30 * 4)) + bytes((0, 0, 0, 255)) * 30
    row += bytes((128, 128, 128, 255)) * 30 + bytes((255, 255, 255, 255)) * 30
    paint(strength, (0, 0, 120, 90), RGBA, row * 90)
    layer = deep_dream(image, [source], **FAST, strength_map=strength).layer
    assert_above(layer, source)
    flags, amounts = changed(layer, source), differences(layer, source)
    rows = range(0, 120 * 90, 120)
    assert not any(flags[i + x] for i in rows for x in range(60))
    assert share(flags[i + x] for i in rows for x in range(95, 115)) > 0.9
    gray = sum(amounts[i + x] for i in rows for x in range(65, 85))
    white = sum(amounts[i + x] for i in rows for x in range(95, 115))
    assert 0 < gray < 0.8 * white, (gray, white)
    assert set(pixels(layer, "A u8")) == {255}


def differences(layer, source, form="R'G'B' u8"):
    ones, others = pixels(layer, form), pixels(source, form)
    return [
        sum(abs(a - b) for a, b in zip(ones[i : i + 3], others[i : i + 3], strict=True))
        for i in range(0, len(ones), 3)
    ]


def check_strength_map_that_lies_elsewhere():
    """The map's position in the image counts; it can be a channel."""
    image, source = photo_part(120, 90)
    source.set_offsets(20, 10)
    channel = Gimp.Channel.new(image, "strength", 120, 90, 50, Gegl.Color.new("red"))
    image.insert_channel(channel, None, 0)
    paint(channel, (0, 0, 120, 90), own_format(channel), bytes(120 * 90))
    paint(channel, (50, 30, 40, 30), own_format(channel), bytes((255,)) * (40 * 30))
    image.set_selected_layers([source])
    layer = deep_dream(image, [source], **FAST, strength_map=channel).layer
    flags = changed(layer, source)
    rows = [flags[y * 120 : (y + 1) * 120] for y in range(90)]
    assert share(flag for row in rows[20:50] for flag in row[30:70]) > 0.9
    assert not any(flag for row in rows for flag in row[:30] + row[70:])
    assert not any(flag for row in rows[:20] + rows[50:] for flag in row)


def check_strength_map_with_a_selection():
    image, source = photo_part(120, 90)
    strength = new_layer(image, "strength", (60, 90))
    strength.fill(Gimp.FillType.WHITE)
    strength.set_offsets(10, -5)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 30, 20, 60, 40)
    layer = deep_dream(image, [source], **FAST, strength_map=strength).layer
    flags = changed(layer, source)
    rows = [flags[y * 60 : (y + 1) * 60] for y in range(40)]
    assert share(flag for row in rows for flag in row[:40]) > 0.9
    assert not any(flag for row in rows for flag in row[40:])


def check_strength_map_in_a_gray_image():
    image, source = photo_part(120, 90, P.U16_LINEAR, GRAY)
    assert image.get_base_type() != RGB
    strength = Gimp.Layer.new(
        image, "strength", 60, 90, Gimp.ImageType.GRAY_IMAGE, 100, Gimp.LayerMode.NORMAL
    )
    image.insert_layer(strength, None, 0)
    strength.fill(Gimp.FillType.WHITE)
    layer = deep_dream(image, [source], **FAST, strength_map=strength).layer
    flags = changed(layer, source, "Y u16")
    rows = [flags[y * 120 : (y + 1) * 120] for y in range(90)]
    assert share(flag for row in rows for flag in row[:60]) > 0.9
    assert not any(flag for row in rows for flag in row[60:])


if Gimp.MINOR_VERSION < 2:
    del check_vector_layer, check_link_layer

run_checks(dict(globals()))
case.verdict(finished=True)
