"""Runs in Krita, for tests.bench.krita_blocking: a dream in a small selection of a huge picture."""

import itertools
import os
import sys
import time
from pathlib import Path

import case
from krita import Krita, QTimer, Selection

sys.path.insert(0, str(Path(case.arguments["checkout"]) / "tests/hosts/krita"))
import desk

from dreamlayer_krita.document import layer_io as reader

SIDE = int(case.arguments["side"])  # pixels
PIECE = 1000  # pixels; the picture is painted in squares of this size
SELECTED = 512  # pixels
BEAT = 10  # ms between two signs of life
STATUS = Path("/proc/self/status")


def run(_document):
    document = yield from painted()
    figures = []
    for turn in range(int(case.arguments["turns"])):
        selection = Selection()
        selection.select(3000 + 700 * turn, 4000, SELECTED, SELECTED, 255)
        document.setSelection(selection)
        document.waitForDone()
        yield 2000  # Krita draws the edge
        figures.append((yield from measured()))
        yield from desk.activate(document, document.nodeByName("Background"))
    case.verdict(figures=figures)


def painted():
    document = Krita.instance().createDocument(SIDE, SIDE, "huge", "RGBA", "U8", "", 72.0)
    layer = document.rootNode().childNodes()[0]
    square = os.urandom(4 * PIECE * PIECE // 50) * 50
    for x, y in itertools.product(range(0, SIDE, PIECE), repeat=2):
        layer.setPixelData(square, x, y, PIECE, PIECE)
    document.refreshProjection()
    document.waitForDone()
    desk.app.activeWindow().addView(document)
    yield from desk.until(lambda: desk.active(document), "the huge document is active")
    yield 5000
    return document


def measured():
    """One dream: what the plug-in does, and what Krita does by itself as it adds the layer.

    call, pause, memory: the action's call and the longest pause until the layer is added (ms), and
    how far memory grew by then (MB); adding: Krita's `addChildNode` (ms); idle: the longest pause
    of the same length of time in which nothing was asked of Krita (ms).
    """
    desk.fill_form(**desk.QUICK, **desk.PLAIN)
    yield 1000
    beats = []
    clock = QTimer()
    clock.timeout.connect(lambda: beats.append(time.perf_counter()))
    clock.start(BEAT)
    yield 2000
    idle = longest(beats)
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak is forgotten
    added = {}
    put, reader.put = reader.put, lambda *nodes: timed(put, nodes, beats, added, before)
    clock.stop()
    # Krita 5.3 handles what is pending when it is asked for the active layer: timers and, with the
    # edge of the selection crawling, a picture painted by the processor where no card does it.
    desk.app.activeWindow().qwindow().setUpdatesEnabled(False)
    beats[:] = [time.perf_counter()]
    desk.trigger()
    beats.append(time.perf_counter())
    called = beats[1] - beats[0]
    desk.app.activeWindow().qwindow().setUpdatesEnabled(True)
    clock.start(BEAT)
    try:
        yield from desk.finish()
    finally:
        clock.stop()
        reader.put = put
    return {"call": 1000 * called, "idle": idle, **added}


def timed(put, nodes, beats, added, before):
    began = time.perf_counter()
    added["pause"] = longest([*beats, began])
    added["memory"] = memory("VmHWM") - before
    node_id = put(*nodes)
    added["adding"] = 1000 * (time.perf_counter() - began)
    return node_id


def longest(beats):
    return 1000 * max(b - a for a, b in itertools.pairwise(beats))


def memory(name):
    line = next(line for line in STATUS.read_text(encoding="ascii").splitlines() if name in line)
    return int(line.split()[1]) / 1024
