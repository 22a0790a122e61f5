"""Reading layers and jobs of the Krita plug-in, with stand-ins for Krita and the link."""

import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dreamlink.client.client import LinkError
from dreamlink.picture import Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import State
from dreamlink.wire.messages import Header

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "krita"
SRGB = "sRGB-elle-V2-srgbtrc.icc"


class Rect:
    def __init__(self, x: int, y: int, width: int, height: int) -> None:
        self.x, self.y, self.width, self.height = (lambda v=v: v for v in (x, y, width, height))


class Node:
    """A paint layer that fills a rectangle with opaque black; records what was read and written."""

    def __init__(self, name: str, box: tuple[int, int, int, int], depth: str = "U8") -> None:
        self._name, self._box, self._depth = name, box, depth
        self.children: list[Node | None] = []
        self.shown, self.density, self.mode = True, 255, "normal"
        self.reads: list[tuple[int, int, int, int]] = []
        self.written: tuple[object, ...] = ()

    def name(self) -> str:
        return self._name

    def type(self) -> str:
        return "paintlayer"

    def uniqueId(self) -> str:  # noqa: N802 (Krita's names)
        return f"id of {self._name}"

    def bounds(self) -> Rect:
        return Rect(*self._box)

    def colorModel(self) -> str:  # noqa: N802
        return "RGBA"

    def colorDepth(self) -> str:  # noqa: N802
        return self._depth

    def colorProfile(self) -> str:  # noqa: N802
        return SRGB

    def childNodes(self) -> list["Node | None"]:  # noqa: N802
        return self.children

    def visible(self) -> bool:
        return self.shown

    def setVisible(self, shown: bool) -> None:  # noqa: N802
        self.shown = shown

    def opacity(self) -> int:
        return self.density

    def setOpacity(self, density: int) -> None:  # noqa: N802
        self.density = density

    def blendingMode(self) -> str:  # noqa: N802
        return self.mode

    def channels(self) -> list[object]:
        return []

    def layerStyleToAsl(self) -> str:  # noqa: N802
        return ""

    def pixelData(self, *box: int) -> bytes:  # noqa: N802
        self.reads.append((box[0], box[1], box[2], box[3]))
        return b"\0\0\0\xff" * (box[2] * box[3])

    def setPixelData(self, *written: object) -> None:  # noqa: N802
        self.written = written

    def parentNode(self) -> "Document":  # noqa: N802
        return document


class Selection(Rect):
    def pixelData(self, *box: int) -> bytes:  # noqa: N802
        return b"\xff" * (box[2] * box[3])


class UndoAction:
    """Krita's Undo: an action that calls its slots when it is triggered."""

    def __init__(self) -> None:
        self.triggered = self
        self.connect = (slots := list[Callable[[bool], None]]()).append
        self.trigger = lambda: [slot(False) for slot in slots]
        self.property = (properties := dict[str, object]()).get
        self.setProperty = properties.__setitem__


class Document:
    def __init__(self) -> None:
        self.size = (100, 80)
        self.source = Node("Cat", (-10, -10, 200, 200))
        self.chosen: Selection | None = None
        self.nodes: list[Node] = [self.source]
        self.closed = False
        self.redo = "Redo "  # the text of Krita's action
        self.undo = UndoAction()

    def colorModel(self) -> str:  # noqa: N802
        return "RGBA"

    def colorDepth(self) -> str:  # noqa: N802
        return "U8"

    def colorProfile(self) -> str:  # noqa: N802
        return SRGB

    def width(self) -> int:
        return self.size[0]

    def height(self) -> int:
        return self.size[1]

    def activeNode(self) -> Node:  # noqa: N802
        return self.source

    def selection(self) -> Selection | None:
        return self.chosen

    def waitForDone(self) -> None:  # noqa: N802
        pass

    def nodeByUniqueID(self, uid: str) -> Node | None:  # noqa: N802
        return next((node for node in self.nodes if node.uniqueId() == uid), None)

    def createNode(self, name: str, _kind: str) -> Node:  # noqa: N802
        return Node(name, (0, 0, 0, 0))

    def refreshProjection(self) -> None:  # noqa: N802
        pass

    def addChildNode(self, node: Node, above: Node) -> None:  # noqa: N802
        self.nodes.insert(self.nodes.index(above) + 1, node)


