"""Inside GIMP: dreams on all layers of an animation, as a new image."""

import sys

import case

sys.path.insert(0, case.arguments["scripts"])
from desk import (
    FAST,
    PAINTED,
    SUCCESS,
    ask_daemon,
    deep_dream,
    photo_part,
    pixels,
    recipe_of,
    run_checks,
    snapshot,
)
from gi.repository import Gegl, Gimp, Gio

RGBA = "R'G'B'A u8"
WIDTH, HEIGHT = 64, 48
NONE = Gimp.RunMode.NONINTERACTIVE


def animation():
    """A first frame of 120 ms, a patch combined with it, and a frame that replaces both."""
    image, first = photo_part(WIDTH, HEIGHT, alpha=True)
    first.set_name("Frame 1 (120ms)")
    patch = Gimp.Layer.new(
        image, "Frame 2 (250ms) (combine)", 20, 10, Gimp.ImageType.RGBA_IMAGE, 100,
        Gimp.LayerMode.NORMAL,
    )  # fmt: skip
    image.insert_layer(patch, None, 0)
    patch.fill(Gimp.FillType.WHITE)
    patch.set_offsets(30, 20)
    alone = first.copy()
    alone.set_name("Frame 3 (40ms)(replace)")
    image.insert_layer(alone, None, 0)
    buffer = alone.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, 10, HEIGHT), RGBA, bytes(10 * HEIGHT * 4))
    buffer.flush()
    image.clean_all()
    return image, [first, patch, alone]


def whole(first, patch, alone):
    """The visible pixels of the three frames."""
    one = pixels(first, RGBA)
    two = bytearray(one)
    for row in range(20, 30):
        start = (row * WIDTH + 30) * 4
        two[start : start + 80] = b"\xff" * 80
    return [one, bytes(two), pixels(alone, RGBA)]


def dream_frames(image, **arguments):
    answer = deep_dream(image, [image.get_layers()[0]], frames=True, **{**FAST, **arguments})
    assert answer.status == SUCCESS, answer
    film = answer.layer.get_image()
    assert film != image
    assert film.get_layers()[0] == answer.layer
    return film


def check_frames_are_whole_and_in_order():
    image, layers = animation()
    before = snapshot(image)
    film = dream_frames(image, strength=0.0)
    assert snapshot(image) == before
    assert (film.get_width(), film.get_height()) == (WIDTH, HEIGHT)
    assert [pixels(frame, RGBA) for frame in film.get_layers()[::-1]] == whole(*layers)
    assert not film.is_dirty()


def check_names_keep_the_time_and_tell_the_recipe():
    image, _ = animation()
    film = dream_frames(image)
    assert [frame.get_name() for frame in film.get_layers()[::-1]] == [
        "Dream of Frame 1 (120ms) (replace) (features.5, seed 7)",
        "Dream of Frame 2 (250ms) (replace) (features.5, seed 7)",
        "Dream of Frame 3 (40ms) (replace) (features.5, seed 7)",
    ]
    assert all(recipe_of(frame)["seed"] == 7 for frame in film.get_layers())


def check_each_frame_dreams():
    """With carry 0 each frame is exactly the daemon's dream on it."""
    each_dreams(FAST)


def check_each_frame_is_painted():
    each_dreams(PAINTED)


def each_dreams(recipe):
    image, layers = animation()
    film = dream_frames(image, carry=0.0, **recipe)
    for frame, source in zip(film.get_layers()[::-1], whole(*layers), strict=True):
        dreamed = ask_daemon(source, (WIDTH, HEIGHT), "U8", "RGBA", recipe)
        assert pixels(frame, RGBA) == dreamed != source


def check_frames_go_on_from_the_one_before():
    go_on_from_the_one_before(FAST)


def check_painted_frames_go_on_from_the_one_before():
    go_on_from_the_one_before(PAINTED)


def go_on_from_the_one_before(recipe):
    image, layers = animation()
    alone, carried = (
        dream_frames(image, carry=carry, **recipe).get_layers()[::-1] for carry in (0.0, 1.0)
    )
    assert pixels(alone[0]) == pixels(carried[0])
    assert pixels(alone[1]) != pixels(carried[1])
    # What the first frame's dream added is found again in the second one.
    source = whole(*layers)[1]
    far, near = (added(frames[1], source) for frames in (alone, carried))
    first = added(carried[0], whole(*layers)[0])
    assert likeness(near, first) > likeness(far, first) + 0.1, (likeness(near, first), far)


