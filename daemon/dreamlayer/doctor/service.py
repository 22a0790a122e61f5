"""Checks the daemon: that it answers, how fast, what it logged, and that it dreams."""

from __future__ import annotations

import contextlib
import json
import math
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dreamlayer.daemon_client import ask, start_command
from dreamlayer.doctor.findings import Finding, ok, warning, wrong
from dreamlink import VERSION
from dreamlink.client import discovery, private_files
from dreamlink.client.client import Client, LinkError, WrongVersion
from dreamlink.client.launch import connect, connect_to_running
from dreamlink.picture import Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State
from dreamlink.wire.messages import DreamRequest

ROUND_TRIPS = 9
SLOW = 0.1  # seconds for a request and its answer
DREAM_WITHIN = 300.0  # seconds; enough for a slow computer that loads PyTorch from a cold disk
TAIL = 200  # lines of the log
SIDE, MARGIN = 128, 16  # px: the side of the test picture, and the border that must not change
RECIPE = {"octaves": 2, "steps": 10, "seed": 7}
GAIN_MIN = 1.2  # how much more active the layer must become; on the CPU it is 2.8 times
TRACEBACK = "Traceback (most recent call last)"
CRASHES = ("Fatal Python error", "Windows fatal exception", "dreamlayer: ")  # how such lines begin
STOP = "Run `dreamlayer stop`, then try again."


def check() -> Iterator[Finding]:
    """Check the daemon, which is started, and stopped again, if it is not running."""
    yield from check_logs()
    try:
        running = connect_to_running()
        client = running or connect(_command())
    except WrongVersion as error:
        yield wrong(f"Daemon: {error}", "Run `dreamlayer stop`, then install.py again.")
        return
    except LinkError as error:
        yield wrong(f"Daemon: {error}", STOP)
        return
    with contextlib.closing(client):
        status = ask(client, {"op": "status"})
        state = "it is running and answers" if running else "it starts on demand and answers"
        if status["version"] == VERSION:
            yield ok(f"Daemon: {state}, version {VERSION}")
        else:
            yield wrong(
                f"Daemon: version {status['version']} is running, but {VERSION} is installed.",
                "Run `dreamlayer stop`: the next dream starts the installed version.",
            )
        yield _link(client)
        yield from _dream(client)
        if not running:
            _stop(client)


def _command() -> list[str]:
    return discovery.launch_command() or start_command()


def _stop(client: Client) -> None:
    with contextlib.suppress(LinkError):
        client.send({"op": "stop", "id": "doctor"})
        while client.receive(1.0) is not None:
            pass


def _link(client: Client) -> Finding:
    times = []
    for _ in range(ROUND_TRIPS):
        began = time.perf_counter()
        ask(client, {"op": "status"})
        times.append(time.perf_counter() - began)
    median = statistics.median(times)
    text = f"Link: requests are answered within {median * 1000:.1f} ms"
    if median > SLOW:
        return warning(
            text, "The computer is very busy, or a virus scanner inspects the connection."
        )
    return ok(text)


# The test dream.


def _dream(client: Client) -> Iterator[Finding]:
    """Dream on a generated picture with the embedded network and judge the result."""
    picture = Picture(SIDE, SIDE)
    inner = SIDE - 2 * MARGIN
    source = _test_picture(picture)
    request = DreamRequest(
        Recipe.of(RECIPE), picture, Region(MARGIN, MARGIN, inner, inner), gain=True
    )
    began = time.monotonic()
    dream = Dream(client, request, source)
    while not dream.over and time.monotonic() < began + DREAM_WITHIN:
        message = client.receive(1.0)
        if message is not None:
            dream.receive(*message)
    if dream.state is not State.DONE:
        text = dream.text if dream.over else f"it did not finish within {DREAM_WITHIN:.0f} s"
        yield wrong(f"Test dream: {text}", f"{STOP} If it fails again, see the log.")
        return
    yield judge(_region(source, picture, request.region), dream)
    for note in dream.report.get("notes", []):
        yield warning(f"Test dream: {note}", "Update the graphics driver, or restart the computer.")


