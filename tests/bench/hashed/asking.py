"""How a case is dreamed, and what of it is hashed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from typing import Any

from tests.bench.hashed.project import DreamRequest, Recipe, Studio, Value
from tests.bench.hashed.scenes import Scene

THREADS = 2  # a dream does not depend on them; but this is no place to find out
PREVIEW = 90  # px
SHORT: Mapping[str, Value] = {"octaves": 2, "steps": 3, "seed": 7}
WHOLE = Scene()
FAILED = "-"  # instead of a hash
ENGINE, VARIANT = "DREAMLAYER_ENGINE", "DREAMLAYER_KERNEL_VARIANT"  # environment

Line = tuple[str, str]  # a name, and the hash of what it names


@dataclass(frozen=True)
class Frame:
    """One more frame of a film, which goes on from the one before."""

    scene: Scene
    carry: float = 0.0
    zoom: float = 1.0


@dataclass(frozen=True)
class Case:
    """Something to dream.

    Attributes:
        name: of its lines.
        recipe: what differs from `SHORT`.
        scene: what is dreamed on.
        engine: what computes: kernel, tape or autograd.
        variant: the kernel's, or "" for the best.
        map_above: MiB of planes that are kept in files from there on; 0 is the studio's choice.
        manner: what else is asked for: quick, gain, …
        shown: whether the previews, and the pixels on the way, are hashed as well.
        blends: changes of the recipe, with which the dream is laid over its picture again.
        film: the frames that follow.
    """

    name: str
    recipe: Mapping[str, Value] = field(default_factory=dict)
    scene: Scene = WHOLE
    engine: str = "kernel"
    variant: str = ""
    map_above: int = 0
    manner: Mapping[str, Any] = field(default_factory=dict)
    shown: bool = False
    blends: Sequence[Mapping[str, Value]] = ()
    film: Sequence[Frame] = ()

    def lines(self) -> Iterator[Line]:
        """Dream; the hashes of all that comes of it, each with its name."""
        recipe = Recipe.of({**SHORT, **self.recipe})
        manner = {**self.manner, **({"preview": PREVIEW, "live": True} if self.shown else {})}
        with _computing(self.engine, self.variant):
            studio = _studio(self.engine, self.variant, self.map_above)
            request, frames = self.scene.request(recipe, **manner)
            done, shown = _dreamt(studio, request, frames)
            yield self.name, digest(done.pixels)
            for what, found in shown.items():
                if found:
                    yield f"{self.name}/{what}", digest(*found)
            if request.gain:
                yield f"{self.name}/gain", digest(repr(done.gain).encode())
            for change in self.blends:
                blended = done.overlay.blend(replace(done.recipe, **change))
                said = ",".join(f"{name}={value}" for name, value in change.items())
                yield f"{self.name}/{said}", digest(blended)
            for number, frame in enumerate(self.film, start=2):
                asked, frames = frame.scene.request(
                    recipe, after="before", carry=frame.carry, zoom=frame.zoom
                )
                done, _ = _dreamt(studio, asked, frames, done.overlay)
                yield f"{self.name}/frame-{number}", digest(done.pixels)


def digest(*parts: Any) -> str:
    """The hash of some bytes, one behind the other."""
    found = sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()


def _dreamt(
    studio: Studio, request: DreamRequest, frames: Sequence[bytes], before: Any = None
) -> tuple[Any, dict[str, list[bytes]]]:
    """What the studio makes of a request, and the previews and live pixels on the way.

    What was shown just before is left out: how often it is shown is a matter of tiles.
    """
    shown: dict[str, list[bytes]] = {"previews": [], "live": []}
    steps = studio.dream(request, frames, before)
    while True:
        try:
            now = next(steps)
        except StopIteration as end:
            return end.value, shown
        if request.preview and now.preview is not None:
            _show(shown["previews"], now.preview(request.preview)[1])
        if now.live is not None:
            _show(shown["live"], now.live())


def _show(shown: list[bytes], pixels: Any) -> None:
    if not shown or shown[-1] != bytes(pixels):
        shown.append(bytes(pixels))


@cache
def _studio(engine: str, variant: str, map_above: int) -> Studio:
    """A studio whose networks run so: they remember what ran them first."""
    return Studio(map_above=map_above, threads=THREADS)


def engines() -> str:
    """What a default dream is computed by, in words; it tells whether there is a kernel."""
    with _computing("kernel", ""):
        return _studio("kernel", "", 0).networks[0]


@contextlib.contextmanager
def _computing(engine: str, variant: str) -> Iterator[None]:
    """The environment says what computes. "kernel" is the default, and no word of it."""
    wanted = {ENGINE: "" if engine == "kernel" else engine, VARIANT: variant}
    before = {name: os.environ.pop(name, None) for name in wanted}
    os.environ.update({name: value for name, value in wanted.items() if value})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
