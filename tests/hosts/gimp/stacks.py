"""Inside GIMP: sixty random stacks of layers, and a dream of strength 0 on a layer of each.

What is seen stays the same, or the dream is refused with a sentence: with the whole layer, and with
a selection. There, only a source that is Normal, 100 % and opaque must look the same inside; any
other counts twice, and what is outside stays the same.

    … stacks.py PICTURE first=12 count=1     one stack by its number, with what it is made of
"""

import sys
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import case

sys.path.insert(0, case.arguments["scripts"])
from desk import GRAY, RGB, SUCCESS, deep_dream, open_photo, pixels, run_checks
from gi.repository import Gegl, Gimp
from looking import ALLOWED, ZERO, add_filter, changes, seen

WIDTH, HEIGHT = 96, 80
FIRST, COUNT = int(case.arguments.get("first", 0)), int(case.arguments.get("count", 60))
P, M, C = Gimp.Precision, Gimp.LayerMode, Gimp.LayerCompositeMode
NORMAL = (M.NORMAL, M.NORMAL_LEGACY)
PRECISIONS = (
    P.U8_NON_LINEAR, P.U8_NON_LINEAR, P.U8_NON_LINEAR, P.U8_LINEAR, P.U8_PERCEPTUAL,
    P.U16_NON_LINEAR, P.U16_LINEAR, P.HALF_LINEAR, P.FLOAT_LINEAR, P.FLOAT_NON_LINEAR,
)  # fmt: skip
MODES = (
    M.NORMAL_LEGACY, M.DISSOLVE, M.MULTIPLY, M.MULTIPLY_LEGACY, M.SCREEN, M.OVERLAY, M.ADDITION,
    M.SUBTRACT, M.DIFFERENCE, M.DARKEN_ONLY, M.LIGHTEN_ONLY, M.SOFTLIGHT, M.HARDLIGHT,
    M.GRAIN_EXTRACT, M.GRAIN_MERGE, M.LINEAR_BURN, M.EXCLUSION, M.LUMA_DARKEN_ONLY, M.LUMINANCE,
    M.HSV_HUE, M.HSL_COLOR, M.LCH_COLOR, M.LCH_LIGHTNESS, M.ERASE, M.COLOR_ERASE, M.MERGE, M.SPLIT,
)  # fmt: skip
CLIPPINGS = (C.UNION, C.CLIP_TO_BACKDROP, C.CLIP_TO_LAYER, C.INTERSECTION)
SPACES = (Gimp.LayerColorSpace.RGB_LINEAR, Gimp.LayerColorSpace.RGB_PERCEPTUAL)

_, photo = open_photo()
PHOTO = pixels(photo, "R'G'B'A u8")
PHOTO_WIDTH, PHOTO_HEIGHT = photo.get_width(), photo.get_height()


@dataclass
class Stack:
    """An image, the layer to dream on, and words for what is special about it."""

    image: Any
    random: Random
    source: Any = None
    kinds: list[str] = field(default_factory=list)

    def one_in(self, number: int, kind: str = "") -> bool:
        """True once in `number` times; then the stack is of that kind."""
        chosen = self.random.randrange(number) == 0
        if chosen and kind:
            self.kinds.append(kind)
        return chosen

    @property
    def plain(self) -> bool:
        """Whether the source hides all that is below it."""
        source, mask = self.source, self.source.get_mask()
        return (
            source.get_mode() in NORMAL
            and source.get_opacity() == 100
            and not {"soft", "holes", "shadow", "group", "text"} & set(self.kinds)
            and not (mask is not None and source.get_apply_mask())
        )


# A random stack


def random_stack(number):
    random = Random(number)
    base = GRAY if random.randrange(5) == 0 else RGB
    precision = random.choice(PRECISIONS)
    image = Gimp.Image.new_with_precision(WIDTH, HEIGHT, base, precision)
    image.undo_disable()
    stack = Stack(image, random)
    stack.kinds += ["gray"] * (base == GRAY) + [f"precision {int(precision)}"]
    if not stack.one_in(6, "nothing below"):
        below = new_layer(stack, None, 0)
        if stack.one_in(3, "holes below"):
            make_holes(stack, below)
    parent = None
    if stack.one_in(3, "in a group"):
        parent = new_group(stack, None, 0)
        new_layer(stack, parent, 0)
        if stack.one_in(2, "in a pass-through group"):
            parent.set_mode(M.PASS_THROUGH)
        elif stack.one_in(2):
            parent.set_mode(random.choice(MODES))
        if stack.one_in(3):
            parent.set_opacity(random.uniform(20, 90))
        if stack.one_in(4, "in a group with a filter"):
            add_filter(parent, "gegl:invert-gamma")
    stack.source = random_source(stack, parent)
    place_source(stack)
    for _ in range(random.randrange(3)):
        above = new_layer(stack, parent, 0)
        above.set_offsets(random.randint(-20, 40), random.randint(-20, 40))
        above.set_mode(random.choice(MODES))
        above.set_opacity(random.uniform(20, 100))
        if stack.one_in(2, "clipped above"):
            above.set_composite_mode(random.choice(CLIPPINGS))
    return stack


