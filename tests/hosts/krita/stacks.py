"""Sixty random stacks of layers: a dream of strength 0 changes nothing that is seen.

In each stack some layer dreams as a whole, and then in a selection. The composed picture stays as
it was, or the dream is refused with a sentence, or (in a selection only) the user is told that the
layer now counts twice there. The arguments seed="NUMBER" and stacks="NUMBER" draw others, only by
hand; first="NUMBER" skips some.
"""

import collections
import dataclasses
import random
import re
import struct

import case
import desk
from krita import InfoObject, Selection

from dreamlayer_krita.document import layer_io as reader
from dreamlink.session.dream import State

STACKS, SEED = 60, 15
WIDTH, HEIGHT = 96, 80
CANVAS = (0, 0, WIDTH, HEIGHT)
SRGB = "sRGB-elle-V2-srgbtrc.icc"
SPACES = [
    *[("RGBA", "U8", "")] * 5, ("RGBA", "U16", ""), ("RGBA", "U16", SRGB), ("RGBA", "F16", ""),
    ("RGBA", "F32", ""), ("RGBA", "U8", "ClayRGB-elle-V4-srgbtrc.icc"), ("GRAYA", "U8", ""),
    ("GRAYA", "F32", ""), ("LABA", "U16", ""),
]  # fmt: skip
MODES = [
    "multiply", "screen", "overlay", "darken", "lighten", "add", "subtract", "diff", "dodge",
    "burn", "hard_light", "soft_light_svg", "exclusion", "erase", "behind", "color", "luminize",
]  # fmt: skip
KINDS = ["paint"] * 6 + ["group"] * 3 + ["vector", "fill", "clone", "filter"]
ALPHAS = ["opaque"] * 3 + ["soft", "holes"]
STYLE = """<asl><node type="Descriptor" name="" classId="null">
<node type="Boolean" key="masterFXSwitch" value="1"/>
<node type="Descriptor" name="" classId="DrSh" key="DrSh">
<node type="Boolean" key="enab" value="1"/>
<node type="Enum" typeId="BlnM" key="Md  " value="Nrml"/>
<node type="Descriptor" name="" classId="RGBC" key="Clr ">
<node type="Double" key="Rd  " value="200"/>
<node type="Double" key="Grn " value="30"/><node type="Double" key="Bl  " value="0"/></node>
<node type="UnitFloat" unit="#Prc" key="Opct" value="80"/>
<node type="UnitFloat" unit="#Ang" key="lagl" value="120"/>
<node type="UnitFloat" unit="#Pxl" key="Dstn" value="7"/>
<node type="UnitFloat" unit="#Pxl" key="blur" value="3"/>
<node type="Boolean" key="layerConceals" value="1"/></node></node></asl>"""
SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="96" height="80">
<circle cx="50" cy="40" r="26" fill="#e0a030"/></svg>"""
SHARE = 0.001  # of the samples may differ by more than 1 of 255


def run(_document):
    yield from desk.close_documents()
    yield from desk.run_checks(globals())


def check_sixty_random_stacks():
    first = int(case.arguments.get("first", 0))
    count = int(case.arguments.get("stacks", STACKS))
    kinds, failures, figures = collections.Counter(), [], []
    document = space = None
    for draw in sorted(map(drawing_of, range(first, count)), key=lambda draw: str(draw.space)):
        if draw.space != space:
            yield from desk.close_documents()
            space = draw.space
            document = yield from desk.new_document(WIDTH, HEIGHT, *space)
        stack = Stack(document, draw)
        yield from stack.build()
        whole = yield from tried(stack, None, kinds, figures)
        part = yield from tried(stack, stack.selection(), kinds, figures)
        print(f"{draw.number}: {stack.describe()}\n   whole: {whole}\n   part: {part}")
        failures += [
            f"{draw.number}: {text}" for text in (whole, part) if text.startswith("FAILED")
        ]
    print(dict(kinds))
    print(f"largest share of samples off by more than 1: {max(figures):.4%}")
    print(f"stacks without any such sample: {sum(not share for share in figures)}/{len(figures)}")
    case.verdict(kinds=dict(kinds))
    assert not failures, "\n".join(failures)
    if not first and count == STACKS:
        assert kinds["whole dreamed"] >= STACKS * 2 / 3 and kinds["whole refused"], kinds


def drawing_of(number):
    """The random numbers of a stack, with its number and its colour space."""
    draw = random.Random(f"{case.arguments.get('seed', SEED)} {number}")
    draw.number, draw.space = number, draw.choice(SPACES)
    return draw


def tried(stack, selection, kinds, figures):
    """Dream at strength 0; returns what happened, which begins with FAILED if that was wrong."""
    way = "whole" if selection is None else "part"
    before, visible = seen(stack.document), stack.source.visible()
    recipe = dataclasses.replace(
        desk.session().recipe(), layer="features.5", octaves=1, steps=1, strength=0.0, context=8
    )
    try:
        read = reader.read(recipe, where=reader.DreamTarget(stack.source, selection))
    except reader.DocumentError as error:
        kinds[f"{way} refused"] += 1
        return f"refused: {error}"
    job = desk.session().start(read, recipe)
    yield lambda: job.over
    if job.state is not State.DONE:
        return f"FAILED: {job.text}"
    note = job.text.partition("seed ")[2].partition(". ")[2]
    kinds[f"{way} dreamed"] += 1
    kinds[f"{way}: {note.partition('” ')[2].partition(',')[0].partition('(')[0]}"] += 1
    result = judged(stack, before, "counts twice" in note and selection is not None, figures)
    yield from taken_back(stack, job.result.node_id, visible)
    if seen(stack.document) != before:
        result = "FAILED: without the dream the picture is not as before"
    return f"{result} {note}"


def judged(stack, before, twice, figures):
    """Compare the picture with that before; `twice`: the user was told that it may differ."""
    document = stack.document
    document.waitForDone()
    at_once = bytes(document.pixelData(*CANVAS))
    after = seen(document)
    share = changed(document, before, after)
    if at_once != after:
        return "FAILED: the canvas does not show it at once"
    if twice:
        return "FAILED: a plain layer can't count twice" if stack.plain else f"{share:.3%}"
    figures.append(share)
    return f"FAILED: {share:.1%} changed" if share > SHARE else f"{share:.3%}"


def taken_back(stack, node_id, visible):
    """Undo the dream, or remove its layer, which does not show the source again."""
    document, source = stack.document, stack.source
    if stack.draw.random() < 0.3:
        desk.app.action("edit_undo").trigger()
        yield lambda: document.nodeByUniqueID(node_id) is None
        yield from desk.until(lambda: source.visible() == visible, "the source is back", 5)
    else:
        document.nodeByUniqueID(node_id).remove()
        source.setVisible(visible)
    document.waitForDone()


def seen(document):
    document.refreshProjection()
    document.waitForDone()
    return bytes(document.pixelData(*CANVAS))


def changed(document, before, after):
    """The share of samples, multiplied by alpha, that differ by more than 1 of 255."""
    code, top = desk.FORMATS[document.colorDepth()]
    samples = len(before) // (WIDTH * HEIGHT) // struct.calcsize(code)
    off = total = 0
    if before == after:
        return 0.0
    pictures = []
    for raw in (before, after):
        values = struct.unpack(f"<{len(raw) // struct.calcsize(code)}{code}", raw)
        pictures.append(values)
    for start in range(0, len(pictures[0]), samples):
        pixels = [values[start : start + samples] for values in pictures]
        for one, other in zip(*(premultiplied(pixel, top) for pixel in pixels), strict=True):
            off += abs(one - other) > 1.01 / 255
            total += 1
    return off / total


def premultiplied(pixel, top):
    alpha = pixel[-1] / top
    return [value / top * alpha for value in pixel[:-1]] + [alpha]


class Stack:
    """Random layers in a document that had others before.

    Attributes:
        source: the layer that dreams.
        plain: whether it is a Normal and opaque one, which may not count twice.
    """

    def __init__(self, document, draw):
        self.document, self.draw = document, draw
        self.source, self.plain = None, False
        self._layers = []
        self._words = {}

    def build(self):
        root = self.document.rootNode()
        for node in root.childNodes():
            node.remove()
        yield 40
        self.document.waitForDone()
        if self.draw.random() < 0.85:
            self._paint(root, "bottom", "opaque", CANVAS)
        for number in range(self.draw.randint(1, 3)):
            self._layer(root, self.draw.choice(KINDS), str(number))
        self.source = self.draw.choice(self._layers)
        self.plain = self._words[self._name(self.source)] == "paint opaque"
        self.document.refreshProjection()
        self.document.waitForDone()
        slow = any(layer.type() in ("vectorlayer", "filllayer") for layer in self._layers)
        yield 500 if slow else 60  # Krita draws these a little later
        self.document.waitForDone()

    def describe(self):
        words = ", ".join(f"{name}: {text}" for name, text in self._words.items())
        space = f"{self.document.colorModel()} {self.document.colorDepth()}"
        return f"{space}; {words}; source {self._name(self.source)}"

    def selection(self):
        """A rectangle around the middle of the source, perhaps with soft edges."""
        x, y, width, height = desk.box(self.source)
        left, top = max(x, 0) + 4, max(y, 0) + 4
        chosen = Selection()
        chosen.select(left, top, max(width // 2, 8), max(height // 2, 8), 255)
        if self.draw.random() < 0.3:
            chosen.feather(3)
        return chosen

    def _name(self, node):
        return node.name()

    def _layer(self, parent, kind, name):
        draw, document = self.draw, self.document
        if kind == "group":
            group = document.createGroupLayer(name)
            parent.addChildNode(group, None)
            self._note(group, "group")
            for number in range(draw.randint(1, 2)):
                self._layer(group, draw.choice(KINDS[:7]), f"{name}.{number}")
            if draw.random() < 0.25:
                group.setPassThroughMode(True)
                self._words[name] += " pass-through"
            node = group
        elif kind == "vector":
            node = document.createVectorLayer(name)
            parent.addChildNode(node, None)
            node.addShapesFromSvg(SVG)
            self._note(node, "vector")
        elif kind == "fill":
            info = InfoObject()
            info.setProperty("color", "#3068b0")
            part = Selection()
            part.select(draw.randint(0, 40), draw.randint(0, 40), 50, 40, 255)
            node = document.createFillLayer(name, "color", info, part)
            parent.addChildNode(node, None)
            self._note(node, "fill")
        elif kind == "clone" and self._layers:
            node = document.createCloneLayer(name, draw.choice(self._layers))
            parent.addChildNode(node, None)
            self._note(node, "clone")
        elif kind == "filter":
            node = document.createFilterLayer(name, desk.app.filter("invert"), everything())
            parent.addChildNode(node, None)
            self._note(node, "filter")
        else:
            box = (
                draw.randint(-20, 40), draw.randint(-20, 30), draw.randint(40, 90),
                draw.randint(40, 80),
            )  # fmt: skip
            node = self._paint(parent, name, draw.choice(ALPHAS), box)
        self._dress(node)

    def _paint(self, parent, name, alpha, box):
        space = (self.document.colorModel(), self.document.colorDepth())
        layer = self.document.createNode(name, "paintlayer")
        layer.setPixelData(pattern(self.draw, box[2], box[3], *space, alpha), *box)
        parent.addChildNode(layer, None)
        self._note(layer, f"paint {alpha}")
        return layer

    def _note(self, node, text):
        self._layers.append(node)
        self._words[node.name()] = text

    def _dress(self, node):
        """Give it a mode, an opacity, masks … at random."""
        draw, words = self.draw, []
        through = node.type() == "grouplayer" and node.passThroughMode()
        if draw.random() < 0.45 and not through:
            gray = self.document.colorModel() == "GRAYA"  # which has no colours to blend
            node.setBlendingMode(draw.choice(MODES[:-2] if gray else MODES))
            words.append(node.blendingMode())
        if draw.random() < 0.4:
            node.setOpacity(draw.randint(40, 230))
            words.append(f"{node.opacity()}/255")
        if draw.random() < 0.25 and not through:
            node.setInheritAlpha(True)
            words.append("inherits alpha")
        if draw.random() < 0.15:
            node.setVisible(False)
            words.append("hidden")
        if draw.random() < 0.06 and node.type() == "paintlayer":
            node.channels()[0].setVisible(False)
            words.append("without a channel")
        if draw.random() < 0.1 and not through:
            node.setLayerStyleFromAsl(STYLE)
            words.append("style")
        if draw.random() < 0.35 and node.type() != "filterlayer":
            add = draw.choice([inverted, blurred, cut_out, transformed, colorized])
            mask = add(self.document, node)
            if draw.random() < 0.2:
                mask.setVisible(False)
            words.append(f"{add.__name__}{'' if mask.visible() else ' (off)'}")
        if words:
            self._words[node.name()] += " " + " ".join(words)


def pattern(draw, width, height, model, depth, alpha):
    """Coloured squares; `alpha` "soft": they fade to the right, "holes": some are left out."""
    code, top = desk.FORMATS[depth]
    colours = {"RGBA": 3, "GRAYA": 1, "LABA": 3}[model]
    tiles = [[draw.randint(30, 225) / 255 for _ in range(colours)] for _ in range(17)]
    values = []
    for y in range(height):
        for x in range(width):
            tile = (x // 9 + 5 * (y // 7)) % 17
            cover = {"soft": 1 - x / width, "holes": float(tile % 3 > 0)}.get(alpha, 1.0)
            values += [*tiles[tile], cover]
    if isinstance(top, int):
        values = [round(value * top) for value in values]
    return struct.pack(f"<{len(values)}{code}", *values)


def everything():
    selection = Selection()
    selection.select(-200, -200, 600, 600, 255)
    return selection


def inverted(document, node):
    return filtered(document, node, "invert")


def blurred(document, node):
    return filtered(document, node, "blur", halfWidth=6, halfHeight=6)


def filtered(document, node, name, **properties):
    effect = desk.app.filter(name)
    settings = effect.configuration()
    for key, value in properties.items():
        settings.setProperty(key, value)
    effect.setConfiguration(settings)
    mask = document.createFilterMask(name, effect, everything())
    node.addChildNode(mask, None)
    return mask


def cut_out(document, node):
    mask = document.createTransparencyMask("cut-out")
    node.addChildNode(mask, None)
    shape = Selection()
    shape.select(8, 12, 60, 44, 255)
    shape.feather(4)
    mask.setSelection(shape)
    return mask


def transformed(document, node):
    mask = document.createTransformMask("transform")
    node.addChildNode(mask, None)
    moved = re.sub(
        r"<transformedCenter [^>]*>",
        '<transformedCenter type="pointf" x="14" y="9"/>',
        mask.toXML(),
    )
    assert mask.fromXML(moved)
    return mask


def colorized(document, node):
    mask = document.createColorizeMask("colorize")
    node.addChildNode(mask, None)
    return mask