def added(frame, source):
    return [a - b for a, b in zip(pixels(frame, RGBA), source, strict=True)]


def likeness(one, two):
    """The correlation of the two dreams' changes, without subtracting their means."""
    both = sum(a * b for a, b in zip(one, two, strict=True))
    return both / (sum(a * a for a in one) * sum(b * b for b in two)) ** 0.5


def check_one_seed_is_drawn_for_all():
    image, _ = animation()
    film = dream_frames(image, seed=0)
    seeds = {recipe_of(frame)["seed"] for frame in film.get_layers()}
    assert len(seeds) == 1
    assert seeds != {0}


def check_selection():
    """Only what is selected changes, in all frames."""
    image, layers = animation()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 4, 4, 40, 30)
    film = dream_frames(image)
    for frame, source in zip(film.get_layers()[::-1], whole(*layers), strict=True):
        now = pixels(frame, RGBA)
        changed = {
            (place % WIDTH, place // WIDTH)
            for place in range(WIDTH * HEIGHT)
            if now[4 * place : 4 * place + 4] != source[4 * place : 4 * place + 4]
        }
        assert len(changed) > 600
        assert all(4 <= x < 44 and 4 <= y < 34 for x, y in changed)


def check_empty_frame_stays_empty():
    image, _ = animation()
    image.get_layers()[0].fill(Gimp.FillType.TRANSPARENT)
    film = dream_frames(image)
    top = film.get_layers()[0]
    assert set(pixels(top, "A u8")) == {0}
    assert top.get_name() == "Frame 3 (40ms) (replace)"


def check_helping_layers_are_no_frames():
    image, _ = animation()
    light = Gimp.Layer.new(
        image, "light", WIDTH, HEIGHT, Gimp.ImageType.RGBA_IMAGE, 100, Gimp.LayerMode.NORMAL
    )
    image.insert_layer(light, None, 1)
    light.fill(Gimp.FillType.WHITE)
    film = dream_frames(image, strength_map=light)
    assert len(film.get_layers()) == 3


def check_precision_and_profile_are_the_image_s():
    image, layers = animation()
    image.convert_precision(Gimp.Precision.FLOAT_LINEAR)
    image.set_color_profile(Gimp.ColorProfile.new_rgb_adobe())
    film = dream_frames(image, strength=0.0)
    assert film.get_precision() == Gimp.Precision.FLOAT_LINEAR
    label = film.get_effective_color_profile().get_label()
    assert label == image.get_effective_color_profile().get_label()
    assert pixels(film.get_layers()[2]) == pixels(layers[0])


def check_gif_and_back():
    """The frames are read from a GIF file by GIMP itself; such an image is indexed."""
    image, _ = animation()
    film = dream_frames(image)
    path = Gio.File.new_for_path(case.picture + ".gif")
    export = Gimp.get_pdb().lookup_procedure("file-gif-export")
    config = export.create_config()
    for name, value in {
        "run-mode": NONE, "image": film, "file": path, "as-animation": True, "default-delay": 999,
    }.items():  # fmt: skip
        config.set_property(name, value)
    film.convert_indexed(
        Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 255, False, False, ""
    )
    assert int(export.run(config).index(0)) == SUCCESS
    loaded = Gimp.file_load(NONE, path)
    names = [layer.get_name() for layer in loaded.get_layers()[::-1]]
    times = [name.split("(")[1] for name in names]
    assert [time.split("ms")[0] for time in times] == ["120", "250", "40"], names
    assert all("(replace)" in name for name in names[1:]), names
    again = dream_frames(loaded)
    assert again.get_base_type() == Gimp.ImageBaseType.RGB
    assert len(again.get_layers()) == 3


def check_what_is_no_animation():
    image, source = photo_part()
    image.clean_all()
    before = snapshot(image)
    images = len(Gimp.get_images())
    answer = deep_dream(image, [source], frames=True, **FAST)
    assert "several layers" in answer.text, answer
    answer = deep_dream(animation()[0], [source], frames=True, **FAST, carry=1.5)
    assert "carry must be between 0 and 1, not 1.5" in answer.text, answer
    answer = deep_dream(animation()[0], [source], frames=True, **{**FAST, "layer": "features.99"})
    assert "features.99" in answer.text, answer
    assert len(Gimp.get_images()) == images + 2, "a film was left behind"
    assert snapshot(image) == before


run_checks(dict(globals()))
case.verdict(finished=True)
