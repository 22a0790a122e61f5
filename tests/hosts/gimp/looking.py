"""What is seen of an image, to compare before and after a dream of strength 0; layers' filters."""

from array import array
from operator import mul

from desk import GRAY, own_format, pixels
from gi.repository import Gimp

ZERO = {"layer": "features.2", "octaves": 1, "steps": 1, "seed": 1, "context": 8, "strength": 0.0}
STEP = 1.001 / 255  # a sample that differs by more has changed
ALLOWED = 0.001  # of the samples may have


def seen(image):
    """The composed image on its own curve, alpha multiplied in, 0 to 1."""
    layer = Gimp.Layer.new_from_visible(image, image, "seen")
    mark = own_format(layer)[1]
    mark = mark if mark in "'~" else ""
    letters = "Y" if image.get_base_type() == GRAY else "RGB"
    form = "".join(letter + mark for letter in letters) + "A float"
    values, samples = array("f", pixels(layer, form)), len(letters) + 1
    layer.delete()
    alpha = values[samples - 1 :: samples]
    for first in range(samples - 1):  # babl itself crashes on gray premultiplied formats
        colours = values[first::samples]
        values[first::samples] = array("f", map(mul, colours, alpha))
    return values


def changes(before, after, inside=None):
    """The share of the samples that changed; with `inside`, a byte a pixel, only where it is 0."""
    samples = len(before) // len(inside) if inside else 1
    pairs = zip(before, after, strict=True)
    many = sum(
        abs(one - other) > STEP
        for i, (one, other) in enumerate(pairs)
        if inside is None or not inside[i // samples]
    )
    return many / len(before)


def add_filter(layer, operation, **values):
    """Add a non-destructive filter above a layer's others."""
    made = Gimp.DrawableFilter.new(layer, operation, operation)
    config = made.get_config()
    for name, value in values.items():
        config.set_property(name.replace("_", "-"), value)
    layer.append_filter(made)
    made.update()
    return made
