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
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dreamlayer.server.config.settings import MIB, Settings, limit_hint
from dreamlayer.server.transport.mailbox import Outgoing
from dreamlayer.server.transport.principal import Peer, Principal, room
from dreamlink.client import private_files
from dreamlink.wire.looks import LooksRequest
from dreamlink.wire.messages import DreamRequest, Frame, Header, MessageError

log = logging.getLogger(__name__)

FOLDER = "results"
NAME = re.compile(r"[0-9a-f]{32}\.pixels")  # of our files in the folder
KEPT_MIN = MIB  # bytes that a kept result counts as at least, which limits their number
HELD_MAX = 1 << 30  # bytes of results that are not to be kept and not confirmed yet …
HELD_MIN = 64 << 10  # … each of which counts as at least so many
CHUNK = 16 << 20  # bytes of one write
Key = tuple[Principal, str]  # whose dream, and its id
LOST = "The dream is lost: the Dreamlayer daemon has been restarted since, or has dropped it."


@dataclass(eq=False)
class StoredResult:
    """A dream's final answer: its header, and its pixels in memory or on the disk.

    Attributes:
        reading: whether its pixels are being read from the disk.
    """

    peer: Peer
    keep: bool
    header: Header
    pixels: Frame | None
    path: Path | None = None
    since: float | None = None  # when it was first seen by `expire`
    reading: bool = False

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
        self._results: dict[Key, StoredResult] = {}  # the oldest first
        self._reserved: dict[Key, int] = {}  # bytes of the quota
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._clear()  # files that a killed daemon left can't be fetched any more

    # For the I/O thread; none of these blocks.

    def reserve(self, principal: Principal, request: DreamRequest) -> None:
        """Reserve space for a dream to keep; raises MessageError if there is too little."""
        size = max(KEPT_MIN, request.result.nbytes)
        key = principal, request.id
        with self._lock:
            if key in self._reserved:
                raise MessageError(f"A dream {request.id!r} is already kept here.")
            used: Counter[Principal] = Counter()
            for (owner, _dream_id), reserved in self._reserved.items():
                used[owner] += reserved
            if size > room(self._quota, principal, used):
                raise MessageError(
                    "There is no space to keep this dream for later: fetch the finished ones first"
                    f" ({limit_hint('results_disk')})."
                )
            self._reserved[key] = size

    def release(self, principal: Principal, dream_id: str) -> None:
        """Release the reservation of a dream that was not queued."""
        with self._lock:
            self._reserved.pop((principal, dream_id), None)

    def fetch(self, peer: Peer, dream_id: str) -> bool:
        """Send a result to `peer`, which becomes its client; False if there is no such result."""
        with self._lock:
            result = self._results.get((peer.principal, dream_id))
            if result is None:
                return False
            result.peer = peer
            if result.path is None:
                self._send(result)
            elif not result.reading:  # asked for twice, it is read and answered once
                result.reading = True
                self._do(lambda: self._read(dream_id, result))
            return True

    def received(self, peer: Peer, dream_id: str) -> None:
        """Drop a result because its client has confirmed it."""
        with self._lock:
            result = self._results.get((peer.principal, dream_id))
            if result is not None and result.peer == peer:
                self._drop((peer.principal, dream_id))

    def client_disconnected(self, peer: Peer) -> None:
        """Move the kept results of a disconnected client from memory to the disk."""
        with self._lock:
            for result in self._results.values():
                if result.peer == peer and result.keep and result.path is None and result.nbytes:
                    self._do(lambda result=result: self._write(result))  # type: ignore[misc]

    def drop_client(self, peer: Peer) -> None:
        """Drop the results, except those to keep, of a client that did not come back in time."""
        with self._lock:
            for key, result in list(self._results.items()):
                if result.peer == peer and not result.keep:
                    self._drop(key)

    def expire(self, now: float) -> None:
        """Drop results that are too old; `now` is in seconds, always of the same clock."""
        with self._lock:
            for key, result in list(self._results.items()):
                if result.since is None:
                    result.since = now
                elif self._age and now - result.since > self._age:
                    log.info("the result of dream %.40r was not fetched in time", key[1])
                    self._drop(key)

    def awaited(self, present: Callable[[Peer], bool]) -> bool:
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

    def status(self, viewer: Principal) -> Header:
        """The fields of `status` about results: kept ones, and bytes in memory and on the disk.

        A guest learns about its own only.
        """
        with self._lock:
            results = {
                key: result
                for key, result in self._results.items()
                if viewer.is_local or key[0] == viewer
            }
            on_disk = [key for key, result in results.items() if result.path is not None]
            return {
                "unfetched": sum(result.keep for result in results.values()),
                "results_memory": sum(result.nbytes for result in results.values()),
                "results_disk": sum(self._reserved.get(key, 0) for key in on_disk),
            }

    def close(self) -> None:
        """Drop everything, including the files; no other method may be called afterwards."""
        if self._thread is not None:
            self._tasks.put(None)
            self._thread.join()
        self._clear()

    # For the compute thread.

    def put(
        self,
        peer: Peer,
        request: DreamRequest | LooksRequest,
        header: Header,
        pixels: Frame | None = None,
    ) -> None:
        """Answer a dream's client; a result that must not be lost is held until confirmed."""
        result = StoredResult(peer, request.keep, {**header, "id": request.id}, pixels)
        key = peer.principal, request.id
        with self._lock:
            hold = request.keep or (pixels is not None and not request.quick)
            if header["op"] == "cancelled" or not hold:
                self._reserved.pop(key, None)
            else:
                self._results.pop(key, None)
                self._results[key] = result
                if pixels is None:
                    self._reserved[key] = KEPT_MIN
                self._limit_held(peer.principal)
            self._send(result)

    # Called with the lock held.

    def _send(self, result: StoredResult) -> None:
        frames = () if result.pixels is None else (result.pixels,)
        self._post(Outgoing(result.peer, result.header, frames))

    def _limit_held(self, principal: Principal) -> None:
        """Drop a principal's oldest unconfirmed results, except those to keep, beyond `HELD_MAX`.

        The newest stays, however large it is.
        """
        held: Counter[Principal] = Counter()
        for (owner, _dream_id), result in self._results.items():
            held[owner] += 0 if result.keep else max(HELD_MIN, result.nbytes)
        own = [k for k, r in self._results.items() if k[0] == principal and not r.keep]
        for key in own[:-1]:
            if room(HELD_MAX, principal, held) >= 0:
                return
            held[principal] -= max(HELD_MIN, self._results[key].nbytes)
            self._drop(key)

    def _drop(self, key: Key) -> None:
        result = self._results.pop(key)
        self._reserved.pop(key, None)
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

    def _read(self, dream_id: str, result: StoredResult) -> None:
        assert result.path is not None
        try:
            pixels = result.path.read_bytes()
        except OSError as error:
            log.warning("the result of dream %.40r can't be read (%s)", dream_id, error)
            text = f"The dream is lost: its result can't be read ({error.strerror})."
            header = {"op": "error", "id": dream_id, "text": text, "lost": True}
            self._post(Outgoing(result.peer, header))
            self.received(result.peer, dream_id)
        else:
            with self._lock:
                result.reading = False
                peer = result.peer  # who asked last, perhaps meanwhile
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