document = Document()


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The modules under test, in a stand-in for Krita with one document."""
    global document  # noqa: PLW0603 (the stand-ins' one document)
    document = Document()
    app = SimpleNamespace(
        activeDocument=lambda: document,
        action={
            "edit_undo": document.undo,
            "edit_redo": SimpleNamespace(text=lambda: document.redo),
        }.get,
        documents=lambda: [] if document.closed else [document],
        readSetting=lambda group, name, default: default,
    )
    krita: Any = ModuleType("krita")
    krita.Krita = SimpleNamespace(instance=lambda: app)
    krita.Selection = Selection
    monkeypatch.setitem(sys.modules, "krita", krita)
    qt: Any = SimpleNamespace(QtCore=None, QtGui=None)
    monkeypatch.setitem(sys.modules, "dreamlayer_krita.qt.qt", qt)
    monkeypatch.syspath_prepend(str(PLUGIN))
    from dreamlayer_krita.document import color_space as space
    from dreamlayer_krita.document import layer_io as reader
    from dreamlayer_krita.model import jobs as job

    yield SimpleNamespace(reader=reader, job=job, ColorSpace=space.ColorSpace)
    for name in [name for name in sys.modules if name.startswith("dreamlayer_krita")]:
        del sys.modules[name]


class Link:
    """Records what a job sends; `broken` makes sending fail."""

    def __init__(self) -> None:
        self.sent: list[Header] = []
        self.broken = False

    def open(self, listener: object) -> None:
        self.listener = listener

    def reopen(self, listener: object, reason: str) -> None:
        self.listener = listener
        self.reason = reason

    def leave(self, _listener: object) -> None:
        self.listener = None

    def send(self, header: Header, *_frames: object) -> None:
        if self.broken:
            raise LinkError("The connection to the Dreamlayer daemon was lost.")
        self.sent.append(header)


def start_job(plugin: SimpleNamespace) -> tuple[Any, Link]:
    """A job that has sent its request."""
    link = Link()
    job = plugin.job.DreamJob(link, plugin.reader.read(Recipe()), Recipe(), lambda job: None)
    job.start()
    job.connected()
    return job, link


def finish(job: Any, link: Link, **more: object) -> None:
    *_, width, height = link.sent[0]["region"]
    report = {"recipe": Recipe(seed=7).to_dict(), "seconds": 1.0, **more}
    pixels = bytearray(4 * width * height)
    job.received({"op": "done", "id": link.sent[0]["id"], **report}, [pixels])


def test_layer_that_krita_is_removing_is_skipped(plugin: SimpleNamespace) -> None:
    """Krita then lists None in its place."""
    from dreamlayer_krita.document import layers, look

    cat = document.source
    cat.children = [None]
    root = SimpleNamespace(childNodes=lambda: [cat, None])
    listed = layers.list_layers(SimpleNamespace(rootNode=lambda: root))
    assert listed == [(cat.uniqueId(), "Cat")]
    assert look.masks_on(cat) == []


def test_only_the_selection_and_its_context_are_read(plugin: SimpleNamespace) -> None:
    document.chosen = Selection(50, 40, 10, 8)
    source = plugin.reader.read(Recipe(context=16))
    assert document.source.reads == [(34, 24, 42, 40)]
    assert source.place == Region(50, 40, 10, 8)
    assert source.region == Region(16, 16, 10, 8)
    assert len(source.mask) == 80


def test_context_ends_at_the_canvas(plugin: SimpleNamespace) -> None:
    document.chosen = Selection(-20, 70, 40, 40)
    source = plugin.reader.read(Recipe(context=1000))
    assert document.source.reads == [(0, 0, 100, 80)]
    assert source.region == source.place == Region(0, 70, 20, 10)


def test_noise_fills_the_canvas_or_the_selection(
    plugin: SimpleNamespace,
) -> None:
    document.source = Node("Nothing", (0, 0, 0, 0))
    with pytest.raises(plugin.reader.DocumentError, match="start from noise"):
        plugin.reader.read(Recipe())
    assert plugin.reader.read(Recipe(start="noise")).place == Region(0, 0, 100, 80)
    document.chosen = Selection(50, 40, 10, 8)
    assert plugin.reader.read(Recipe(start="noise")).place == Region(50, 40, 10, 8)


def test_too_many_pixels_are_refused_before_reading(plugin: SimpleNamespace) -> None:
    document.size = (30000, 20000)
    document.source = Node("Huge", (0, 0, 30000, 20000), "F32")
    with pytest.raises(plugin.reader.DocumentError, match="select a smaller part"):
        plugin.reader.read(Recipe())
    assert not document.source.reads


@pytest.mark.parametrize(
    ("model", "depth", "profile", "order", "curve"),
    [
        ("RGBA", "U8", SRGB, "BGRA", "srgb"),
        ("RGBA", "U8", "sRGB built-in", "BGRA", "srgb"),
        ("RGBA", "U8", "sRGB IEC61966-2.1", "BGRA", "srgb"),
        ("RGBA", "U16", "sRGB-elle-V4-g10.icc", "BGRA", "linear"),
        ("RGBA", "F16", "sRGB-elle-V2-g10.icc", "RGBA", "linear"),
        ("GRAYA", "F32", "Gray-D50-elle-V2-g10.icc", "GA", "linear"),
        ("RGBA", "U8", "Rec2020-elle-V4-g10.icc", "BGRA", None),
        ("RGBA", "U8", "ClayRGB-elle-V2-srgbtrc.icc", "BGRA", None),
        ("GRAYA", "U8", "Dot Gain 20%", "GA", None),
        ("CMYKA", "U8", "Chemical proof", "BGRA", None),
    ],
)
def test_colour_spaces_that_are_sent_raw(
    plugin: SimpleNamespace, model: str, depth: str, profile: str, order: str, curve: str | None
) -> None:
    space = plugin.ColorSpace(model, depth, profile)
    assert space.curve == curve
    if curve:
        assert space.wire == space
        assert space.order == order
    else:
        wire = space.wire
        assert (wire.depth, wire.curve) == ("F32", "linear")  # which clips nothing
        assert (wire.model == "GRAYA") == (model == "GRAYA")


def test_dream_becomes_a_layer_above_the_source(plugin: SimpleNamespace) -> None:
    document.nodes.append(Node("Upper", (0, 0, 9, 9)))
    job, link = start_job(plugin)
    finish(job, link)
    assert job.state is State.DONE
    names = [node.name() for node in document.nodes]
    assert names == ["Cat", "Dream of Cat (features.10, seed 7)", "Upper"]
    assert document.nodes[1].written[1:] == (0, 0, 100, 80)


def test_notes_follow_the_time(plugin: SimpleNamespace) -> None:
    job, link = start_job(plugin)
    finish(job, link, notes=["The card is gone.", "The CPU dreams."])
    assert job.text == "Dreamed in 1.0 s with seed 7. The card is gone. The CPU dreams."


def test_translucent_source_is_hidden_and_told(plugin: SimpleNamespace) -> None:
    """Under its dream it would count twice. Only an undone dream shows it again."""
    from dreamlayer_krita.document.replaced import replaced_layers

    document.source.density = 80
    job, link = start_job(plugin)
    finish(job, link)
    assert job.text.endswith("“Cat” is hidden, because its dream takes its place.")
    dream = document.nodes[1]
    assert (dream.density, dream.shown, document.source.shown) == (80, True, False)
    replaced_layers.follow()
    assert not document.source.shown
    for redo, shown in (("Redo ", False), ("Redo Add Layer", True)):
        document.redo = "Redo "
        document.nodes = [document.source, dream]
        replaced_layers.follow()
        document.nodes, document.redo = [document.source], redo
        replaced_layers.follow()
        assert document.source.shown is shown, redo
    document.nodes, document.redo = [document.source, dream], "Redo "
    replaced_layers.follow()
    assert not document.source.shown, "the dream was redone"


def test_second_dream_that_is_undone_at_once_shows_the_source(plugin: SimpleNamespace) -> None:
    """Also if nobody looked between its arrival and the undo."""
    from dreamlayer_krita.document.replaced import replaced_layers

    document.source.density, document.redo = 80, "Redo "
    finish(*start_job(plugin))
    replaced_layers.follow()
    for _ in range(2):
        document.nodes, document.redo = [document.source], "Redo Add Layer"
        replaced_layers.follow()
        assert document.source.shown
        document.redo = "Redo "
        finish(*start_job(plugin))
        assert not document.source.shown


def test_undo_of_a_step_without_a_name_shows_the_source(plugin: SimpleNamespace) -> None:
    """Krita's Redo does not tell of it: it names no step, or only for a moment."""
    from dreamlayer_krita.document.replaced import replaced_layers

    document.source.density = 80
    replaced_layers.follow()
    for _ in range(2):
        finish(*start_job(plugin))
        replaced_layers.follow()
        assert not document.source.shown
        document.undo.trigger()
        document.nodes = [document.source]
        replaced_layers.follow()
        assert document.source.shown


