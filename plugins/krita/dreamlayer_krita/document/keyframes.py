"""A film's layer: Krita's animation, made where nobody sees it. No Qt here.

Krita lets a plug-in write into the frames of an animated layer, but gives it no way to make them,
other than the user's own actions on the active layer, each with steps to undo. So they are made in
a file: Krita saves an animated layer without frames, the frames are entered, empty, and Krita opens
it again, unseen. There they are filled, and the whole layer is put into the user's document as its
one step; his place in time, his active layer and his window are left alone.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from krita import Krita

from dreamlink.wire.messages import Frame

from . import layer_io, scratch
from .color_space import ColorSpace
from .errors import DocumentError
from .layers import write_pixels
from .source import Source

KEYFRAMES = ".keyframes.xml"
DEFAULT_PIXEL = ".defaultpixel"
EMPTY_FRAME = "VERSION 2\nTILEWIDTH 64\nTILEHEIGHT 64\nPIXELSIZE {}\nDATA 0\n"
KEYFRAME = (
    '<keyframe frame="{}" time="{}" color-label="0"><offset type="point" x="0" y="0"/></keyframe>'
)
ALL_KEYFRAMES = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE keyframes PUBLIC \'-//KDE//DTD'
    " krita-keyframes 1.0//EN' 'http://www.calligra.org/DTD/krita-keyframes-1.0.dtd'>\n<keyframes"
    ' xmlns="http://www.calligra.org/DTD/krita-keyframes"><channel name="content">{}</channel>'
    "</keyframes>\n"
)


class FilmFrame(NamedTuple):
    """One frame: the time at which it begins, and who has its pixels; None: it is empty."""

    time: int
    pixels: Callable[[], Frame] | None


def add_film(
    source: Source, name: str, pictures: Sequence[FilmFrame]
) -> Generator[Any, None, None]:
    """Add an animated layer directly above the source: one step to undo.

    To be gone through with pauses in between, in which Krita breathes; each step fills a frame.

    Yields:
        None, and as the last the new layer's unique id.

    Raises:
        DocumentError: the picture was closed, the layer is gone, or Krita can't make the frames.
    """
    reel = _empty(source.space, [picture.time for picture in pictures])
    try:
        layer = reel.rootNode().childNodes()[0]
        for picture in pictures:
            if picture.pixels is not None:
                reel.setCurrentTime(picture.time)
                reel.waitForDone()
                pixels = scratch.convert_pixels(
                    picture.pixels(), source.place, source.space.wire, source.space
                )
                write_pixels(layer, pixels, source.place)
                reel.setModified(False)  # not to be saved by Krita as somebody's work
            yield None
        yield None  # Krita still has news of the last frame for its windows
        if reason := layer_io.gone(source):
            raise DocumentError(reason)
        film = layer.duplicate()
        film.setName(name)
        yield layer_io.insert_above(film, layer_io.layer_below(source))
    finally:
        _close(reel)


def _empty(space: ColorSpace, times: Sequence[int]) -> Any:
    """A document with one animated layer, with empty frames at these times."""
    app = Krita.instance()
    with tempfile.TemporaryDirectory(prefix="dreamlayer-", ignore_cleanup_errors=True) as folder:
        bare, filled = Path(folder, "bare.kra"), Path(folder, "film.kra")
        _save_bare(space, bare)
        _enter_frames(bare, filled, times)
        reel = app.openDocument(str(filled))
    layers = reel.rootNode().childNodes() if reel is not None else []
    if len(layers) == 1 and all(layers[0].hasKeyframeAtTime(time) for time in times):
        return reel
    if reel is not None:
        _close(reel)
    raise DocumentError("This Krita could not make the film's frames. Please report it.")


def _save_bare(space: ColorSpace, path: Path) -> None:
    bare = Krita.instance().createDocument(1, 1, "film", *space, 72.0)
    if bare is None:
        raise DocumentError(
            f"Krita can't make a film in {space.model} {space.depth} with the profile"
            f" “{space.profile}”: convert the picture with Image ▸ Convert Image Color Space…"
        )
    try:
        bare.rootNode().childNodes()[0].enableAnimation()
        bare.setBatchmode(True)  # no questions
        if not bare.saveAs(str(path)):
            raise DocumentError(f"Krita could not write a file for the film into {path.parent}.")
    finally:
        _close(bare)


def _enter_frames(bare: Path, filled: Path, times: Sequence[int]) -> None:
    with zipfile.ZipFile(bare) as old, zipfile.ZipFile(filled, "w") as new:
        keyframes = next(name for name in old.namelist() if name.endswith(KEYFRAMES))
        layer = keyframes.removesuffix(KEYFRAMES)
        pixel_size = len(old.read(layer + DEFAULT_PIXEL))
        for name in old.namelist():
            if name != keyframes:
                new.writestr(name, old.read(name))
        entries = []
        for time in times:
            frame = f"{layer}.f{time}"
            new.writestr(frame, EMPTY_FRAME.format(pixel_size))
            new.writestr(frame + DEFAULT_PIXEL, bytes(pixel_size))
            entries.append(KEYFRAME.format(frame.rpartition("/")[2], time))
        new.writestr(keyframes, ALL_KEYFRAMES.format("".join(entries)))


def _close(hidden: Any) -> None:
    hidden.setModified(False)
    hidden.close()
