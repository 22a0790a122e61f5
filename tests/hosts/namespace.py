"""The processes of one test session: they see the root, and none of them outlives the session."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from install import roots

ROUNDS = 200  # of killing, 50 ms each


@dataclass(frozen=True)
class Finished:
    """How a program ended. status: its exit status, negative for a signal."""

    status: int
    output: str
    seconds: float
    timed_out: bool


class Namespace:
    """One entered root, held open by a process that waits until this one ends or closes it."""

    def __init__(self, root: Path, binds: Mapping[Path, str]) -> None:
        self.root = root
        holding = ["sh", "-c", "echo ready; exec cat"]
        self.holder = subprocess.Popen(
            roots.command(root, holding, binds), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.holder.stdout is not None
        if self.holder.stdout.readline() != b"ready\n":
            raise RuntimeError(f"The root {root} can't be entered; see the lines above.")

    def run(
        self,
        argv: Sequence[str],
        log: Path,
        timeout: float,
        *,
        env: Mapping[str, str],
        cwd: Path | str = "/",
        outside: bool = False,
    ) -> Finished:
        """Run a program to its end, or to the time-out in seconds.

        Its output goes to a file: through a pipe, a daemon that it leaves behind would hold us up.
        Afterwards every process it left in the root is killed; those outside (daemons) stay.
        """
        start = time.monotonic()
        before = set(self._members())
        joined = roots.join(self.holder.pid, self.root, argv, env=env, cwd=cwd, outside=outside)
        with log.open("wb") as file:
            process = subprocess.Popen(joined, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        try:
            process.wait(timeout)
            timed_out = False
        except subprocess.TimeoutExpired:
            timed_out = True
        self._end(before, inside_only=not timed_out)
        status = process.wait()
        output = log.read_text(encoding="utf-8", errors="replace")
        return Finished(status, output, time.monotonic() - start, timed_out)

    def close(self) -> None:
        """End everything that was started here."""
        assert self.holder.stdin is not None and self.holder.stdout is not None
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()

    def _end(self, spared: set[int], *, inside_only: bool) -> None:
        for _ in range(ROUNDS):  # a process may start another one while we look
            left = set(self._members()) - spared
            doomed = {pid for pid in left if self._is_inside(pid)} if inside_only else left
            if not doomed:
                return
            for pid in doomed:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        raise RuntimeError(f"Processes {sorted(doomed)} do not end, not even when killed.")

    def _members(self) -> list[int]:
        ours = _namespace(f"/proc/{self.holder.pid}/ns/pid_for_children")
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [pid for pid in pids if _namespace(f"/proc/{pid}/ns/pid") == ours]

    def _is_inside(self, pid: int) -> bool:
        with contextlib.suppress(OSError):  # it may have ended meanwhile
            return Path(f"/proc/{pid}/root").samefile(self.root)
        return False


def _namespace(link: str) -> str | None:
    with contextlib.suppress(OSError):
        return str(Path(link).readlink())
    return None
