"""Inside GIMP: pixels of every precision, model and profile survive unchanged.

Each call goes through the real plug-in and the real daemon, on two layers at once: one without
alpha and one with. Their pixels are all that the precision can hold: every level, and in floats
colours outside of the gamut and beyond white.
"""

import random
import struct
import sys

import case

sys.path.insert(0, case.arguments["scripts"])
from desk import FAST, GRAY, RGB, deep_dream, own_format, pixels, run_checks
from gi.repository import Gegl, Gimp

P = Gimp.Precision
WIDTH, HEIGHT = 64, 48
KINDS = {"u8": "B", "u16": "H", "u32": "I", "half": "e", "float": "f", "double": "d"}
TYPES = {
    (RGB, False): Gimp.ImageType.RGB_IMAGE,
    (RGB, True): Gimp.ImageType.RGBA_IMAGE,
    (GRAY, False): Gimp.ImageType.GRAY_IMAGE,
    (GRAY, True): Gimp.ImageType.GRAYA_IMAGE,
}
TOLERANCE = 1.5e-6  # of the whole range; 8 and 16 bits come back exactly
counted = []  # the cases that were tried


def new_image(precision, base, profile=None):
    """An image with two layers full of all kinds of values, the upper one with alpha."""
    image = Gimp.Image.new_with_precision(WIDTH, HEIGHT, base, precision)
    if profile:
        assert image.set_color_profile(profile)
    layers = []
    for alpha in (False, True):
        kind = TYPES[base, alpha]
        name = "with alpha" if alpha else "opaque"
        layer = Gimp.Layer.new(image, name, WIDTH, HEIGHT, kind, 100, Gimp.LayerMode.NORMAL)
        image.insert_layer(layer, None, 0)
        fill(layer, samples_of(base) + alpha)
        layers.append(layer)
    return image, layers


def fill(layer, samples):
    """Put values into a layer without any conversion."""
    draw = random.Random(7)
    form = own_format(layer)
    letter = KINDS[kind_of(form)]
    values = []
    for index in range(WIDTH * HEIGHT * samples):
        if letter in "BHI":
            values.append(draw.randrange(1 << 8 * struct.calcsize(letter)))
        elif samples % 2 == 0 and index % samples == samples - 1:  # alpha
            values.append(draw.choice((0.0, 1.0, draw.random())))
        else:
            values.append(draw.uniform(-0.3, 1.7))
    buffer = layer.get_buffer()
    box = Gegl.Rectangle.new(0, 0, WIDTH, HEIGHT)
    buffer.set(box, form, struct.pack(f"<{len(values)}{letter}", *values))
    buffer.flush()


def samples_of(base):
    return 1 if base == GRAY else 3


def kind_of(form):
    return form.split(" ", 1)[1].split("-")[0]


def values_of(layer, samples, opaque=False):
    """A layer's pixels, each a tuple of its samples; an alpha of 1 is added to `opaque` ones."""
    kind = kind_of(own_format(layer))
    data = pixels(layer)
    letter = KINDS[kind]
    size = struct.calcsize(letter)
    values = struct.unpack(f"<{len(data) // size}{letter}", data)
    end = (whole(kind),) if opaque else ()
    return [values[i : i + samples] + end for i in range(0, len(values), samples)]


def whole(kind):
    """The value that stands for 1 in a kind of sample."""
    return {"u8": 0xFF, "u16": 0xFFFF, "u32": 0xFFFFFFFF}.get(kind, 1.0)


def assert_same(dream, source, base, where):
    """Every sample of the dream is the source's; alpha, where the source has none, is 1."""
    form = own_format(dream)
    kind = kind_of(form)
    assert kind == kind_of(own_format(source)), where
    colours = samples_of(base)
    before = values_of(source, colours + source.has_alpha(), opaque=not source.has_alpha())
    after = values_of(dream, colours + 1)
    if kind in ("u8", "u16"):
        assert after == before, f"{where}: not the very same pixels"
    worst = max(
        abs(a - b) for ones, others in zip(after, before, strict=True)
        for a, b in zip(ones, others, strict=True)
    ) / whole(kind)  # fmt: skip
    assert worst <= TOLERANCE, f"{where}: {worst} off"
    counted.append(where)


def try_all(precisions, base, profile=None):
    for precision in precisions:
        image, layers = new_image(precision, base, profile)
        made = dreams_of(image, layers, strength=0.0)
        for dream, source in zip(made, layers, strict=True):
            assert dream.has_alpha()
            label = profile.get_label() if profile else f"built-in, {base}"
            where = f"{precision}, {label}, {source.get_name()}"
            assert_same(dream, source, base, where)
        image.delete()


def dreams_of(image, layers, **more):
    answer = deep_dream(image, layers, **{**FAST, "octaves": 1, "steps": 1, **more})
    assert answer.layer, answer
    found = [image.get_layers()[image.get_item_position(layer) - 1] for layer in layers]
    assert all(dream not in layers for dream in found)
    return found


def check_8_bit():
    try_all((P.U8_LINEAR, P.U8_NON_LINEAR, P.U8_PERCEPTUAL), RGB)


