"""Inside GIMP: dreams by a map of flat colours, each bound to something else."""

import sys

import case

sys.path.insert(0, case.arguments["scripts"])
from desk import (
    FAST,
    GRAY,
    SUCCESS,
    ask_daemon,
    call,
    deep_dream,
    photo_part,
    pixels,
    recipe_of,
    run_checks,
    snapshot,
)
from gi.repository import Gegl, Gimp

from dreamlayer_gimp.layers import buffers, dream_map
from dreamlink.picture import Region
from dreamlink.recipe import presets
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.map_colours import bound_text, flat_colours

P = Gimp.Precision
RGBA = "R'G'B'A u8"
RED, BLUE, NOTHING = bytes((255, 0, 0, 255)), bytes((0, 0, 255, 255)), bytes(4)
SIZE = (150, 96)
TWO = {"bind": "#ff0000=5:10; #0000ff=7:20"}
FEW = {name: value for name, value in FAST.items() if name != "layer"}
FAR = 12  # pixels from a border: the cells there see little of what is beyond it


def new_layer(image, name, size):
    kind = Gimp.ImageType.RGBA_IMAGE
    layer = Gimp.Layer.new(image, name, *size, kind, 100, Gimp.LayerMode.NORMAL)
    image.insert_layer(layer, None, 0)
    return layer


def stripes(image, *parts, rows=SIZE[1], name="map"):
    """A layer of upright stripes: pairs of colour and width."""
    layer = new_layer(image, name, (sum(width for _, width in parts), rows))
    row = b"".join(colour * width for colour, width in parts)
    box = (0, 0, layer.get_width(), rows)
    buffer = layer.get_buffer()
    buffer.set(Gegl.Rectangle.new(*box), RGBA, row * rows)
    buffer.flush()
    layer.update(*box)
    return layer


def amount(one, other, box):
    """How much two layers differ in a box, in levels of 255."""
    pairs = zip(pixels(one, "R'G'B' u8", box), pixels(other, "R'G'B' u8", box), strict=True)
    return sum(abs(a - b) for a, b in pairs) / (3 * box[2] * box[3])


def across(start, end):
    return (start, 0, end - start, SIZE[1])


def again(image, drawables, **arguments):
    return call("plug-in-dreamlayer-again", image, drawables, **arguments)


def refuse(image, source, *words, **arguments):
    """Call Deep Dream; assert that it fails with these words and changes nothing."""
    image.clean_all()
    before = snapshot(image)
    answer = deep_dream(image, [source], **{**FEW, **arguments})
    assert answer.status == int(Gimp.PDBStatusType.EXECUTION_ERROR), answer
    for word in words:
        assert word in answer.text, f"{word!r} is not in: {answer.text}"
    assert snapshot(image) == before, "the image changed"


def check_each_colour_grows_what_it_stands_for():
    """As the daemon answers, to the byte; each region is more like its own dream than the other.

    Not by far: what the other region asks for is held back there, which neither dream does.
    """
    image, source = photo_part(*SIZE)
    asked = (RED, 60), (NOTHING, 30), (BLUE, 60)
    colours = stripes(image, *asked)
    colours.set_visible(False)
    layer = deep_dream(image, [source], **FEW, **TWO, map=colours).layer
    row = b"".join(colour * width for colour, width in asked)
    answer = ask_daemon(
        pixels(source, RGBA), SIZE, "U8", "RGBA", {**FEW, **TWO}, dream_map=row * SIZE[1]
    )
    assert pixels(layer, RGBA) == answer
    assert pixels(layer, RGBA, across(60, 90)) == pixels(source, RGBA, across(60, 90))
    left, right = across(0, 60 - FAR), across(90 + FAR, 150)
    assert min(amount(layer, source, left), amount(layer, source, right)) > 1
    tens = deep_dream(image, [source], **{**FEW, "layer": "5:10"}).layer
    twenties = deep_dream(image, [source], **{**FEW, "layer": "7:20"}).layer
    for box, own, other in ((left, tens, twenties), (right, twenties, tens)):
        like, unlike = amount(layer, own, box), amount(layer, other, box)
        print(f"{like:.2f} levels from its own dream, {unlike:.2f} from the other")
        assert 1.5 * like < unlike, (like, unlike)
        assert pixels(layer) != pixels(own)
    assert recipe_of(layer)["bind"] == TWO["bind"]
    assert layer.get_name() == "Dream of Background (map, seed 7)"


def check_one_colour_everywhere_is_the_plain_dream():
    image, source = photo_part(*SIZE)
    plain = deep_dream(image, [source], **FAST).layer
    colours = stripes(image, (BLUE, SIZE[0]))
    layer = deep_dream(image, [source], **FEW, bind="#0000ff=features.5", map=colours).layer
    assert pixels(layer) == pixels(plain) != pixels(source)


