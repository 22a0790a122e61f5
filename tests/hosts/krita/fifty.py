"""Fifty random dreams, cancels and undos in one Krita; after each the document must be right.

A model of Krita's history records the document's state, to the pixel, after each undo step. The
argument seed="NUMBER" selects another random sequence.
"""

import random

import case
import desk
from krita import QPushButton, Selection

from dreamlayer_krita.document import layer_io as reader

TURNS = 50
SEED = 509  # with it each action comes at least three times, and has an effect
LONG = {"octaves": 4, "steps": 500, "noise": 0.1, "noise_samples": 8}  # does not end during a test
SHORT = {"octaves": 2, "steps": 1, "step_size": 3.0, "noise": 0.0, "seed": 0}


def run(_document):
    yield from desk.close_documents()
    yield from desk.run_checks(globals())
    desk.app.writeSetting(*reader.SELECTED_AS[:2], "alpha")


def check_fifty_dreams_cancels_and_undos():
    draw = random.Random(int(case.arguments.get("seed", SEED)))
    document = yield from desk.new_document(96, 72)
    selection = Selection()
    selection.select(20, 12, 56, 50, 255)
    selection.feather(3)
    document.setSelection(selection)
    yield from desk.until(lambda: document.selection() is not None, "there is a selection")
    yield from settled(document)
    past = Past(document)
    acts = [act for act, weight in ACTS.items() for _ in range(weight)]
    for turn in range(TURNS):
        act = draw.choice(acts)
        note = yield from act(past, draw)
        print(f"{turn}: {act.__name__} {note or ''}, step {past.now} of {len(past.states) - 1}")
        yield from past.agrees(f"turn {turn}, {act.__name__}")
        assert desk.app.documents() == [document], "a document has leaked"
    while past.now:
        yield from undo(past, draw)
        yield from past.agrees(f"undoing all, step {past.now}")
    while past.now < len(past.states) - 1:
        yield from redo(past, draw)
        yield from past.agrees(f"redoing all, step {past.now}")
    case.screenshot("fifty")


def settled(document):
    """Wait until Krita's list of the history no longer changes."""
    rows = None
    while rows != desk.history():
        rows = desk.history()
        document.waitForDone()
        yield 300


class Past:
    """The expected rows of Krita's history, and the document's state after each step."""

    def __init__(self, document):
        self.document = document
        self.before = desk.history()
        self.rows = []  # the name of each step
        self.states = [desk.snapshot(document)]
        self.now = 0

    def agrees(self, what):
        rows = [*self.before, *self.rows]
        yield from desk.until(lambda: desk.history() == rows, f"{what}: history is {rows}", 30)
        expected = self.states[self.now]
        yield from desk.until(
            lambda: desk.snapshot(self.document) == expected, f"{what}: the document is right", 30
        )
        assert not desk.busy(), f"{what}: a dream is still in the queue"

    def add_step(self, row):
        """Record a new step, after which nothing can be redone."""
        self.rows[self.now :] = [row]
        self.document.waitForDone()
        self.states[self.now + 1 :] = [desk.snapshot(self.document)]
        self.now += 1

    def layers(self):
        """The paint layers, from bottom to top."""
        nodes = self.document.rootNode().childNodes()
        return [node for node in nodes if node.type() == "paintlayer"]


def chosen(past, draw):
    """Make some layer the active one."""
    layer = draw.choice(past.layers())
    if past.document.activeNode().uniqueId() != layer.uniqueId():
        yield from desk.activate(past.document, layer)
    return layer


# User actions


def dream(past, draw, choice="alpha"):
    layer = yield from chosen(past, draw)
    desk.app.writeSetting(*reader.SELECTED_AS[:2], choice)
    new = yield from dreamt(past, **SHORT)
    assert [child.type() for child in new.childNodes()] == ["transparencymask"] * (choice == "mask")
    siblings = [node.uniqueId() for node in past.layers()]
    assert siblings.index(new.uniqueId()) == siblings.index(layer.uniqueId()) + 1
    past.add_step("Add Layer")
    return layer.name()[:20]


def dreamt(past, **recipe):
    """Dream to the end; returns the new layer."""
    before = [node.uniqueId() for node in past.layers()]
    desk.fill_form(**recipe)
    desk.trigger()
    yield from desk.finish()
    new = [node for node in past.layers() if node.uniqueId() not in before]
    assert len(new) == 1, [node.name() for node in new]
    return new[0]


def dream_behind_a_mask(past, draw):
    return (yield from dream(past, draw, "mask"))


def cancel_at_once(past, draw):
    yield from chosen(past, draw)
    desk.fill_form(**LONG)
    desk.trigger()
    yield from cancelled()


def cancel_in_the_middle(past, draw):
    yield from chosen(past, draw)
    yield from begun()
    yield from cancelled()


def begun():
    desk.fill_form(**LONG)
    desk.trigger()
    yield from desk.until(lambda: desk.status().startswith("Octave "), "the dream runs")


def cancelled():
    desk.part(QPushButton, "cancel").click()
    yield from desk.until(lambda: not desk.busy(), "the dream is cancelled")
    assert desk.message().startswith("Cancelled"), desk.message()


def press(past, action):
    """Wait first: Krita silently ignores undo while it works on the picture."""
    past.document.waitForDone()
    desk.app.action(action).trigger()


def undo(past, _draw):
    if past.now:
        past.now -= 1
        press(past, "edit_undo")
        yield from past.agrees("undo")


def redo(past, _draw):
    if past.now < len(past.states) - 1:
        past.now += 1
        press(past, "edit_redo")
        yield from past.agrees("redo")


def undo_during_a_dream(past, draw):
    """The dream ends if undo removes its source layer; otherwise it is cancelled."""
    layer = yield from chosen(past, draw)
    yield from begun()
    if past.now:
        past.now -= 1
        press(past, "edit_undo")
    expected = past.states[past.now]
    yield from desk.until(
        lambda: desk.snapshot(past.document) == expected, "the step is undone", 30
    )
    if past.document.nodeByUniqueID(layer.uniqueId()) is None:
        yield from desk.until(lambda: not desk.busy(), "the dream ends with its layer")
        assert "is gone" in desk.message(), desk.message()
        return "its own layer"
    yield from cancelled()
    return "another one"


def remove_a_layer(past, draw):
    layers = past.layers()
    if len(layers) == 1:
        return "none"
    layer = draw.choice(layers[1:])
    layer.remove()
    gone = layer.uniqueId()
    yield from desk.until(lambda: not past.document.nodeByUniqueID(gone), "the layer is gone", 30)
    past.add_step("Remove Layer")
    return layer.name()[:20]


def cancel_the_first_of_two(past, draw):
    """The waiting one is dreamed to the end."""
    yield from chosen(past, draw)
    desk.app.writeSetting(*reader.SELECTED_AS[:2], "alpha")
    before = len(past.layers())
    yield from begun()
    desk.fill_form(**SHORT)
    desk.trigger()
    desk.part(QPushButton, "cancel").click()
    yield from desk.finish()
    assert len(past.layers()) == before + 1, [node.name() for node in past.layers()]
    past.add_step("Add Layer")


ACTS = {
    dream: 8, dream_behind_a_mask: 3, cancel_at_once: 3, cancel_in_the_middle: 2, undo: 6, redo: 5,
    undo_during_a_dream: 3, remove_a_layer: 2, cancel_the_first_of_two: 2,
}  # fmt: skip
