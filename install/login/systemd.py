"""This user's systemd: where its units are, and what it is told to do with ours."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from install.hosts.places import Machine
from install.login.units import PATH, SERVICE

PATIENCE = 60.0  # seconds for systemctl; to stop the daemon takes 10 s in the middle of a dream


class UserManager:
    """The systemd of this user, which may not be running now.

    It does not where nobody has logged in, e.g. after `su`: units are then enabled for the next
    login, which systemctl does itself, by links.
    """

    def __init__(self, machine: Machine) -> None:
        self._program = machine.program("systemctl")
        self._environ = dict(machine.environ)
        self.folder = machine.folder("XDG_CONFIG_HOME", ".config") / "systemd" / "user"
        #: whether the computer was started with systemd; containers are not
        self.is_there = bool(self._program) and (machine.top / "run/systemd/system").is_dir()
        if os.name == "posix" and not self._environ.get("XDG_RUNTIME_DIR"):  # after `su`
            runtime = machine.top / "run" / "user" / str(os.getuid())
            if runtime.is_dir():
                self._environ["XDG_RUNTIME_DIR"] = str(runtime)

    def reload(self) -> bool:
        """Have it read all units anew; returns whether it runs."""
        return self._call("daemon-reload")

    def enable(self, unit: str, wanted: bool) -> bool:
        """Start a unit at each login from now on, or no longer; returns whether that worked."""
        return self._call("enable" if wanted else "disable", unit)

    def watch(self) -> bool:
        """Start the path unit anew, also after it had given up; returns whether that worked."""
        self._call("reset-failed", PATH, SERVICE)
        return self._call("restart", PATH)

    def stop(self, *units: str) -> bool:
        return self._call("stop", *units)

    def is_enabled(self, unit: str) -> bool:
        return self._call("is-enabled", unit)

    def is_active(self, unit: str) -> bool:
        return self._call("is-active", unit)

    def is_running(self) -> bool:
        return self._call("show-environment")

    def wants(self, unit: str) -> Path:
        """The link that an enabled unit has."""
        return self.folder / "default.target.wants" / unit

    def _call(self, *arguments: str) -> bool:
        """Whether systemctl did it."""
        if self._program is None:
            return False
        try:
            done = subprocess.run(
                [self._program, "--user", "--quiet", *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=self._environ,
                timeout=PATIENCE,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0