def check_default_preset_with_the_colours_that_the_button_writes():
    """Painted; its network has no kinds, so the second colour gets a channel."""
    image, source = photo_part(*SIZE)
    colours = stripes(image, (RED, 60), (NOTHING, 30), (BLUE, 60))
    default = presets.find(presets.DEFAULT).recipe()
    bind = bound_text("", flat_colours(dream_map.sample(colours)), default)
    assert bind == "#ff0000=10; #0000ff=10:1"
    asked = {"preset": presets.DEFAULT, "steps": 1, "seed": 7, "bind": bind}
    layer = deep_dream(image, [source], **asked, map=colours).layer
    assert recipe_of(layer)["method"] == "painted"
    assert pixels(layer, RGBA, across(60, 90)) == pixels(source, RGBA, across(60, 90))
    assert amount(layer, source, across(0, 60)) > 1
    assert amount(layer, source, across(90, 150)) > 1


def check_map_that_lies_elsewhere():
    """Its place in the image counts; where it does not reach, nothing is dreamed."""
    image, source = photo_part(*SIZE)
    source.set_offsets(20, 10)
    colours = stripes(image, (RED, 40), (BLUE, 40), rows=50)
    colours.set_offsets(50, 30)
    layer = deep_dream(image, [source], **FEW, **TWO, map=colours).layer
    whole = stripes(image, (NOTHING, 30), (RED, 40), (BLUE, 40), (NOTHING, 40))
    for top, height in ((0, 20), (70, 26)):
        buffer = whole.get_buffer()
        buffer.set(Gegl.Rectangle.new(0, top, SIZE[0], height), RGBA, bytes(SIZE[0] * height * 4))
        buffer.flush()
    whole.set_offsets(20, 10)
    other = deep_dream(image, [source], **FEW, **TWO, map=whole).layer
    assert pixels(layer) == pixels(other)
    for box in ((0, 0, 150, 20), (0, 70, 150, 26), (0, 0, 30, 96), (110, 0, 40, 96)):
        assert pixels(layer, RGBA, box) == pixels(source, RGBA, box)
    assert amount(layer, source, (30, 20, 40, 50)) > 1
    assert amount(layer, source, (70, 20, 40, 50)) > 1


def check_map_with_a_selection_and_a_strength_map():
    """Nothing is dreamed where any of them says so."""
    image, source = photo_part(*SIZE)
    colours = stripes(image, (RED, 60), (NOTHING, 30), (BLUE, 60))
    white = stripes(image, (b"\xff" * 4, 120), (NOTHING, 30), name="strength")
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 20, 10, 130, 60)
    layer = deep_dream(image, [source], **FEW, **TWO, map=colours, strength_map=white).layer
    assert tuple(layer.get_offsets())[1:] == (20, 10)
    assert set(pixels(layer.get_mask(), "Y u8")) == {255}
    dreamed, own = pixels(layer, RGBA), pixels(source, RGBA, (20, 10, 130, 60))
    columns = [
        any(dreamed[at : at + 4] != own[at : at + 4] for at in range(4 * x, len(own), 4 * 130))
        for x in range(130)
    ]
    assert all(columns[:40]) and all(columns[70:100]), columns
    assert not any(columns[40:70] + columns[100:]), columns


def check_the_map_s_own_mask_counts():
    image, source = photo_part(*SIZE)
    colours = stripes(image, (RED, 75), (BLUE, 75))
    mask = colours.create_mask(Gimp.AddMaskType.WHITE)
    colours.add_mask(mask)
    buffer = mask.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, 30, 96), "Y u8", bytes(30 * 96))
    buffer.flush()
    mask.update(0, 0, 30, 96)
    layer = deep_dream(image, [source], **FEW, **TWO, map=colours).layer
    assert pixels(layer, RGBA, across(0, 30)) == pixels(source, RGBA, across(0, 30))
    assert amount(layer, source, across(30, 75)) > 1


def check_map_in_other_precisions_and_in_gray():
    expected = RED * 75 + BLUE * 75
    for precision in (P.U16_NON_LINEAR, P.FLOAT_LINEAR, P.HALF_LINEAR):
        image, source = photo_part(*SIZE, precision)
        colours = stripes(image, (RED, 75), (BLUE, 75))
        box = Region(0, 0, *SIZE)
        read = dream_map.DreamMapDrawable.of(colours, box, Recipe.of(TWO)).read()
        assert bytes(read.frame) == expected * SIZE[1], precision
        assert deep_dream(image, [source], **FEW, **TWO, map=colours).status == SUCCESS
    image, source = photo_part(*SIZE, base=GRAY)
    size, kind = (60, SIZE[1]), Gimp.ImageType.GRAY_IMAGE
    white = Gimp.Layer.new(image, "map", *size, kind, 100, Gimp.LayerMode.NORMAL)
    image.insert_layer(white, None, 0)
    white.fill(Gimp.FillType.WHITE)
    layer = deep_dream(image, [source], **FEW, bind="#ffffff=5:10", map=white).layer
    assert pixels(layer, "Y'A u8", across(60, 150)) == pixels(source, "Y'A u8", across(60, 150))
    assert pixels(layer, "Y'A u8", across(0, 60)) != pixels(source, "Y'A u8", across(0, 60))