def judge(source: bytes, dream: Dream) -> Finding:
    """Whether a result is a dream on the region's pixels `source` (RGBA)."""
    pixels, gain = bytes(dream.pixels or b""), dream.report.get("gain")
    seconds, device = dream.report["seconds"], dream.report["device"]
    colours = [index for index in range(len(source)) if index % 4 != 3]
    changed = sum(source[index] != pixels[index] for index in colours) / len(colours)
    problem = None
    if pixels[3::4] != source[3::4]:
        problem = "the alpha has changed"
    elif changed < 0.5:
        problem = f"only {changed:.0%} of the picture has changed"
    elif not isinstance(gain, float) or not math.isfinite(gain) or gain < GAIN_MIN:
        problem = f"the network is no more active than before (gain {gain})"
    if problem:
        return wrong(
            f"Test dream: {problem} (on {device}).",
            "Dream on the CPU (--device cpu). If that works, update the graphics driver.",
        )
    return ok(f"Test dream: {seconds:.1f} s on {device}, gain {gain:.1f}")


def _test_picture(picture: Picture) -> bytes:
    """Waves in three colours, opaque."""
    pixels = bytearray()
    for y in range(picture.height):
        for x in range(picture.width):
            waves = (math.sin(x / 7 + y / 11), math.sin(x / 13 - y / 5), math.sin((x + y) / 17))
            pixels += bytes([*(round(128 + 90 * wave) for wave in waves), 255])
    return bytes(pixels)


def _region(pixels: bytes, picture: Picture, region: Region) -> bytes:
    rows = range(region.y, region.y + region.height)
    starts = [(y * picture.width + region.x) * 4 for y in rows]
    return b"".join(pixels[start : start + region.width * 4] for start in starts)


# The log.


def check_logs() -> Iterator[Finding]:
    """Recent errors in the daemon's log, and its output if it crashed."""
    folder = discovery.daemon_folder()
    lines = tail(folder / discovery.LOG_FILE)
    errors = [line for line in map(_read, lines) if line.get("level") in ("error", "critical")]
    if errors:
        last = str(errors[-1].get("error") or errors[-1].get("event")).strip().splitlines()[-1]
        yield warning(
            f"Log: {len(errors)} recent errors; the last, {errors[-1].get('time')}: {last:.200}",
            f"The whole log: {folder / discovery.LOG_FILE}",
        )
    elif lines:
        yield ok("Log: no recent errors")
    output = discovery.home() / discovery.SAID_FILE
    crashes = _crashes(tail(output))
    if crashes:
        yield warning(
            f"Log: a daemon crashed or could not start; its last message: {crashes[-1]:.200}",
            f"All of its output: {output}",
        )


def _crashes(lines: list[str]) -> list[str]:
    """What ended daemons, of the lines that they printed; notices and warnings are no crash.

    faulthandler prints a line for every signal that ends a program, Python a traceback that closes
    with the error, and the command a sentence.
    """
    crashes = []
    in_traceback = ignored = False
    for line in lines:
        if line.startswith(TRACEBACK):
            in_traceback = not ignored
        elif in_traceback and line and not line.startswith(" "):
            in_traceback = False
            crashes.append(line)
        elif line.startswith(CRASHES):
            crashes.append(line)
        ignored = line.startswith("Exception ignored")
    return crashes


def tail(path: Path, count: int = TAIL) -> list[str]:
    """The last lines of a file; none if there is no such file."""
    try:
        file = private_files.open_own(path, os.O_RDONLY)
        with open(file, encoding="utf-8", errors="replace") as lines:
            return lines.read().splitlines()[-count:]
    except OSError:
        return []


def _read(line: str) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}