def check_8_bit_gray():
    try_all((P.U8_LINEAR, P.U8_NON_LINEAR, P.U8_PERCEPTUAL), GRAY)


def check_16_bit():
    try_all((P.U16_LINEAR, P.U16_NON_LINEAR, P.U16_PERCEPTUAL), RGB)


def check_16_bit_gray():
    try_all((P.U16_LINEAR, P.U16_NON_LINEAR, P.U16_PERCEPTUAL), GRAY)


def check_32_bit():
    try_all((P.U32_LINEAR, P.U32_NON_LINEAR, P.U32_PERCEPTUAL), RGB)


def check_32_bit_gray():
    try_all((P.U32_LINEAR, P.U32_NON_LINEAR, P.U32_PERCEPTUAL), GRAY)


def check_half():
    try_all((P.HALF_LINEAR, P.HALF_NON_LINEAR, P.HALF_PERCEPTUAL), RGB)


def check_half_gray():
    try_all((P.HALF_LINEAR, P.HALF_NON_LINEAR, P.HALF_PERCEPTUAL), GRAY)


def check_float():
    try_all((P.FLOAT_LINEAR, P.FLOAT_NON_LINEAR, P.FLOAT_PERCEPTUAL), RGB)


def check_float_gray():
    try_all((P.FLOAT_LINEAR, P.FLOAT_NON_LINEAR, P.FLOAT_PERCEPTUAL), GRAY)


def check_double():
    try_all((P.DOUBLE_LINEAR, P.DOUBLE_NON_LINEAR, P.DOUBLE_PERCEPTUAL), RGB)


def check_double_gray():
    try_all((P.DOUBLE_LINEAR, P.DOUBLE_NON_LINEAR, P.DOUBLE_PERCEPTUAL), GRAY)


SOME = (
    P.U8_NON_LINEAR, P.U8_LINEAR, P.U16_NON_LINEAR, P.HALF_LINEAR, P.FLOAT_NON_LINEAR,
    P.DOUBLE_PERCEPTUAL,
)  # fmt: skip


def check_wide_gamut_profile():
    try_all(SOME, RGB, Gimp.ColorProfile.new_rgb_adobe())


def check_profile_with_a_linear_curve():
    try_all(SOME, RGB, Gimp.ColorProfile.new_rgb_srgb_linear())


def check_gray_profile():
    try_all(SOME, GRAY, Gimp.ColorProfile.new_d50_gray_lab_trc())


def check_forty_cases_and_more():
    assert len(set(counted)) == len(counted) >= 2 * (18 + 18 + 18), len(counted)


def check_changes_only_where_the_mask_is():
    """At full strength, with a selection that has an inside, an outside and a soft edge."""
    for precision, base, profile in (
        (P.U8_NON_LINEAR, RGB, None),
        (P.U8_LINEAR, GRAY, None),
        (P.U16_NON_LINEAR, RGB, Gimp.ColorProfile.new_rgb_adobe()),
        (P.U32_PERCEPTUAL, RGB, None),
        (P.HALF_LINEAR, RGB, None),
        (P.FLOAT_LINEAR, GRAY, None),
        (P.FLOAT_NON_LINEAR, RGB, Gimp.ColorProfile.new_rgb_adobe()),
        (P.DOUBLE_LINEAR, RGB, None),
    ):
        image, layers = new_image(precision, base, profile)
        Gimp.context_set_feather(True)
        Gimp.context_set_feather_radius(6, 6)
        image.select_ellipse(Gimp.ChannelOps.REPLACE, 14, 8, 30, 30)
        Gimp.context_set_feather(False)
        for dream, source in zip(dreams_of(image, layers, step_size=4.0), layers, strict=True):
            assert_changed_inside(image, dream, source, base)
        image.delete()


def assert_changed_inside(image, dream, source, base):
    where = f"{own_format(source)}, {source.get_name()}"
    _, left, top = dream.get_offsets()
    width, height = dream.get_width(), dream.get_height()
    mask = pixels(dream.get_mask(), "Y u8")
    chosen = pixels(image.get_selection(), "Y u8", (left, top, width, height))
    before = values_of(source, samples_of(base) + source.has_alpha())
    before = [before[(top + y) * WIDTH + left + x] for y in range(height) for x in range(width)]
    after = values_of(dream, samples_of(base) + 1)
    top_value = whole(kind_of(own_format(source)))
    changed = 0
    for value, selected, ones, others in zip(mask, chosen, after, before, strict=True):
        colours = list(zip(ones[: samples_of(base)], others, strict=False))
        if source.has_alpha():
            assert abs(value - selected * others[-1] / top_value) <= 1, where
        else:
            assert value == selected, where
        if selected == 0:
            assert all(abs(a - b) <= TOLERANCE * top_value for a, b in colours), where
        changed += selected == 255 and any(a != b for a, b in colours)
    assert 0 in chosen, where
    assert any(0 < value < 255 for value in chosen), "the edge is not soft"
    assert changed > 0.5 * chosen.count(255) > 0, f"{where}: {changed} changed"


run_checks(dict(globals()))
case.verdict(finished=True)
