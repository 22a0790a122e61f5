"""Pictures that are read and written in parts give the same pixels as those read as a whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dreamlayer.dreaming import selection
from dreamlayer.files import raw_pixels, reading
from dreamlayer.files.output import Output
from dreamlink.picture import Region

REGION = Region(13, 7, 21, 17)
BYTES = np.random.default_rng(4).integers(0, 256, (60, 50, 4), np.uint8)


def picture(mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(BYTES.view("<u2")[..., 0].copy())
    return Image.fromarray(BYTES).convert(mode)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("name", ["in.tif", "in.bmp", "in.ppm"])
@pytest.mark.parametrize("output", ["out.tif", "out.bmp", "out.png"])
def test_the_pixels_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, name: str, output: str
) -> None:
    if mode in ("I;16", "RGBA") and name != "in.tif":
        return
    image = picture(mode)
    image.save(tmp_path / name, **({"strip_size": 700} if name == "in.tif" else {}))
    results = []
    for large in (10**9, 0):
        monkeypatch.setattr(raw_pixels, "LARGE", large)
        source = reading.read(tmp_path / name)
        assert (source.raw is not None) == (large == 0)
        sent = source.pixels(REGION)
        part = selection.part(source, REGION, bytes(255 - byte for byte in sent))
        with Output(tmp_path / output, source, []) as result:
            result.write(source, part, REGION[:2], {})
        written = reading.read(tmp_path / output)
        results.append((sent, written.image.mode, written.image.tobytes()))
    assert results[0] == results[1]


def test_a_picture_that_is_cut_off_is_not_read_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_pixels, "LARGE", 0)
    path = tmp_path / "in.bmp"
    picture("RGB").save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(reading.FileError, match="damaged"):
        reading.read(path)


MEASURE = """
import re
from pathlib import Path
from dreamlayer.dreaming import in_turn
from dreamlayer.cli.main import main
from tests.cli.picture_worker import stand_in
in_turn.in_turn = stand_in
assert main(["dream", "in.tif", "-o", "out.tif", "--select", "7000,5000,64,64"]) == 0
status = Path("/proc/self/status").read_text()
# Not getrusage, whose figure a program takes over from the one that started it.
print(int(re.search(r"VmHWM:\\s*(\\d+)", status)[1]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux tells it")
def test_a_small_selection_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    Image.new("RGB", (8, 8)).save(path)
    with path.open("r+b") as file:  # 108 megapixels of black, in a file with a hole
        file.write(large_head(12000, 9000))
        file.truncate(200 + 12000 * 9000 * 3)
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r})\n{MEASURE}"],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert int(done.stdout.splitlines()[-1]) < 150  # MB; the whole picture takes 432


def large_head(width: int, height: int) -> bytes:
    """The tags of an uncompressed TIFF whose pixels begin at byte 200."""
    from dreamlayer.files import tags

    page = tags.Directory(tags.TagFormat("<"))
    for tag, value in ((256, width), (257, height), (273, 200), (278, height),
                       (279, width * height * 3)):  # fmt: skip
        page.put(tag, tags.LONG, value)
    for tag, value in ((259, 1), (262, 2), (277, 3)):
        page.put(tag, tags.SHORT, value)
    page.put(258, tags.SHORT, 8, 8, 8)
    return tags.file_head(page.form, 8) + tags.packed(page, 8)
