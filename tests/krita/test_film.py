"""A film in Krita: one frame after another, with stand-ins for Krita, link and keyframes."""

import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dreamlink.picture import Edges, Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import State
from dreamlink.wire.messages import Header

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "krita"
NBYTES = 4 * 8 * 6
LOST = "The connection to the Dreamlayer daemon was lost."


class Link:
    """Records what is sent; `pixels` are those of each request."""

    def __init__(self) -> None:
        self.sent: list[Header] = []
        self.pixels: list[bytes] = []

    def open(self, listener: Any) -> None:
        self.listener = listener
        listener.connected()

    def reopen(self, listener: Any, _reason: str) -> None:
        self.listener = listener

    def leave(self, _listener: object) -> None:
        pass

    def send(self, header: Header, *frames: Any) -> None:
        self.sent.append(header)
        self.pixels += [bytes(frame) for frame in frames]

    @property
    def dreams(self) -> list[Header]:
        return [header for header in self.sent if header["op"] == "dream"]


class FilmStudio:
    """Makes films of a layer; records what was sent and what was added to the document."""

    def __init__(self, modules: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
        self.modules = modules
        self.link = Link()
        self.gone: str | None = None
        self.written: list[tuple[int, bytes | None]] = []
        self.finished: list[Any] = []
        self.waiting: list[Callable[[], None]] = []
        monkeypatch.setattr(modules.layer_io, "explain_loss", lambda _source: self.gone)
        self.note = ""
        monkeypatch.setattr(modules.keyframes, "add_film", self._add_film)

    def _add_film(self, _source: object, name: str, pictures: Sequence[Any]) -> Iterator[Any]:
        for picture in pictures:
            self.written.append((picture.time, picture.pixels() if picture.pixels else None))
            yield None
        yield SimpleNamespace(node_id=f"id of {name}", note=self.note)

    def film(self, plan: Any) -> Any:
        film = self.modules.film.Film(
            self.link, self.source(), Recipe(seed=7), plan, lambda _film: None,
            self.finished.append, self.waiting.append,
        )  # fmt: skip
        film.start()
        return film

    def source(self) -> Any:
        region = Region(0, 0, 8, 6)
        return self.modules.source.LayerSource(
            document="document", node_id="id", name="Cat",
            space=self.modules.space.ColorSpace("RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc"),
            picture=Picture(8, 6, "U8", "BGRA", "srgb"), region=region, place=region,
            canvas=region, edges=Edges(True, True, True, True), pixels=bytes([9]) * NBYTES,
        )  # fmt: skip

    def plan(self, times: Sequence[int], **more: Any) -> Any:
        shots = [
            self.modules.film.Shot(time, lambda time=time: bytes([time]) * NBYTES) for time in times
        ]
        return self.modules.film.FilmPlan(shots, **more)

    def answer(self, value: int, **more: Any) -> None:
        """Finish the current frame's dream: all its bytes are `value`."""
        header = {
            "op": "done", "id": self.link.dreams[-1]["id"], "seconds": 1.0,
            "recipe": self.link.dreams[-1]["recipe"], **more,
        }  # fmt: skip
        self.link.listener.received(header, [bytearray([value]) * NBYTES])

    def write(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> Iterator[FilmStudio]:
    krita: Any = ModuleType("krita")
    krita.Krita, krita.Selection = object, object
    monkeypatch.setitem(sys.modules, "krita", krita)
    qt: Any = SimpleNamespace(QtCore=None, QtGui=None)
    monkeypatch.setitem(sys.modules, "dreamlayer_krita.qt.qt", qt)
    monkeypatch.syspath_prepend(str(PLUGIN))
    from dreamlayer_krita.document import color_space, keyframes, layer_io, source
    from dreamlayer_krita.model import film
    from dreamlayer_krita.model import film_frames as frames

    modules = SimpleNamespace(
        layer_io=layer_io,
        film=film,
        frames=frames,
        keyframes=keyframes,
        source=source,
        space=color_space,
    )
    yield FilmStudio(modules, monkeypatch)
    for name in [name for name in sys.modules if name.startswith("dreamlayer_krita")]:
        del sys.modules[name]


def test_each_frame_starts_from_the_previous_one(studio: FilmStudio) -> None:
    film = studio.film(studio.plan([3, 5, 6], end=9, carry=0.8))
    for value in (30, 50, 60):
        studio.answer(value)
    studio.write()
    dreams = studio.link.dreams
    assert [dream["after"] for dream in dreams] == ["", dreams[0]["id"], dreams[1]["id"]]
    assert [dream["carry"] for dream in dreams] == [0.0, 0.8, 0.8]
    assert {dream["recipe"]["seed"] for dream in dreams} == {7}
    assert [pixels[0] for pixels in studio.link.pixels] == [3, 5, 6]
    assert [(time, pixels and pixels[0]) for time, pixels in studio.written] == [
        (0, None), (3, 30), (5, 50), (6, 60), (9, None),
    ]  # fmt: skip
    assert film.state is State.DONE
    assert film.text.startswith("Dreamed 3 frames in ")
    assert studio.finished == [film.result]
    assert film.result.node_id == "id of Dream of Cat (features.10, seed 7)"


def test_dive_dreams_on_its_own_frames(studio: FilmStudio) -> None:
    studio.film(studio.modules.frames.plan_dive(studio.source(), 4, 3, 1.1))
    for value in (10, 20, 30):
        studio.answer(value)
    assert [pixels[0] for pixels in studio.link.pixels] == [9, 10, 20]
    assert [dream["zoom"] for dream in studio.link.dreams] == [1.0, 1.1, 1.1]
    studio.write()
    assert [time for time, _ in studio.written] == [0, 4, 5, 6]


def test_one_seed_is_drawn_for_all_frames(studio: FilmStudio) -> None:
    film = studio.modules.film.Film(
        studio.link, studio.source(), Recipe(), studio.plan([0, 1]), lambda _film: None,
        studio.finished.append, studio.waiting.append,
    )  # fmt: skip
    film.start()
    studio.answer(1)
    first, second = (dream["recipe"]["seed"] for dream in studio.link.dreams)
    assert first == second == film.recipe.seed != 0


def test_cancel_keeps_the_finished_frames(studio: FilmStudio) -> None:
    film = studio.film(studio.plan([0, 1, 2, 3]))
    studio.answer(10)
    studio.answer(20)
    film.cancel()
    assert studio.link.sent[-1]["op"] == "cancel"
    assert not film.over, "the frames have not been written yet"
    studio.answer(30)  # too late
    studio.write()
    assert [(time, pixels and pixels[0]) for time, pixels in studio.written] == [
        (0, 10), (1, 20), (2, None),
    ]  # fmt: skip
    assert film.state is State.CANCELLED
    assert film.text == "Cancelled. The finished frames are kept: 2 of 4 frames."
    assert len(studio.finished) == 1


def test_cancel_before_the_first_frame_changes_nothing(studio: FilmStudio) -> None:
    film = studio.film(studio.plan([0, 1]))
    film.cancel()
    studio.write()
    assert (film.state, film.text) == (State.CANCELLED, "Cancelled: nothing was changed.")
    assert not studio.written
    assert not studio.finished


def test_finished_frames_are_kept_when_the_daemon_dies(studio: FilmStudio) -> None:
    film = studio.film(studio.plan([0, 1, 2]))
    studio.answer(10)
    studio.link.listener.lost(LOST)
    studio.link.listener.lost(LOST)  # it was not found again
    studio.write()
    assert film.state is State.FAILED
    assert film.text.startswith(LOST)
    assert film.text.endswith("The finished frames are kept: 1 of 3 frames.")
    assert [time for time, _ in studio.written] == [0, 1]


def test_nothing_is_written_into_a_closed_picture(studio: FilmStudio) -> None:
    film = studio.film(studio.plan([0, 1, 2]))
    studio.answer(10)
    studio.gone = "The picture was closed, so its dream was discarded."
    progress = {"op": "progress", "id": studio.link.dreams[-1]["id"], "fraction": 0.5}
    studio.link.listener.received(progress, [])
    studio.write()
    assert (film.state, film.text) == (State.FAILED, studio.gone)
    assert not studio.written


def test_progress_counts_all_frames(studio: FilmStudio) -> None:
    film = studio.film(studio.plan([0, 1, 2, 3]))
    studio.answer(10)
    progress = {"op": "progress", "id": studio.link.dreams[-1]["id"], "fraction": 0.5}
    studio.link.listener.received(progress, [])
    assert film.fraction == pytest.approx(1.5 / 4)
    assert film.text.startswith("Frame 2 of 4, about ")


def test_repeated_notes_are_shown_once(studio: FilmStudio) -> None:
    film = studio.film(studio.plan([0, 1, 2]))
    for value in (1, 2, 3):
        studio.answer(value, notes=["The card is gone."])
    studio.write()
    assert film.text.count("The card is gone.") == 1


def test_unreadable_frame_ends_the_film(studio: FilmStudio) -> None:
    def broken() -> bytes:
        raise studio.modules.layer_io.DocumentError("The frame 1 is gone.")

    shots = [*studio.plan([0]).shots, studio.modules.film.Shot(1, broken)]
    film = studio.film(studio.modules.film.FilmPlan(shots))
    studio.answer(10)
    studio.write()
    assert film.state is State.FAILED
    assert film.text == "The frame 1 is gone. The finished frames are kept: 1 of 2 frames."


@pytest.mark.parametrize(
    ("begins", "first", "last", "times", "end"),
    [
        ([0, 2, 5], 0, 5, [0, 2, 5], None),
        ([0, 2, 5], 1, 3, [1, 2], 5),
        ([0, 2, 5], 3, 3, [3], 5),
        ([4, 6], 0, 5, [4], 6),
    ],
)
def test_frames_visible_in_a_range_are_dreamed(
    studio: FilmStudio, begins: list[int], first: int, last: int, times: list[int], end: int | None
) -> None:
    plan = studio.modules.frames.plan_frames(studio.source(), begins, first, last, 0.5)
    assert [shot.time for shot in plan.shots] == times
    assert plan.end == end
    assert plan.carry == 0.5


def test_range_without_a_frame_is_refused(studio: FilmStudio) -> None:
    with pytest.raises(studio.modules.layer_io.DocumentError, match="nothing from frame 0 to 2"):
        studio.modules.frames.plan_frames(studio.source(), [3], 0, 2, 0.5)


def test_frames_are_entered_into_kritas_file(studio: FilmStudio, tmp_path: Path) -> None:
    bare, filled = tmp_path / "bare.kra", tmp_path / "film.kra"
    with zipfile.ZipFile(bare, "w") as file:
        file.writestr("mimetype", "application/x-krita")
        file.writestr("film/layers/layer2.keyframes.xml", "<keyframes/>")
        file.writestr("film/layers/layer2.defaultpixel", bytes([255]) * 8)
    studio.modules.keyframes._enter_frames(bare, filled, [0, 7])
    with zipfile.ZipFile(filled) as file:
        keyframes = file.read("film/layers/layer2.keyframes.xml").decode()
        assert [keyframes.count(f'frame="layer2.f{time}" time="{time}"') for time in (0, 7)] == [
            1, 1,
        ]  # fmt: skip
        for time in (0, 7):
            assert file.read(f"film/layers/layer2.f{time}").endswith(b"PIXELSIZE 8\nDATA 0\n")
            assert file.read(f"film/layers/layer2.f{time}.defaultpixel") == bytes(8)
        assert file.namelist()[0] == "mimetype"
