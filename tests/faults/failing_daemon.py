"""The real daemon with the fake studio and one fault in it: `failing_daemon.py FAULT [MARKER]`.

With a marker, a file, the fault happens once: the daemon that is started next has none.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # a host starts it in another folder

from dreamlayer.server.jobs import scheduler
from dreamlayer.server.lifecycle import single_instance
from dreamlayer.server.main import serve
from dreamlayer.server.requests import upload
from dreamlayer.server.transport import outbox
from dreamlink.client import discovery
from tests.server.fake_daemon import FakeOverlay, FakeStudio

YEAR = 365 * 86400.0


def die() -> None:
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def before(
    owner: Any, name: str, do: Callable[[], None], when: Callable[..., bool] | None = None
) -> None:
    """Have `do` called before a function that the daemon calls."""
    original = getattr(owner, name)

    def replaced(*arguments: Any, **named: Any) -> Any:
        if when is None or when(*arguments):
            do()
        return original(*arguments, **named)

    setattr(owner, name, replaced)


def after_first_tile(do: Callable[[], None], tile: int = 1) -> None:
    """Have `do` called in the compute thread when so many tiles of the first dream are done."""
    original = FakeStudio.dream

    def dream(self: FakeStudio, *arguments: Any) -> Any:
        steps = original(self, *arguments)
        passed = 0
        try:
            while True:
                yield next(steps)
                passed += 1
                if passed == tile:
                    do()
        except StopIteration as end:
            return end.value

    FakeStudio.dream = dream  # type: ignore[method-assign]


def once(do: Callable[[], None]) -> Callable[[], None]:
    left = [do]
    return lambda: left.pop()() if left else None


def fail_with(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return once(fail)


def jump(seconds: float) -> Callable[[], None]:
    real = time.time
    return once(lambda: setattr(time, "time", lambda: real() + seconds))


def is_done(_self: Any, message: Any, *_more: Any) -> bool:
    return bool(message.header["op"] == "done")


def soon(do: Callable[[], None]) -> Callable[[], None]:
    return lambda: threading.Timer(0.005, do).start()


FAULTS: dict[str, Callable[[], None]] = {
    "starting": lambda: before(discovery, "publish", die),
    "claimed": lambda: before(single_instance, "new_token", die),
    "loading": lambda: before(FakeStudio, "__init__", die),
    "queued": lambda: before(scheduler.Scheduler, "submit", die),
    "receiving": lambda: before(upload.Uploads, "add", die),
    "first tile": lambda: before(FakeStudio, "dream", die),
    "midway": lambda: after_first_tile(die, 3),
    "result": lambda: before(outbox.Outbox, "send", die, is_done),
    "sending": lambda: before(outbox.Outbox, "send", soon(die), is_done),
    "blending": lambda: before(FakeOverlay, "blend", die),
    "stopping": lambda: before(discovery, "withdraw", die),
    "raise": lambda: after_first_tile(fail_with(KeyError("weight"))),
    "exit": lambda: after_first_tile(fail_with(SystemExit(3))),
    "memory": lambda: after_first_tile(fail_with(MemoryError())),
    "no studio": lambda: before(
        FakeStudio, "__init__", fail_with(OSError("libcudart.so is missing"))
    ),
    "clock forward": lambda: after_first_tile(jump(10 * YEAR)),
    "clock backward": lambda: after_first_tile(jump(-10 * YEAR)),
    "slow start": lambda: before(FakeStudio, "__init__", lambda: time.sleep(2.0)),
    "none": lambda: None,
}


def main() -> None:
    marker = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    if marker is None or not marker.exists():
        if marker is not None:
            marker.touch()
        FAULTS[sys.argv[1]]()
    try:
        serve(lambda: FakeStudio(0.0))  # type: ignore[arg-type,return-value]
    except single_instance.AlreadyRunning as already:
        print(already)


if __name__ == "__main__":
    main()