def random_source(stack, parent):
    if stack.one_in(5, "group"):
        source = new_group(stack, parent, 0)
        for place in range(2):
            child = new_layer(stack, source, 0)
            if place:
                child.set_offsets(stack.random.randint(-30, 30), stack.random.randint(-30, 30))
                child.set_mode(stack.random.choice(MODES))
                child.set_opacity(stack.random.uniform(30, 100))
        if stack.one_in(3, "filter in the group"):
            add_filter(child, "gegl:gaussian-blur", std_dev_x=2.0, std_dev_y=2.0)
        if stack.one_in(4, "pass-through"):
            source.set_mode(M.PASS_THROUGH)
        return source
    if stack.one_in(10, "text"):
        font = Gimp.context_get_font() or Gimp.fonts_get_list("")[0]
        source = Gimp.TextLayer.new(stack.image, "Dream", font, 28, Gimp.Unit.pixel())
        stack.image.insert_layer(source, parent, 0)
        source.set_color(Gegl.Color.new("#803010"))
        return source
    size = (stack.random.randint(24, 130), stack.random.randint(24, 110))
    size = (WIDTH, HEIGHT) if stack.one_in(2) else size
    source = new_layer(stack, parent, 0, size, alpha=not stack.one_in(3, "without alpha"))
    if "without alpha" not in stack.kinds:
        if stack.one_in(3, "soft"):
            make_soft(stack, source)
        elif stack.one_in(5, "holes"):
            make_holes(stack, source)
    return source


def place_source(stack):
    """What is special about the layer to dream on: its place, mode, mask, filters, flags."""
    source, random = stack.source, stack.random
    if stack.one_in(2, "moved"):
        source.set_offsets(random.randint(-24, 40), random.randint(-24, 40))
    if "pass-through" not in stack.kinds and stack.one_in(2, "mode"):
        source.set_mode(random.choice(MODES))
        stack.kinds.append(f"mode {int(source.get_mode())}")
    if stack.one_in(3, "translucent"):
        source.set_opacity(random.choice((30, 33.3, 50, 99, random.uniform(1, 99))))
    if stack.one_in(3, "clipped"):
        source.set_composite_mode(random.choice(CLIPPINGS))
    if stack.one_in(5, "blend space"):
        source.set_blend_space(random.choice(SPACES))
        source.set_composite_space(random.choice(SPACES))
    if stack.one_in(4, "mask"):
        source.add_mask(source.create_mask(Gimp.AddMaskType.WHITE))
        paint_softly(stack, source.get_mask(), "Y u8", 1)
        if stack.one_in(4, "mask disabled"):
            source.set_apply_mask(False)
        elif stack.one_in(8, "mask shown"):
            source.set_show_mask(True)
    if stack.one_in(3, "filter"):
        add_filters(stack)
    if stack.one_in(8, "hidden"):
        source.set_visible(False)
    if stack.one_in(9, "locked"):
        source.set_lock_visibility(True)


def add_filters(stack):
    source = stack.source
    if stack.one_in(3, "shadow"):
        add_filter(source, "gegl:dropshadow", x=6.0, y=5.0, radius=3.0)
    elif stack.one_in(3):
        add_filter(source, "gegl:gaussian-blur", std_dev_x=3.0, std_dev_y=3.0)
    elif stack.one_in(3, "filter on a selected part"):
        stack.image.select_ellipse(Gimp.ChannelOps.REPLACE, 10, 10, 60, 50)
        add_filter(source, "gegl:invert-gamma")
        Gimp.Selection.none(stack.image)
    else:
        made = add_filter(source, "gegl:invert-gamma")
        if stack.one_in(3, "translucent filter"):
            made.set_opacity(0.4)
            made.update()
    if stack.one_in(4, "filter switched off"):
        add_filter(source, "gegl:saturation", scale=2.0).set_visible(False)


def new_group(stack, parent, place):
    group = Gimp.GroupLayer.new(stack.image, "group")
    stack.image.insert_layer(group, parent, place)
    return group


