"""A session with Wine: a user of Windows, and programs that run one after the other.

Programs that are left running, such as Dreamlayer's daemon, live until the session ends.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import torch

from install import roots
from tests.hosts.namespace import Finished, Namespace
from tests.kernels.builds import CHECKOUT

USER = "Zoë Müller"  # a name with letters beyond ASCII and a space
DRIVE = "Z:"  # where Wine shows the system's own files


def windows_path(path: Path) -> str:
    """A path of this computer as Windows programs write it."""
    return DRIVE + str(path).replace("/", "\\")


class Windows:
    """Wine in its root, with a drive C: in `folder`.

    Attributes:
        profile: the user's folder, as this computer sees it.
        dreamlayer: Dreamlayer's folder there.
        kritarc: Krita's settings.
        own_python: the folder of Python for Windows.
    """

    def __init__(self, root: Path, stand_in: Path, folder: Path) -> None:
        self._folder = folder
        self.own_python = stand_in / "python"
        self._python = windows_path(self.own_python / "python.exe")
        self.profile = folder / "prefix" / "drive_c" / "users" / USER
        self.dreamlayer = self.profile / "AppData" / "Local" / "Dreamlayer"
        self.kritarc = self.profile / "AppData" / "Local" / "kritarc"
        binds = {CHECKOUT: "ro", stand_in: "ro", folder: "rw"}
        self._namespace = Namespace(root, binds)
        self._runs = 0

    def start(self) -> None:
        """Make drive C: and the user's folders."""
        done = self.wine("wineboot", "--init", limit=300)
        assert done.status == 0, done.output
        assert self.profile.is_dir()

    def python(self, *arguments: str, limit: float = 300, **environ: str) -> Finished:
        """Run Python for Windows, to its end or for `limit` seconds."""
        return self.wine(self._python, "-X", "utf8", *arguments, limit=limit, environ=environ)

    def installed(self, *arguments: str, limit: float = 300, **environ: str) -> Finished:
        """Run the Python of the environment that has Dreamlayer in it."""
        local = rf"C:\users\{USER}\AppData\Local"
        program = rf"{local}\Dreamlayer\env\Scripts\python.exe"
        return self.wine(program, "-X", "utf8", *arguments, limit=limit, environ=environ)

    def wine(
        self, *arguments: str, limit: float, environ: Mapping[str, str] | None = None
    ) -> Finished:
        """Run a Windows program; what it leaves running stays. Finished.output is all it wrote.

        Its output goes to a file: a pipe would stay open as long as the daemon that it starts.
        """
        self._runs += 1
        path = self._folder / f"run-{self._runs}.log"
        # Standard input is a pipe: Python for Windows does not start on Wine's empty device.
        script = 'printf "" | wine "$@"'
        command = roots.join(
            self._namespace.holder.pid, self._namespace.root,
            ["sh", "-c", script, "sh", *arguments],
            env={**self._environ(), **(environ or {})}, cwd=CHECKOUT,
        )  # fmt: skip
        began = time.monotonic()
        with path.open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            status, timed_out = process.wait(limit), False
        except subprocess.TimeoutExpired:
            process.kill()
            status, timed_out = process.wait(), True
        output = path.read_text(encoding="utf-8", errors="replace")
        return Finished(status, output, time.monotonic() - began, timed_out)

    def version(self) -> str:
        return self.wine("--version", limit=60).output.strip()

    def close(self) -> None:
        """End everything that still runs."""
        self._namespace.close()

    def _environ(self) -> dict[str, str]:
        return {
            "HOME": str(self._folder),
            "USER": USER,  # Wine makes the user's folder, and the variables with it, by this
            "WINEPREFIX": str(self._folder / "prefix"),
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree,mshtml=",  # nothing to download
            "LANG": "C.UTF-8",
            "XDG_RUNTIME_DIR": "/tmp",  # it asks for a display's socket there
            "PYTHONDONTWRITEBYTECODE": "1",
            # In Wine PyTorch can't find out what the processor has, and takes its plainest code,
            # which rounds a product before it is added. In Windows it finds out.
            "ATEN_CPU_CAPABILITY": best_variant_of_torch(),
            "KMP_AFFINITY": "disabled",  # Wine does not know what torch's threads ask for
        }


def best_variant_of_torch() -> str:
    """The instructions that PyTorch uses on this computer, as its variable names them."""
    return torch.backends.cpu.get_cpu_capability().lower()


def ensured_root() -> Path:
    return roots.ensure(roots.WINE, lambda line: print(line, flush=True))
