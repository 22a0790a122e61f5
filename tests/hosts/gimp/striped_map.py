"""A dream map of two stripes, for the checks inside GIMP."""

from gi.repository import Gegl, Gimp

RGBA = "R'G'B'A u8"
RED, BLUE, NOTHING = bytes((255, 0, 0, 255)), bytes((0, 0, 255, 255)), bytes(4)


def map_over(image, size, red, blue):
    """A layer with a red stripe on the left and a blue one on the right."""
    kind = Gimp.ImageType.RGBA_IMAGE
    layer = Gimp.Layer.new(image, "map", *size, kind, 100, Gimp.LayerMode.NORMAL)
    image.insert_layer(layer, None, 0)
    row = RED * red + NOTHING * (size[0] - red - blue) + BLUE * blue
    buffer = layer.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, *size), RGBA, row * size[1])
    buffer.flush()
    layer.update(0, 0, *size)
    return layer
