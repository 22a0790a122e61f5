"""From the frames in a folder to one film: an animation by Pillow, or a video by ffmpeg."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image

from dreamlayer.files.opening import FileError
from dreamlayer.files.reading import eight_bits
from dreamlayer.filming import video

ANIMATIONS: dict[str, dict[str, Any]] = {
    ".gif": {"format": "GIF", "disposal": 2, "optimize": False},
    ".webp": {"format": "WEBP", "lossless": True, "method": 2},
    ".apng": {"format": "PNG"},
}
ENDINGS = (*video.ENCODERS, *ANIMATIONS)


def is_film(output: Path) -> bool:
    """Whether a name is that of a film rather than of a folder of frames."""
    return output.suffix.lower() in ENDINGS and not output.is_dir()


def assemble(
    frames: Sequence[Path],
    output: Path,
    rate: Fraction,
    durations: Sequence[float] | None,
    sound: Path | None,
) -> None:
    """Make a film of frames, complete or not at all.

    Args:
        frames: numbered PNGs of one folder, as `FilmOrder.frame` names them.
        output: its ending says which kind.
        rate: frames a second.
        durations: of each frame, in milliseconds, for animations; None: as `rate` says.
        sound: a video whose sound is taken, or None.

    Raises:
        FileError: it can't be made.
    """
    fresh = output.with_name(f".film-{output.name}")
    try:
        if output.suffix.lower() in video.ENCODERS:
            digits = len(frames[0].stem)
            pattern = str(frames[0].with_name(f"%0{digits}d.png"))
            video.encode(pattern, rate, fresh, sound)
        else:
            _animate(frames, fresh, durations or [float(1000 / rate)] * len(frames))
        fresh.replace(output)
    except OSError as error:
        raise FileError(f"{output} can't be written: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink()


def _animate(frames: Sequence[Path], into: Path, durations: Sequence[float]) -> None:
    options = ANIMATIONS[into.suffix.lower()]
    pictures = _images(frames)
    first = next(pictures)
    first.save(
        into, save_all=True, append_images=list(pictures), loop=0,
        duration=[round(duration) for duration in durations], **options,
    )  # fmt: skip


def _images(frames: Sequence[Path]) -> Iterator[Image.Image]:
    for path in frames:
        with Image.open(path) as image:
            image.load()
            yield eight_bits(image.copy())
