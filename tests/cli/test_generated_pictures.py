"""Generated picture files: each gives a picture or one sentence, soon and in bounded memory.

`DREAMLAYER_PICTURES=2000 python -m pytest tests/cli/test_generated_pictures.py` tries 2,000.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dreamlayer.files import reading
from dreamlayer.files.recipe_file import StoredRecipe
from tests.cli.generated_pictures import GeneratedFile, generate, picture

COUNT = int(os.environ.get("DREAMLAYER_PICTURES", "200"))
WORKERS = 2
WITHIN = 10.0  # seconds of computing
HANGS = 90.0  # seconds on a busy machine
MEMORY = 1_000_000_000  # bytes, for a picture under 4 megapixels


class Worker:
    """A process that runs the command line; made anew when it hangs or dies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        picture("RGB", 48, 32, 0).save(folder / "plain.png")
        self._start()

    def _start(self) -> None:
        program = [sys.executable, str(Path(__file__).parent / "picture_worker.py")]
        self._process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def faults(self, seed: int) -> list[str]:
        """What is wrong with how a generated file is treated."""
        made = generate(seed)
        output = self.folder / f"out.{made.output}"
        output.unlink(missing_ok=True)
        answer = self._run(self._arguments(made, output))
        if answer is None:
            for path in self.folder.glob(".dream-*"):  # the process had no time to remove it
                path.unlink()
            return [f"{seed} {made.description}: no answer within {HANGS} s"]
        found = [*_faults(answer), *_output_faults(answer, made, output)]
        output.unlink(missing_ok=True)
        if sorted(path.name for path in self.folder.iterdir()) != ["file", "plain.png"]:
            found.append("leftovers")
        return [f"{seed} {made.description}: {fault}" for fault in found]

    def _arguments(self, made: GeneratedFile, output: Path) -> list[str]:
        file = self.folder / "file"
        file.write_bytes(made.data)
        plain = self.folder / "plain.png"
        roles = {
            "picture": [file],
            "mask": [plain, "--mask", file],
            "map": [plain, "--map", file, "--bind", "#808080=3"],
            "guide": [plain, "--guide", file, "--layer", "3:guide"],
            "recipe": [plain, "--recipe", file],
        }
        return ["dream", *map(str, roles[made.role]), "-o", str(output), "--steps", "1"]

    def _run(self, arguments: list[str]) -> dict[str, Any] | None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(arguments).encode() + b"\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], HANGS)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            self.close()
            self._start()
            return None
        answer: dict[str, Any] = json.loads(line)
        return answer


def _faults(answer: dict[str, Any]) -> Iterator[str]:
    lines = answer["errors"].splitlines()
    if answer["status"] not in (0, 1):
        yield f"status {answer['status']}"
    if answer["status"] == 1 and len(lines) != 1:
        yield f"{len(lines)} lines: {answer['errors'][:300]}"
    for line in lines:
        if not line.startswith("dreamlayer: ") or not line.endswith((".", "?")):
            yield f"no sentence: {line[:200]}"
        if "unexpected" in line or "Traceback" in line:
            yield line[:200]
    if answer["seconds"] > WITHIN:
        yield f"{answer['seconds']:.1f} s"
    if answer["peak"] > MEMORY:
        yield f"{answer['peak'] / 1e6:.0f} MB: {answer['errors'][:300]}"


def _output_faults(answer: dict[str, Any], made: GeneratedFile, output: Path) -> Iterator[str]:
    """What was written can be read again, its recipe too."""
    if answer["status"] != 0:
        if output.exists():
            yield "refused, and written"
        return
    try:
        again = reading.read(output)
        with Image.open(output) as image:
            image.load()
    except ValueError as error:
        if "MAX_TEXT" not in str(error) and "too large for Png" not in str(error):
            yield f"can't be read again: {error}"
        return
    if again.notes:
        yield f"written damaged: {again.notes}"
    if made.output == "png":
        StoredRecipe.read(output)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux tells it")
def test_every_generated_file_gives_a_picture_or_one_sentence(tmp_path: Path) -> None:
    def work(number: int) -> list[str]:
        worker = Worker(tmp_path / str(number))
        try:
            return [f for seed in range(number, COUNT, WORKERS) for f in worker.faults(seed)]
        finally:
            worker.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        faults = [fault for found in pool.map(work, range(WORKERS)) for fault in found]
    assert not faults, "\n".join(faults)


def test_the_generator_makes_good_and_bad_files() -> None:
    """So that the test above is about something."""
    made = [generate(seed) for seed in range(120)]
    assert len({file.description.split()[0] for file in made}) > 10
    assert {file.role for file in made} == {"picture", "mask", "guide", "map", "recipe"}
    assert sum(" whole " in file.description for file in made) > 20
    assert generate(5) == generate(5)
