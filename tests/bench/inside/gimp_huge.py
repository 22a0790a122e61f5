"""Inside GIMP: a layer of more than 4 GiB of floats is read and written, as the plug-in does it.

    python -m tests.hosts.session trixie gimp-console tests/bench/inside/gimp_huge.py side=17000

Takes some 12 GB of memory. `side`: of the square layer, in pixels, 16 bytes each.
"""

import sys
import time
from pathlib import Path

import case
from gi.repository import Gegl, Gimp

sys.path.insert(0, str(Path(Gimp.directory()) / "plug-ins" / "dreamlayer-gimp"))
from dreamlayer_gimp.layers import buffers, layouts, lossless
from dreamlink.picture import Region

SIDE = int(case.arguments.get("side", 17_000))
PLACES = [(0, 0), (SIDE // 2, SIDE // 3), (SIDE - 1, SIDE // 2), (SIDE - 1, SIDE - 1)]


def main():
    buffers.prepare()
    image = Gimp.Image.new_with_precision(
        SIDE, SIDE, Gimp.ImageBaseType.RGB, Gimp.Precision.FLOAT_LINEAR
    )
    source, target = new_layer(image, "source"), new_layer(image, "target")
    Gimp.context_set_foreground(Gegl.Color.new("#807050"))
    source.fill(Gimp.FillType.FOREGROUND)
    area = Region(0, 0, SIDE, SIDE)
    picture, form = layouts.layout(image, source, area)
    for number, place in enumerate(PLACES):  # all over, and each its own
        mark(source, place, form, number)
    print(f"{picture.nbytes / 2**30:.2f} GiB, {len(buffers.strips(area, form))} strips")
    pixels = timed("read", lossless.read, source, area, form)
    assert len(pixels) == picture.nbytes > 4 << 30
    timed("write", lossless.write, target, area, form, pixels)
    for place in PLACES:
        assert at(target, place, form) == at(source, place, form), place
    assert len({at(target, place, form) for place in PLACES}) == len(PLACES)
    case.verdict(bytes=len(pixels), memory=memory())


def new_layer(image, name):
    kind = Gimp.ImageType.RGBA_IMAGE
    layer = Gimp.Layer.new(image, name, SIDE, SIDE, kind, 100, Gimp.LayerMode.NORMAL)
    image.insert_layer(layer, None, 0)
    return layer


def mark(layer, place, form, number):
    buffer = layer.get_buffer()
    buffer.set(Gegl.Rectangle.new(*place, 1, 1), form, bytes((number, 1, 2, 60)) * 4)
    buffer.flush()


def at(layer, place, form):
    return bytes(buffers.read(layer.get_buffer(), Region(*place, 1, 1), form))


def timed(what, function, *arguments):
    started = time.monotonic()
    result = function(*arguments)
    print(f"{what}: {time.monotonic() - started:.1f} s, at most {memory()} MB in the plug-in")
    return result


def memory():
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


main()
