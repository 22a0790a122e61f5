"""Dreamlayer's own folder: the installer's files in it, and the daemon that uses it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dreamlink.client import discovery, private_files
from dreamlink.client.setup import output
from dreamlink.client.wish import WISH_FILE
from install.environment import Environment
from install.errors import InstallError

LOCK_FILE = "daemon.lock"
UNFINISHED_PICTURE = re.compile(r"\.dream-[0-9a-f]{16}")  # the sample: dreamlayer/files/output.py
STOP_TIMEOUT = 15.0  # seconds for the daemon to finish

GREET = """
import sys
from dreamlink.client.client import LinkError
from dreamlink.client.launch import connect
try:
    connect([sys.executable, "-I", "-m", "dreamlayer", "serve"]).close()
except LinkError as error:
    sys.exit(str(error))
"""


@dataclass(frozen=True)
class Own:
    """Dreamlayer's folder and the paths in it."""

    home: Path

    @classmethod
    def of_this_user(cls) -> Own:
        return cls(discovery.home().absolute())

    @property
    def environment(self) -> Environment:
        return Environment(self.home / "env")

    @property
    def launcher(self) -> Path:
        return self.home / discovery.LAUNCHER_FILE

    @property
    def manifest(self) -> Path:
        """The record of installed plug-ins, see manifest.py."""
        return self.home / discovery.MANIFEST_FILE

    @property
    def torch_record(self) -> Path:
        """What is remembered of the choice of PyTorch, see builds/record.py."""
        return self.home / discovery.TORCH_FILE

    @property
    def start_record(self) -> Path:
        """Whether the user wants the daemon at login, see login/choice.py."""
        return self.home / "start.json"

    @property
    def pip_log(self) -> Path:
        return self.home / "install.log"

    @property
    def sample(self) -> Path:
        """The dream of the sample picture."""
        return self.home / "sample-dream.png"

    @property
    def files(self) -> list[Path]:
        """All of Dreamlayer's files here except the environment."""
        names = (
            discovery.DAEMON_FILE, LOCK_FILE, discovery.LOG_FILE, discovery.SAID_FILE,
            discovery.MACHINE_FILE, output.NAME, WISH_FILE,
        )  # fmt: skip
        older = self.home.glob(f"{discovery.LOG_FILE}.*")
        own = [self.launcher, self.manifest, self.torch_record, self.pip_log, self.sample]
        complete = [*own, self.start_record, self._trial, *(self.home / name for name in names)]
        return [*complete, *older, *self._unfinished(complete)]

    def _unfinished(self, files: Sequence[Path]) -> Iterator[Path]:
        """What is left of files here whose writing was ended by a power cut or a kill."""
        named = "|".join(re.escape(path.name) for path in files)
        for path in self.home.glob("*"):
            if UNFINISHED_PICTURE.fullmatch(path.name) or re.fullmatch(
                rf"({named})\.([0-9a-f]{{16}})?\.[0-9]+", path.name
            ):
                yield path

    @property
    def _trial(self) -> Path:
        """A file that tells whether the folder can be written."""
        return self.home / ".trial"

    @property
    def start_command(self) -> list[str]:
        """The command with which a client starts the daemon."""
        return [str(self.environment.python), "-I", "-m", "dreamlayer", "serve"]

    def make(self) -> None:
        """Create the folder, readable by this user only; raises InstallError."""
        try:
            private_files.make_private(self.home)
            private_files.write(self._trial, "")
            self._trial.unlink()
        except private_files.WrongOwner as error:
            raise InstallError(str(error)) from error
        except OSError as error:
            raise InstallError(
                f"The folder {self.home} can't be written ({error.strerror or error}):"
                " make it writable, or set the variable DREAMLAYER_HOME to another one."
            ) from error

    def write_launcher(self) -> None:
        """Store the command that starts the daemon, for the clients."""
        private_files.write(self.launcher, json.dumps({"command": self.start_command}))


def running_daemon() -> discovery.DaemonInfo | None:
    """This user's daemon if it accepts connections."""
    info = discovery.find()
    if info is None or info.has_ended:
        return None
    host, _, port = info.endpoint.removeprefix("tcp://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2.0).close()
    except (OSError, ValueError):
        return None
    return info


def greet_daemon(environment: Environment, **changes: str) -> str | None:
    """Start the daemon if necessary and connect to it; returns None, or a sentence on a failure.

    `changes` are additional environment variables for it.
    """
    done = environment.run("-X", "utf8", "-c", GREET, **changes)
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    if done.returncode == 0:
        return None
    return lines[-1] if lines else "The daemon does not start."


def stop_daemon(environment: Environment) -> bool:
    """Stop the daemon if it runs; returns whether it did.

    It is asked to stop first. One that does not react, e.g. because it hangs or is of another
    version, is terminated.

    Raises:
        InstallError: it still runs.
    """
    info = running_daemon()
    if info is None:
        return False
    print("Stopping the daemon", flush=True)
    if environment.works():
        environment.run("-m", "dreamlayer", "stop")
    if _has_ended(STOP_TIMEOUT if environment.works() else 0.0):
        return True
    try:
        os.kill(info.pid, signal.SIGTERM)
    except (OSError, OverflowError) as error:
        raise _still_runs(info) from error
    if not _has_ended(STOP_TIMEOUT):
        raise _still_runs(info)
    return True


def _has_ended(patience: float) -> bool:
    end = time.monotonic() + patience
    while running_daemon() is not None:
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _still_runs(info: discovery.DaemonInfo) -> InstallError:
    return InstallError(
        f"The running Dreamlayer daemon does not stop: end the process {info.pid},"
        " then run install.py again."
    )