def test_dream_that_outlives_an_undo_and_is_merged_leaves_the_source_hidden(
    plugin: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something else was undone; in the same second the dream is merged with another layer."""
    from dreamlayer_krita.document import replaced

    now = [100.0]
    monkeypatch.setattr(replaced.time, "monotonic", lambda: now[0])
    document.source.density = 80
    finish(*start_job(plugin))
    replaced.replaced_layers.follow()
    document.undo.trigger()
    for now[0] in (100.2, 100.7):
        replaced.replaced_layers.follow()
    document.nodes = [document.source]
    for now[0] in (100.8, 101.0, 105.0):
        replaced.replaced_layers.follow()
        assert not document.source.shown


def test_dream_of_a_hidden_layer_is_hidden(plugin: SimpleNamespace) -> None:
    document.source.shown = False
    job, link = start_job(plugin)
    finish(job, link)
    assert "“Cat” is hidden, and so is its dream: show it in the layer list." in job.text
    assert not document.nodes[1].shown


@pytest.mark.parametrize(("density", "told"), [(255, False), (80, True)])
def test_part_of_a_translucent_source_counts_twice(
    plugin: SimpleNamespace, density: int, told: bool
) -> None:
    document.source.density = density
    document.chosen = Selection(10, 10, 40, 30)
    job, link = start_job(plugin)
    finish(job, link)
    assert ("counts twice (its opacity is 31 %)" in job.text) is told, job.text
    assert document.source.shown and document.nodes[1].density == density


@pytest.mark.parametrize(
    ("depth", "opaque", "almost"),
    [
        ("U8", b"\xff", b"\xfe"),
        ("U16", b"\xff\xff", b"\xfe\xff"),
        ("F16", struct.pack("<e", 1.0), struct.pack("<e", 0.9995)),
        ("F32", struct.pack("<f", 1.0), struct.pack("<f", 0.99999)),
    ],
)
def test_one_pixel_decides_whether_a_region_is_opaque(
    plugin: SimpleNamespace, depth: str, opaque: bytes, almost: bytes
) -> None:
    is_opaque = plugin.reader.is_opaque
    picture = Picture(9, 70, depth, "GA")
    gray = bytes(len(opaque))
    for hole in ((0, 0), (8, 69), (4, 35)):
        frame = b"".join(
            gray + (almost if (x, y) == hole else opaque) for y in range(70) for x in range(9)
        )
        beside = Region(1, 1, 3, 68)
        assert not is_opaque(picture, frame, picture.region)
        assert is_opaque(picture, memoryview(frame), beside)
        assert not is_opaque(picture, frame, Region(*hole, 1, 1))


def test_nothing_is_added_to_a_closed_document(plugin: SimpleNamespace) -> None:
    job, link = start_job(plugin)
    document.closed = True
    finish(job, link)
    assert job.state is State.FAILED
    assert "closed" in job.text
    assert len(document.nodes) == 1


def test_daemon_stops_when_the_layer_is_gone(plugin: SimpleNamespace) -> None:
    job, link = start_job(plugin)
    document.nodes.clear()
    job.received({"op": "progress", "id": link.sent[0]["id"], "fraction": 0.5}, [])
    assert job.state is State.FAILED
    assert [header["op"] for header in link.sent] == ["dream", "cancel"]


def test_cancel_ends_at_once_and_late_pixels_are_ignored(plugin: SimpleNamespace) -> None:
    job, link = start_job(plugin)
    job.cancel()
    assert job.state is State.CANCELLED
    assert link.sent[-1]["op"] == "cancel"
    finish(job, link)
    assert len(document.nodes) == 1


def test_cancel_works_without_a_daemon(plugin: SimpleNamespace) -> None:
    job, link = start_job(plugin)
    link.broken = True
    job.cancel()
    assert job.state is State.CANCELLED


def test_job_ends_even_if_its_layer_fails(plugin: SimpleNamespace) -> None:
    changes: list[Any] = []
    source = plugin.reader.read(Recipe())
    goal = plugin.job.NewLayer(source)
    goal.discard = lambda: 1 // 0
    job = plugin.job.DreamJob(Link(), source, Recipe(), changes.append, goal=goal)
    job.start()
    with pytest.raises(ZeroDivisionError):
        job.cancel()
    assert job.state is State.CANCELLED
    assert len(changes) == 2, "its owner was not called at the end"


LOST = "The connection to the Dreamlayer daemon was lost."


def test_dream_goes_on_after_a_lost_connection(plugin: SimpleNamespace) -> None:
    job, link = start_job(plugin)
    job.lost(LOST)
    assert link.reason == LOST
    assert job.state is State.WAITING
    job.connected()
    assert link.sent[-1] == {"op": "fetch", "id": link.sent[0]["id"]}
    finish(job, link)
    assert job.state is State.DONE
    assert len(document.nodes) == 2


def test_dead_daemon_leaves_the_picture_unchanged(plugin: SimpleNamespace) -> None:
    job, _ = start_job(plugin)
    job.lost(LOST)
    job.lost(LOST)  # it was not listed again
    assert job.state is State.FAILED
    assert job.text == f"{LOST} Your picture is unchanged; call Deep Dream again."
    assert len(document.nodes) == 1


def test_connection_lost_again_and_again_is_given_up(plugin: SimpleNamespace) -> None:
    job, _ = start_job(plugin)
    for _ in range(5):
        job.lost(LOST)
        job.connected()
    assert job.state is State.WAITING
    job.lost(LOST)
    assert job.state is State.FAILED
