"""The frames of a film: picture files, an animation that Pillow reads, or a video."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from PIL import Image, ImageSequence

from dreamlayer.files import memory, reading
from dreamlayer.files.formats import ENDINGS
from dreamlayer.files.opening import FileError, InputFile, reason
from dreamlayer.files.reading import ImageFile
from dreamlayer.filming import video

ANIMATED = (".gif", ".webp", ".png", ".apng")
DEFAULT_RATE = Fraction(24)  # frames a second, where the source says nothing


class FrameSource(Protocol):
    """Where frames come from, one at a time.

    Attributes:
        files: what they are made from, which no result may replace.
        rate: frames a second, or None.
        durations: how long each frame is shown, in milliseconds, or None.
    """

    @property
    def files(self) -> Sequence[Path]: ...

    @property
    def rate(self) -> Fraction | None: ...

    @property
    def durations(self) -> Sequence[float] | None: ...

    def count(self) -> int | None:
        """How many there are; None if only reading them all tells."""

    def read(self, first: int) -> Generator[ImageFile, None, None]:
        """The frames from a number on, the film's first being 1; raises FileError."""


@dataclass(frozen=True)
class FileFrames:
    """Each frame in a file of its own."""

    files: Sequence[Path]
    pixels_max: int
    rate: Fraction | None = None
    durations: Sequence[float] | None = None

    def count(self) -> int:
        return len(self.files)

    def read(self, first: int) -> Generator[ImageFile, None, None]:
        for path in self.files[first - 1 :]:
            yield reading.read(path, self.pixels_max)


@dataclass(frozen=True)
class AnimationFrames:
    """The frames of a GIF, WebP or APNG, each as it is seen."""

    path: Path
    length: int
    durations: Sequence[float] | None
    rate: Fraction | None = None

    @property
    def files(self) -> Sequence[Path]:
        return (self.path,)

    def count(self) -> int:
        return self.length

    def read(self, first: int) -> Generator[ImageFile, None, None]:
        with memory.told(self.path), _opened(self.path) as image:
            for number, frame in enumerate(ImageSequence.Iterator(image), start=1):
                if number >= first:
                    yield ImageFile(_whole(frame))


@dataclass(frozen=True)
class VideoFrames:
    """The frames of a video, which ffmpeg decodes and this process takes one by one."""

    path: Path
    rate: Fraction | None
    durations: Sequence[float] | None = None

    @property
    def files(self) -> Sequence[Path]:
        return (self.path,)

    def count(self) -> None:
        return None

    def read(self, first: int) -> Generator[ImageFile, None, None]:
        with contextlib.closing(video.frames(self.path)) as decoded:
            for number, image in enumerate(decoded, start=1):
                if number >= first:
                    yield ImageFile(image)


def source_of(
    inputs: Sequence[str], pixels_max: int, find: Callable[[Sequence[str]], Sequence[Path]]
) -> FrameSource:
    """The frames that a command line names.

    Args:
        inputs: a video, an animation, or pictures, folders and patterns.
        pixels_max: megapixels; a larger picture file is refused.
        find: finds the picture files that names stand for.

    Raises:
        FileError: there is no such file, or it can't be read.
    """
    if len(inputs) == 1 and Path(inputs[0]).is_file():
        path = Path(inputs[0])
        ending = path.suffix.lower()
        if ending in ANIMATED and (animation := _animation(path)):
            return animation
        if ending not in ENDINGS:
            return VideoFrames(path, video.rate(path))
    files = sorted(find(inputs), key=natural)
    for path in files:
        InputFile(path).close()  # refused before any frame is dreamed
    return FileFrames(files, pixels_max)


def natural(path: Path) -> list[tuple[int, str]]:
    """A key that sorts frame2 before frame10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in parts]


def _animation(path: Path) -> AnimationFrames | None:
    """The animation in a file; None if it holds one picture."""
    with _opened(path) as image:
        length = getattr(image, "n_frames", 1)
        if length < 2:
            return None
        durations = [
            float(frame.info.get("duration") or 0) for frame in ImageSequence.Iterator(image)
        ]
    shown = durations if all(durations) else None
    return AnimationFrames(path, length, shown)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            yield image
    except FileError:
        raise
    except (OSError, ValueError, EOFError, SyntaxError) as error:  # as decoders raise
        raise FileError(f"{path} is damaged: {reason(error)}.") from error


def _whole(frame: Image.Image) -> Image.Image:
    """A frame in one of the modes that the studio takes."""
    if frame.mode in ("RGB", "L"):
        return frame.copy()
    if not frame.has_transparency_data:
        return frame.convert("RGB")
    seen = frame.convert("RGBA")
    return seen.convert("RGB") if seen.getchannel("A").getextrema() == (255, 255) else seen