def new_layer(stack, parent, place, size=(WIDTH, HEIGHT), alpha=True):
    """A layer with a part of the photo."""
    gray = stack.image.get_base_type() == GRAY
    kinds = Gimp.ImageType
    if gray:
        kind = kinds.GRAYA_IMAGE if alpha else kinds.GRAY_IMAGE
    else:
        kind = kinds.RGBA_IMAGE if alpha else kinds.RGB_IMAGE
    layer = Gimp.Layer.new(stack.image, "layer", *size, kind, 100, M.NORMAL)
    stack.image.insert_layer(layer, parent, place)
    left = stack.random.randrange(PHOTO_WIDTH - size[0])
    top = stack.random.randrange(PHOTO_HEIGHT - size[1])
    rows = (((top + y) * PHOTO_WIDTH + left) * 4 for y in range(size[1]))
    write(layer, "R'G'B'A u8", b"".join(PHOTO[start : start + size[0] * 4] for start in rows))
    return layer


def write(drawable, form, data):
    box = (0, 0, drawable.get_width(), drawable.get_height())
    buffer = drawable.get_buffer()
    buffer.set(Gegl.Rectangle.new(*box), form, data)
    buffer.flush()
    drawable.update(*box)


def make_holes(stack, layer):
    """Cut a rectangle out of a layer."""
    data = bytearray(pixels(layer, "R'G'B'A u8"))
    width, height = layer.get_width(), layer.get_height()
    for y in range(height // 4, height // 2):
        for x in range(width // 3, width // 2):
            data[(y * width + x) * 4 + 3] = 0
    write(layer, "R'G'B'A u8", bytes(data))


def make_soft(stack, layer):
    paint_softly(stack, layer, "R'G'B'A u8", 4)


def paint_softly(stack, drawable, form, samples):
    """A slope from 0 to 255 across, in the last sample of each pixel."""
    data = bytearray(pixels(drawable, form))
    width = drawable.get_width()
    for i in range(len(data) // samples):
        data[i * samples + samples - 1] = (i % width) * 255 // width
    write(drawable, form, bytes(data))


# The dreams


@dataclass
class Tally:
    """What happened to all stacks."""

    dreamed: int = 0
    refused: Counter = field(default_factory=Counter)
    kinds: Counter = field(default_factory=Counter)
    worst: float = 0.0
    exact: int = 0
    wrong: list = field(default_factory=list)


def dream(stack, tally, number, select=False):
    """Dream on the source and compare; then everything is as before."""
    image, source = stack.image, stack.source
    was_visible, inside = source.get_visible(), None
    before = seen(image)
    if select:
        buffer = image.get_selection().get_buffer()
        chosen = buffer.get(
            Gegl.Rectangle.new(0, 0, WIDTH, HEIGHT), 1.0, "Y u8", Gegl.AbyssPolicy.NONE
        )
        inside = None if stack.plain or not was_visible else chosen
    answer = deep_dream(image, [source], **ZERO)
    words = f"stack {number}{', selection' if select else ''}: {', '.join(stack.kinds)}"
    if answer.status != SUCCESS:
        tally.refused[answer.text.split(":")[0][:60]] += 1
        if "bug" in answer.text or not answer.text.endswith("."):
            tally.wrong.append(f"{words}: {answer.text}")
        return
    tally.dreamed += 1
    share = changes(before, seen(image), inside)
    if not was_visible and not select:  # dreamed as if it were shown
        answer.layer.set_visible(True)
        dreamed = seen(image)
        answer.layer.set_visible(False)
        source.set_visible(True)
        share = max(share, changes(seen(image), dreamed))
    tally.worst = max(tally.worst, share)
    tally.exact += share == 0
    if share > ALLOWED:
        tally.wrong.append(f"{words}: {share:.2%} of the samples changed")
    image.remove_layer(answer.layer)
    source.set_visible(was_visible)


def check_what_is_seen_stays():
    whole, part = Tally(), Tally()
    for number in range(FIRST, FIRST + COUNT):
        stack = random_stack(number)
        if COUNT < 60:
            print(stack.kinds)
        whole.kinds.update(stack.kinds)
        dream(stack, whole, number)
        x, y = stack.random.randint(0, 40), stack.random.randint(0, 30)
        if stack.one_in(2):
            stack.image.select_rectangle(Gimp.ChannelOps.REPLACE, x, y, 40, 36)
        else:
            Gimp.context_set_feather(True)
            Gimp.context_set_feather_radius(4, 4)
            stack.image.select_ellipse(Gimp.ChannelOps.REPLACE, x, y, 50, 44)
            Gimp.context_set_feather(False)
        dream(stack, part, number, select=True)
        stack.image.delete()
    print(f"kinds: {dict(whole.kinds)}")
    for title, tally in (("whole layers", whole), ("selections", part)):
        print(
            f"{title}: {tally.dreamed} dreamed, {tally.exact} of them without a changed sample,"
            f" at worst {tally.worst:.3%}; refused: {dict(tally.refused)}"
        )
    wrong = whole.wrong + part.wrong
    assert not wrong, "\n".join(wrong)
    if COUNT >= 60:
        assert whole.dreamed >= 40, whole
        assert len(whole.refused) >= 2, whole


run_checks(dict(globals()))
case.verdict(finished=True)
