"""How soon the daemon answers `status`, whatever else it does: python -m tests.bench.answering.

A daemon whose studio gives back what it gets receives, computes, sends, keeps, spills and fetches
results of 400 MB (`--megabytes`), while another process asks for its status without a pause.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dreamlink.client.client import Client
from dreamlink.client.launch import connect_to_running
from dreamlink.picture import Picture
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.dream import Dream, State
from dreamlink.wire.messages import DreamRequest, Frame
from tests.server.daemons import Daemon, ask, wait_until
from tests.server.fake_daemon import FakeOverlay, FakeStudio

SIDE = 8192  # pixels; the height follows from the size
SERVE = [sys.executable, "-m", "tests.bench.answering", "--serve"]


class Mirror(FakeStudio):
    """Gives back the pixels that it got, without touching them."""

    def dream(
        self, request: DreamRequest, frames: Sequence[Frame], before: FakeOverlay | None = None
    ) -> Generator[Any, None, SimpleNamespace]:
        for tile in range(20):
            time.sleep(0.05)
            yield SimpleNamespace(
                fraction=tile / 20, text=None, octave=1, octaves=1, step=1, steps=1, look=False,
                preview=None, live=None,
            )  # fmt: skip
        return SimpleNamespace(
            pixels=frames[0], overlay=FakeOverlay(request), device="cpu", gain=None, notes=(),
            recipe=request.recipe.with_seed(), megapixel_steps=0.5,
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        from dreamlayer.server.main import serve

        serve(lambda: Mirror(0.0))  # type: ignore[arg-type,return-value]
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DREAMLAYER_HOME"] = folder
        os.environ["DREAMLAYER_GRACE"] = "0"
        daemon = Daemon(Path(folder), program=SERVE)
        try:
            _measure(daemon, arguments.megabytes)
        finally:
            daemon.kill()


def _measure(daemon: Daemon, megabytes: int) -> None:
    here, there = get_context("spawn").Pipe()
    asker = get_context("spawn").Process(target=_ask, args=(there,), daemon=True)
    asker.start()
    assert here.recv() == "ready"

    def during(name: str, work: Callable[[], None]) -> None:
        here.send("begin")
        work()
        here.send("end")
        waits = here.recv()
        print(
            f"{name:30} {len(waits):6} answers, median {statistics.median(waits):6.2f} ms,"
            f" longest {max(waits):7.2f} ms",
            flush=True,
        )

    picture = Picture(SIDE, megabytes * 10**6 // (SIDE * 4), "U8", "RGBA")
    request = DreamRequest(Recipe(), picture, picture.region, keep=True)
    during("idle", lambda: time.sleep(2.0))
    client = daemon.connect()
    dream = Dream(client, request, bytes(picture.nbytes))
    during("receives the picture", lambda: _until(client, dream, lambda d: d.fraction > 0))
    during("computes and sends the result", lambda: _wait_for(daemon, "done", 1))
    client.close()
    during("spills it", lambda: _wait_for(daemon, "results_memory", 0))
    with contextlib.closing(daemon.connect()) as again:
        dream._client = again
        dream.resume()
        during("reads and sends it", lambda: _until(again, dream, lambda d: d.over))
    assert dream.state is State.DONE
    here.send("over")
    asker.join()


def _until(client: Client, dream: Dream, condition: Callable[[Dream], bool]) -> None:
    while not condition(dream):
        message = client.receive(60.0)
        assert message is not None
        dream.receive(*message)


def _wait_for(daemon: Daemon, name: str, value: int) -> None:
    with contextlib.closing(daemon.connect()) as client:
        wait_until(lambda: ask(client, "status")[name] == value)


def _ask(orders: Connection) -> None:
    """Ask for the status from "begin" to "end", until "over"; send how many ms each answer took."""
    client = connect_to_running()
    assert client is not None
    orders.send("ready")
    while orders.recv() != "over":
        waits = []
        while not orders.poll():
            began = time.monotonic()
            ask(client, "status")
            waits.append((time.monotonic() - began) * 1000)
        orders.recv()
        orders.send(waits)


if __name__ == "__main__":
    main()
