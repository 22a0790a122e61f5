"""What a process holds: memory, open files, threads. From /proc; elsewhere it is not known."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

SETTLE = 20.0  # seconds that closed connections get to be let go


@dataclass(frozen=True)
class Holdings:
    """Memory in KiB, and how many files (sockets among them) and threads."""

    memory: int
    files: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Holdings | None:
        """What it holds now; None where the system does not tell so."""
        process = Path(f"/proc/{pid}")
        if not process.exists():
            return None
        words = dict(
            line.split(":", 1) for line in (process / "status").read_text().splitlines() if line
        )
        return cls(
            memory=int(words["VmRSS"].split()[0]),
            files=len(list((process / "fd").iterdir())),
            threads=int(words["Threads"]),
        )

    def __str__(self) -> str:
        return f"{self.memory / 1024:.1f} MiB, {self.files} files, {self.threads} threads"


def settled(pid: int, before: Holdings) -> Holdings:
    """What the process holds once no more is open than `before`, or time is over."""
    end = time.monotonic() + SETTLE
    while (now := Holdings.of(pid)) is not None:
        if now.files <= before.files and now.threads <= before.threads:
            return now
        if time.monotonic() > end:
            return now
        time.sleep(0.05)
    raise ProcessLookupError(f"process {pid} has ended")


def leak(before: Holdings, after: Holdings, share: float = 0.05, slack: int = 4096) -> str:
    """What has grown, in words, "" if nothing: memory by more than `share` and `slack` KiB."""
    grown = []
    if after.files > before.files:
        grown.append(f"{after.files - before.files} files")
    if after.threads > before.threads:
        grown.append(f"{after.threads - before.threads} threads")
    if after.memory > before.memory * (1 + share) + slack:
        grown.append(f"{(after.memory - before.memory) / 1024:.1f} MiB")
    return ", ".join(grown)