def check_a_large_map_is_reduced_without_new_colours():
    image, _ = photo_part()
    narrow = [(RED, 3), (BLUE, 2), (NOTHING, 1)] * 450
    colours = stripes(image, *narrow, rows=2000)
    box = Region(0, 0, 2700, 2000)
    layout, frame = dream_map.DreamMapDrawable.of(colours, box, Recipe.of(TWO)).read()
    assert layout.width * layout.height <= 1 << 22 < 2700 * 2000
    assert 0 <= layout.width / layout.height - 1.35 < 0.01
    seen = memoryview(bytes(frame)).cast("I")
    assert {number.to_bytes(4, sys.byteorder) for number in set(seen)} == {RED, BLUE, NOTHING}
    row = b"".join(colour * width for colour, width in narrow)
    wanted = b"".join(row[4 * x : 4 * x + 4] for x in dream_map.places(0, 2700, layout.width))
    assert bytes(frame[: 4 * layout.width]) == wanted
    part = buffers.read_sampled(colours.get_buffer(), [-2, 0, 4, 2701], [-1, 1999], RGBA)
    assert bytes(part) == NOTHING * 4 + NOTHING + RED + BLUE + NOTHING
    assert len(dream_map.sample(colours)) == 256 * 256 * 4


def check_the_map_is_remembered():
    image, source = photo_part(*SIZE)
    colours = stripes(image, (RED, 75), (BLUE, 75))
    dream = deep_dream(image, [source], **FEW, **TWO, map=colours).layer
    other = again(image, [dream]).layer
    assert pixels(other) == pixels(dream)
    assert recipe_of(other) == recipe_of(dream)
    changed = again(image, [dream], bind="#ff0000=5:10; #0000ff=9").layer
    assert pixels(changed) != pixels(dream)
    plain = again(image, [dream], recipe='{"bind": "", "layer": "5:10"}').layer
    assert pixels(plain) == pixels(deep_dream(image, [source], **{**FEW, "layer": "5:10"}).layer)
    image.remove_layer(colours)
    answer = again(image, [dream])
    assert "no longer in the image" in answer.text and "“Map colours”" in answer.text, answer
    new = stripes(image, (BLUE, 75), (RED, 75))
    assert pixels(again(image, [dream], map=new).layer) != pixels(dream)


def check_frames_have_one_map():
    """It is no frame itself."""
    image, first = photo_part(*SIZE, alpha=True)
    second = first.copy()
    image.insert_layer(second, None, 0)
    second.invert(False)
    colours = stripes(image, (RED, 60), (NOTHING, 30), (BLUE, 60))
    answer = deep_dream(image, [first], **FEW, **TWO, map=colours, frames=True)
    frames = answer.layer.get_image().get_layers()
    assert len(frames) == 2
    for frame, layer in zip(frames, (second, first), strict=True):
        assert pixels(frame, RGBA, across(60, 90)) == pixels(layer, RGBA, across(60, 90))
        assert amount(frame, layer, across(0, 60)) > 1
        assert amount(frame, layer, across(90, 150)) > 1
    answer = again(answer.layer.get_image(), [answer.layer])
    assert "no longer in the image" in answer.text, answer


def check_map_and_colours_need_each_other():
    image, source = photo_part(*SIZE)
    colours = stripes(image, (RED, 75), (BLUE, 75))
    refuse(image, source, "“Map colours”", "no map is chosen", **TWO)
    refuse(image, source, "nothing says what its colours stand for", map=colours)
    refuse(image, source, "“#ff0000” binds no colour", bind="#ff0000", map=colours)
    refuse(image, source, "none of the bound colours, #00ff00", bind="#00ff00=9", map=colours)
    refuse(image, source, "needs a picture to dream on", **TWO, map=colours, start="noise")
    refuse(image, source, "needs a guide", bind="#ff0000=5:guide", map=colours)
    refuse(image, source, "Map colours does not use it", **TWO, map=colours, guide=source)


def check_map_in_the_wrong_place():
    image, source = photo_part(*SIZE)
    colours = stripes(image, (RED, 75), (BLUE, 75), name="far")
    colours.set_offsets(150, 0)
    refuse(image, source, "dream map “far” does not overlap", **TWO, map=colours)
    other, _ = photo_part()
    foreign = stripes(other, (RED, 75), (BLUE, 75), name="foreign")
    refuse(image, source, "“foreign” belongs to another image", "copy it", **TWO, map=foreign)


def check_a_colour_that_is_missing_is_told():
    """By a message, which `test_missing_map_colours_are_told` looks for."""
    image, source = photo_part(*SIZE)
    colours = stripes(image, (RED, 75), (NOTHING, 75))
    assert deep_dream(image, [source], **FEW, **TWO, map=colours).status == SUCCESS


buffers.prepare()
run_checks(dict(globals()))
case.verdict(finished=True)
