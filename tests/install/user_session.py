"""A login of its own: the real systemd of a user, in a namespace of its processes and mounts.

systemd needs a computer that was started with systemd, a folder for its sockets and a cgroup; the
namespace has them, whatever the machine is. All that was started in it ends with it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

PROGRAM = "/usr/lib/systemd/systemd"
# Runs as process 1 of the namespace until its standard input is closed.
LOGIN = """
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
mkdir -m 700 -p "$XDG_RUNTIME_DIR"
umount -R /sys/fs/cgroup 2> /dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
group=/sys/fs/cgroup/dreamlayer-test-$OUTSIDE_PID
mkdir $group
echo $$ > $group/cgroup.procs
"$@" --user --log-target=console --log-level=info &
manager=$!
until systemctl --user is-system-running 2> /dev/null | grep -qE "running|degraded"; do
    kill -0 $manager
    sleep 0.1
done
echo ready
read -r _ || true
kill -9 -1 || true
wait
echo $$ > /sys/fs/cgroup/cgroup.procs
find $group -depth -type d -exec rmdir {} +
"""
PATIENCE = 60.0  # seconds


class NoSystemd(Exception):
    """A user's systemd can't be run here; the text says why."""


class UserSession:
    """A session of a user whose home is `home`; use as a context manager."""

    def __init__(self, home: Path) -> None:
        runtime = f"/run/user/{os.getuid()}"
        self.environ = {"HOME": str(home), "XDG_RUNTIME_DIR": runtime, "PATH": "/usr/bin:/bin"}
        self.log = home / "systemd.log"
        private = "--mount --propagation private --cgroup --pid --fork --mount-proc --kill-child"
        with self.log.open("wb") as log:
            self._holder = subprocess.Popen(
                ["unshare", *private.split(), "sh", "-c", LOGIN, "sh", PROGRAM],
                env=self.environ | {"OUTSIDE_PID": str(os.getpid())},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"ready\n":
            self._holder.wait(PATIENCE)
            raise NoSystemd(f"systemd does not run here: {self.log.read_text()[-500:]}")
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        self._inside = children.read_text().split()[0]

    def __enter__(self) -> UserSession:
        return self

    def __exit__(self, *reason: object) -> None:
        assert self._holder.stdin is not None and self._holder.stdout is not None
        self._holder.stdin.close()
        self._holder.wait(PATIENCE)
        self._holder.stdout.close()

    def command(self, argv: Sequence[str], **variables: str) -> list[str]:
        """The command line that runs a program in the session."""
        words = [f"{name}={value}" for name, value in (self.environ | variables).items()]
        enter = ["nsenter", f"--target={self._inside}", "--mount", "--pid", "--cgroup"]
        return [*enter, "env", "-i", *words, *argv]

    def run(self, *argv: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(argv, **variables),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def systemctl(self, *arguments: str) -> str:
        done = self.run("systemctl", "--user", *arguments)
        return done.stdout.strip()
