"""Adds a film as an animated layer, built in a hidden document. No Qt here.

Krita lets a plug-in write into the frames of an animated layer but has no call that creates them,
other than the user's own actions on the active layer, each with undo steps. So they are created in
a file: Krita saves an animated layer without frames, empty frames are entered into the file, and
Krita opens it without a window. There the frames are filled, and the whole layer is added to the
user's document as one undo step; the current time, active layer and window stay as they are.
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
from .insertion import insert
from .layers import write_pixels
from .source import LayerSource

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
    """One frame: the time at which it begins, and a function that reads its pixels.

    `pixels` is None for an empty frame.
    """

    time: int
    pixels: Callable[[], Frame] | None


def add_film(
    source: LayerSource, name: str, frames: Sequence[FilmFrame]
) -> Generator[Any, None, None]:
    """Add an animated layer directly above the source, as one undo step.

    Each step fills one frame; let Krita process its events between the steps.

    Yields:
        None, and in the last step the `AddedLayer`.

    Raises:
        DocumentError: the picture was closed, the layer is gone, or Krita can't make the frames.
    """
    hidden = _empty(source.space, [frame.time for frame in frames])
    try:
        layer = hidden.rootNode().childNodes()[0]
        for frame in frames:
            if frame.pixels is not None:
                hidden.setCurrentTime(frame.time)
                hidden.waitForDone()
                pixels = scratch.convert_pixels(
                    frame.pixels(), source.place, source.space.wire, source.space
                )
                write_pixels(layer, pixels, source.place)
                hidden.setModified(False)  # or Krita's autosave would save it
            yield None
        yield None  # Krita still updates its windows for the last frame
        if reason := layer_io.explain_loss(source):
            raise DocumentError(reason)
        film = layer.duplicate()
        film.setName(name)
        yield insert(film, source, always=all(frame.pixels is not None for frame in frames))
    finally:
        _close(hidden)


def _empty(space: ColorSpace, times: Sequence[int]) -> Any:
    """A hidden document with one animated layer that has empty frames at these times."""
    app = Krita.instance()
    with tempfile.TemporaryDirectory(prefix="dreamlayer-", ignore_cleanup_errors=True) as folder:
        bare, filled = Path(folder, "bare.kra"), Path(folder, "film.kra")
        _save_bare(space, bare)
        _enter_frames(bare, filled, times)
        hidden = app.openDocument(str(filled))
    layers = hidden.rootNode().childNodes() if hidden is not None else []
    if len(layers) == 1 and all(layers[0].hasKeyframeAtTime(time) for time in times):
        return hidden
    if hidden is not None:
        _close(hidden)
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
        bare.setBatchmode(True)  # no dialogs
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
            name = f"{layer}.f{time}"
            new.writestr(name, EMPTY_FRAME.format(pixel_size))
            new.writestr(name + DEFAULT_PIXEL, bytes(pixel_size))
            entries.append(KEYFRAME.format(name.rpartition("/")[2], time))
        new.writestr(keyframes, ALL_KEYFRAMES.format("".join(entries)))


def _close(hidden: Any) -> None:
    hidden.setModified(False)
    hidden.close()
