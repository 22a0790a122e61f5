"""Videos, by the program ffmpeg: frames through pipes, one by one, and a video made of frames.

Its library is not used: the program is on most computers that have videos, can be replaced by one
with other codecs, and a damaged file ends only that process.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Generator, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import IO

from PIL import Image

from dreamlayer.files.opening import FileError

MISSING = (
    "Videos need the program ffmpeg, which is not installed: install it (Debian: apt install"
    " ffmpeg; others: ffmpeg.org), or make the film of a folder of pictures."
)
EVEN = "pad=ceil(iw/2)*2:ceil(ih/2)*2"  # most players need even sides
H264 = ("-c:v", "libx264", "-crf", "16", "-preset", "slow", "-pix_fmt", "yuv420p", "-vf", EVEN)
VP9 = ("-c:v", "libvpx-vp9", "-crf", "24", "-b:v", "0", "-pix_fmt", "yuv420p", "-vf", EVEN)
ENCODERS = {".mp4": H264, ".mov": H264, ".mkv": H264, ".webm": VP9}
# Sound is copied; where the container doesn't take it, it is encoded again.
SOUNDS = (("-c:a", "copy"), ("-c:a", "aac", "-b:a", "256k"), ("-c:a", "libopus"))


def rate(path: Path) -> Fraction | None:
    """Frames a second of a video; None if it doesn't say.

    Raises FileError: ffmpeg is missing, or can't read it.
    """
    options = ["-map", "0:v:0", "-frames:v", "1", "-strict", "-1", "-f", "yuv4mpegpipe", "-"]
    with _decoding(path, options) as pipe:
        head = pipe.readline(1000)
        while pipe.read(1 << 20):
            pass
    found = re.search(rb" F(\d+):(\d+)", head)
    return Fraction(int(found[1]), int(found[2])) if found and int(found[2]) else None


def frames(path: Path) -> Generator[Image.Image, None, None]:
    """The pictures of a video, in mode RGB; raises FileError.

    Frames are repeated or left out if need be, so that they come at a constant rate.
    """
    with _decoding(path, ["-map", "0:v:0", "-f", "image2pipe", "-c:v", "ppm", "-"]) as pipe:
        while (size := _ppm_size(pipe)) is not None:
            length = size[0] * size[1] * 3
            data = pipe.read(length)
            if len(data) < length:
                raise FileError(f"{path} is damaged: a frame is incomplete.")
            yield Image.frombytes("RGB", size, data)


def _ppm_size(pipe: IO[bytes]) -> tuple[int, int] | None:
    """Width and height of the next picture; None at the end."""
    if not pipe.readline(100):
        return None
    width, height = (int(word) for word in pipe.readline(100).split())
    pipe.readline(100)
    return width, height


def encode(pattern: str, start: Fraction, into: Path, sound: Path | None) -> None:
    """Make a video of numbered pictures.

    Args:
        pattern: of their names, as ffmpeg reads it: folder/%04d.png.
        start: frames a second.
        into: the video; its ending says which kind.
        sound: a video whose sound is taken, or None.

    Raises:
        FileError: ffmpeg is missing, or can't do it.
    """
    picture = ["-framerate", str(start), "-f", "image2", "-i", pattern]
    kind = ENCODERS[into.suffix.lower()]
    failure = ""
    for sounds in SOUNDS if sound else ((),):
        also = ["-i", str(sound), "-map", "0:v", "-map", "1:a?"] if sound else []
        command = [_program(), "-v", "error", "-nostdin", "-y", *picture, *also, *kind, *sounds]
        done = subprocess.run([*command, str(into)], capture_output=True, check=False)
        if done.returncode == 0:
            return
        failure = failure or _last_line(done.stderr)
    raise FileError(f"ffmpeg could not make {into.name}: {failure}")


@contextlib.contextmanager
def _decoding(path: Path, options: Sequence[str]) -> Iterator[IO[bytes]]:
    """What ffmpeg writes of a video; a FileError if it fails before all has been read."""
    command = [_program(), "-v", "error", "-nostdin", "-i", str(path), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield process.stdout
        if not process.stdout.read(1) and process.wait() != 0:
            raise FileError(f"ffmpeg can't read {path}: {_last_line(process.stderr.read())}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def _program() -> str:
    found = shutil.which("ffmpeg")
    if found is None:
        raise FileError(MISSING)
    return found


def _last_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return f"{lines[-1].strip() if lines else 'it does not say why'}."
