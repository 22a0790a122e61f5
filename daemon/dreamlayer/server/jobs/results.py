"""Results of dreams, until their clients have received them.

A client confirms that a result has arrived. Until then the result is held, so that it is not lost
if the connection breaks. Results of dreams to keep are held for days, on the disk while their
client is away. Space for them is reserved before the dream begins, so that there is room for every
kept result.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dreamlayer.server.config.settings import MIB, Settings, limit_hint
from dreamlayer.server.transport.mailbox import Outgoing
from dreamlink.client import private_files
from dreamlink.wire.messages import DreamRequest, Frame, Header, MessageError

log = logging.getLogger(__name__)

FOLDER = "results"
NAME = re.compile(r"[0-9a-f]{32}\.pixels")  # of our files in the folder
KEPT_MIN = MIB  # bytes that a kept result counts as at least, which limits their number
HELD_MAX = 1 << 30  # bytes of results that are not to be kept and not confirmed yet
CHUNK = 16 << 20  # bytes of one write
LOST = "The dream is lost: the Dreamlayer daemon has been restarted since, or has dropped it."


@dataclass(eq=False)
class StoredResult:
    """A dream's final answer: its header, and its pixels in memory or on the disk."""

    peer: bytes
    keep: bool
    header: Header
    pixels: Frame | None
    path: Path | None = None
    since: float | None = None  # when it was first seen by `expire`

    @property
    def nbytes(self) -> int:
        return 0 if self.pixels is None else memoryview(self.pixels).nbytes


class ResultStore:
    """Holds results and sends them.

    Args:
        post: sends an answer; any thread may call it.
        home: Dreamlayer's folder; kept results are stored in a folder inside it.
    """

    def __init__(self, post: Callable[[Outgoing], None], home: Path, settings: Settings) -> None:
        self._post = post
        self._folder = home / FOLDER
        self._quota = settings.results_disk * MIB
        self._age = settings.results_age
        self._lock = threading.Lock()  # guards the following attributes
        self._results: dict[str, StoredResult] = {}  # by the dream's id, the oldest first
        self._reserved: dict[str, int] = {}  # bytes of the quota, by the dream's id
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._clear()  # files that a killed daemon left can't be fetched any more

    # For the I/O thread; none of these blocks.

    def reserve(self, request: DreamRequest) -> None:
        """Reserve space for a dream to keep; raises MessageError if there is too little."""
        size = max(KEPT_MIN, request.result.nbytes)
        with self._lock:
            if request.id in self._reserved:
                raise MessageError(f"A dream {request.id!r} is already kept here.")
            if sum(self._reserved.values()) + size > self._quota:
                raise MessageError(
                    "There is no space to keep this dream for later: fetch the finished ones first"
                    f" ({limit_hint('results_disk')})."
                )
            self._reserved[request.id] = size

    def release(self, dream_id: str) -> None:
        """Release the reservation of a dream that was not queued."""
        with self._lock:
            self._reserved.pop(dream_id, None)

    def fetch(self, peer: bytes, dream_id: str) -> bool:
        """Send a result to `peer`, which becomes its client; False if there is no such result."""
        with self._lock:
            result = self._results.get(dream_id)
            if result is None:
                return False
            result.peer = peer
            if result.path is None:
                self._send(result)
            else:
                self._do(lambda: self._read(peer, dream_id, result))
            return True

    def received(self, peer: bytes, dream_id: str) -> None:
        """Drop a result because its client has confirmed it."""
        with self._lock:
            result = self._results.get(dream_id)
            if result is not None and result.peer == peer:
                self._drop(dream_id)

    def client_disconnected(self, peer: bytes) -> None:
        """Move the kept results of a disconnected client from memory to the disk."""
        with self._lock:
            for result in self._results.values():
                if result.peer == peer and result.keep and result.path is None and result.nbytes:
                    self._do(lambda result=result: self._write(result))  # type: ignore[misc]

    def drop_client(self, peer: bytes) -> None:
        """Drop the results, except those to keep, of a client that did not come back in time."""
        with self._lock:
            for dream_id, result in list(self._results.items()):
                if result.peer == peer and not result.keep:
                    self._drop(dream_id)

    def expire(self, now: float) -> None:
        """Drop results that are too old; `now` is in seconds, always of the same clock."""
        with self._lock:
            for dream_id, result in list(self._results.items()):
                if result.since is None:
                    result.since = now
                elif self._age and now - result.since > self._age:
                    log.info("the result of dream %.40r was not fetched in time", dream_id)
                    self._drop(dream_id)

    def awaited(self, present: Callable[[bytes], bool]) -> bool:
        """Whether a client that is `present` has not confirmed a result yet."""
        with self._lock:
            return any(present(result.peer) for result in self._results.values())

    @property
    def count(self) -> int:
        """How many kept results have not been fetched."""
        with self._lock:
            return sum(result.keep for result in self._results.values())

    @property
    def waiting(self) -> bool:
        """Whether any result is held."""
        with self._lock:
            return bool(self._results)

    def status(self) -> Header:
        """The fields of `status` about results: kept ones, and bytes in memory and on the disk."""
        with self._lock:
            results = list(self._results.values())
            reserved = self._reserved.copy()
            on_disk = [i for i, result in self._results.items() if result.path is not None]
        return {
            "unfetched": sum(result.keep for result in results),
            "results_memory": sum(result.nbytes for result in results),
            "results_disk": sum(reserved.get(dream_id, 0) for dream_id in on_disk),
        }

    def close(self) -> None:
        """Drop everything, including the files; no other method may be called afterwards."""
        if self._thread is not None:
            self._tasks.put(None)
            self._thread.join()
        self._clear()

    # For the compute thread.

    def put(
        self, peer: bytes, request: DreamRequest, header: Header, pixels: Frame | None = None
    ) -> None:
        """Answer a dream's client; a result that must not be lost is held until confirmed."""
        result = StoredResult(peer, request.keep, {**header, "id": request.id}, pixels)
        with self._lock:
            hold = request.keep or (pixels is not None and not request.quick)
            if header["op"] == "cancelled" or not hold:
                self._reserved.pop(request.id, None)
            else:
                self._results.pop(request.id, None)
                self._results[request.id] = result
                if pixels is None:
                    self._reserved[request.id] = KEPT_MIN
                self._limit_held()
            self._send(result)

    # Called with the lock held.

    def _send(self, result: StoredResult) -> None:
        frames = () if result.pixels is None else (result.pixels,)
        self._post(Outgoing(result.peer, result.header, frames))

    def _limit_held(self) -> None:
        """Drop the oldest unconfirmed results, except those to keep, beyond `HELD_MAX` bytes."""
        held = {i: result.nbytes for i, result in self._results.items() if not result.keep}
        total = sum(held.values())
        for dream_id, size in list(held.items())[:-1]:
            if total <= HELD_MAX:
                return
            self._drop(dream_id)
            total -= size

    def _drop(self, dream_id: str) -> None:
        result = self._results.pop(dream_id)
        self._reserved.pop(dream_id, None)
        if result.path is not None:
            path = result.path
            self._do(lambda: _remove(path))

    def _do(self, task: Callable[[], None]) -> None:
        """Give the disk thread a task; the thread is started with the first one."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="results", daemon=True)
            self._thread.start()
        self._tasks.put(task)

    # The disk thread.

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except Exception:
                log.exception("a result could not be stored or read")

    def _write(self, result: StoredResult) -> None:
        pixels = result.pixels
        if pixels is None:  # written already
            return
        path = self._folder / f"{secrets.token_hex(16)}.pixels"
        try:
            private_files.make_private(self._folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            with open(os.open(path, flags, 0o600), "wb", buffering=0) as file:
                left = memoryview(pixels).cast("B")
                while left:
                    left = left[file.write(left[:CHUNK]) :]
        except OSError as error:
            log.warning("a finished dream can't be stored and stays in memory (%s)", error)
            _remove(path)
            return
        with self._lock:
            if result in self._results.values():
                result.path, result.pixels = path, None
                return
        _remove(path)  # it was fetched meanwhile

    def _read(self, peer: bytes, dream_id: str, result: StoredResult) -> None:
        assert result.path is not None
        try:
            pixels = result.path.read_bytes()
        except OSError as error:
            log.warning("the result of dream %.40r can't be read (%s)", dream_id, error)
            text = f"The dream is lost: its result can't be read ({error.strerror})."
            self._post(Outgoing(peer, {"op": "error", "id": dream_id, "text": text, "lost": True}))
            self.received(peer, dream_id)
        else:
            self._post(Outgoing(peer, result.header, [pixels]))

    def _clear(self) -> None:
        """Remove our files, and the folder if nothing else is in it."""
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if NAME.fullmatch(path.name):
                    _remove(path)
            self._folder.rmdir()


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
