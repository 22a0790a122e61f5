"""A test session in a Debian root: real Krita and real GIMP, the plug-ins, a virtual screen.

A test takes the fixture `host` and gets a HostSession for each suite (trixie: Krita 5.2, GIMP 3.0;
forky: Krita 5.3, GIMP 3.2), with a fresh user who has the plug-ins installed:

    def test_adds_a_layer(host: HostSession) -> None:
        facts = host.run_krita(SCRIPTS / "dream.py", picture=PHOTO, layer="features.10").facts()
        assert facts["layers"] == 2

The script runs inside Krita (see inside/dreamlayer_test_driver: it defines `run(document)`, which
may be a generator) or inside GIMP's batch interpreter (it is executed from top to bottom), and both
use inside/case.py for picture, arguments, verdict, screenshots and keys. Modules beside the script
can be imported:

    # krita: dream.py                                # gimp: dream.py
    import case                                      import case
    from krita import Krita                          from gi.repository import Gimp, Gio
    def run(document):                               file = Gio.File.new_for_path(case.picture)
        yield 500                  # milliseconds    image = Gimp.file_load(
        yield lambda: finished()   # until true          Gimp.RunMode.NONINTERACTIVE, file)
        case.screenshot("done")                      case.verdict(layers=len(image.get_layers()))
        case.verdict(layers=len(document.topLevelNodes()))

The daemon that a plug-in starts is the real one, in the environment that runs the tests; it lives
until the session ends, over several runs. `run_outside` runs a program of this machine beside it.
Process ids within the session (so the one in daemon.json too) are not those that this process sees.

One script by hand, without pytest:

    python -m tests.hosts.session trixie krita SCRIPT.py [PICTURE] [NAME=VALUE …]
    python -m tests.hosts.session forky gimp-console SCRIPT.py …       (also: gimp)
"""

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from install import roots
from tests.hosts.namespace import Namespace

CHECKOUT = Path(__file__).resolve().parents[2]
INSIDE = Path(__file__).parent / "inside"
SCREENSHOTS = CHECKOUT / "build" / "screenshots"
DRIVER = "dreamlayer_test_driver"


@dataclass(frozen=True)
class Versions:
    krita: str
    gimp: str


VERSIONS = {
    "trixie": Versions("5.2", "3.0"),
    "forky": Versions("5.3", "3.2"),
    roots.OLD_HOSTS: Versions("5.1", "2.10"),
}


@dataclass(frozen=True)
class Result:
    """What came of one run. rc: exit status; verdict: what the script told; seconds: wall time."""

    rc: int
    stdout: str
    verdict: dict[str, Any]
    seconds: float

    def facts(self) -> dict[str, Any]:
        """The verdict of a run that went well; else an AssertionError with all that was said."""
        assert self.rc == 0, f"the host ended with status {self.rc} and said:\n{self.stdout}"
        return self.verdict


class HostSession:
    """A fresh user in a root; everything is in one folder, seen at the same path in and outside.

    home: the user's home. data: the folder of Dreamlayer's own files, with a launcher.json that
    starts the daemon of this Python's environment. pictures: copies of what was opened.
    variables: further ones for the programs that are started from now on.
    """

    def __init__(self, suite: str, root: Path, template: Path | None = None) -> None:
        self.suite = suite
        self.root = root
        self.folder = Path(tempfile.mkdtemp(prefix="dreamlayer-"))
        self.home = self.folder / "home"
        self.data = self.folder / "data"
        self.pictures = self.folder / "pictures"
        self.variables: dict[str, str] = {}
        self.versions = VERSIONS[suite]
        self.krita_data = self.home / ".local/share/krita"
        self.gimp_profile = self.home / ".config/GIMP" / self.versions.gimp
        self._kritarc = self.home / ".config/kritarc"
        self._runtime = self.folder / "run"
        if template:
            shutil.copytree(template, self.home, symlinks=True)
        for folder in (self.home, self.data, self.pictures, SCREENSHOTS):
            folder.mkdir(parents=True, exist_ok=True)
        self._runtime.mkdir(mode=0o700)
        daemon = ["chroot", roots.OUTSIDE, sys.executable, "-m", "dreamlayer", "serve"]
        launcher = self.data / "launcher.json"
        launcher.write_text(json.dumps({"command": daemon}), encoding="utf-8")
        binds = {CHECKOUT: "ro", SCREENSHOTS: "rw", self.folder: "rw"}
        self._install_krita_driver()
        self._namespace = Namespace(root, binds)

    def __enter__(self) -> "HostSession":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def install_plugins(self) -> None:
        """Put the plug-ins where the installer puts them, for this user, and enable them."""
        import msgpack

        from install.hosts import copying, kritarc

        source = Path(msgpack.__file__).parent
        copying.install_krita(CHECKOUT, self.krita_data, source)
        copying.install_gimp(CHECKOUT, self.gimp_profile, source)
        kritarc.enable(self._kritarc)

    def run_krita(
        self, script: Path, picture: Path | None = None, timeout: float = 120, **arguments: object
    ) -> Result:
        """Run a script in the window of Krita, which has a copy of `picture` open.

        About one start in forty hangs, for a reason that is not known and not ours, so a run that
        times out is repeated once.
        """
        case = self._case("krita", script, picture, timeout, arguments)
        argv = ["krita", "--nosplash", *([case["picture"]] if picture else [])]
        result = self._run(case, self._on_screen(argv))
        if result.rc == -signal.SIGKILL:
            print(f"\nKrita ({self.suite}) hung for {timeout} s; starting it once more.\n")
            print(result.stdout)
            result = self._run(case, self._on_screen(argv))
        return result

    def run_gimp_console(
        self, script: Path, picture: Path | None = None, timeout: float = 120, **arguments: object
    ) -> Result:
        """Run a script in GIMP without windows; it opens `case.picture` itself."""
        case = self._case("gimp-console", script, picture, timeout, arguments)
        return self._run(case, ["gimp-console", "-id", *_BATCH])

    def run_gimp(
        self, script: Path, picture: Path | None = None, timeout: float = 180, **arguments: object
    ) -> Result:
        """Run a script in GIMP with its windows; it opens and shows `case.picture` itself."""
        case = self._case("gimp", script, picture, timeout, arguments)
        argv = ["dbus-run-session", "--", "gimp", "-n", "--no-splash", *_BATCH]
        return self._run(case, self._on_screen(argv))

    def run_command(self, command: str, folder: Path, timeout: float = 120) -> Result:
        """Run a line of shell in the root, in a folder of the session's, as its user would."""
        log = self.folder / "command.log"
        argv = ["sh", "-ec", command]
        done = self._namespace.run(argv, log, timeout, env=self.environment(), cwd=folder)
        status = -signal.SIGKILL if done.timed_out else done.status
        return Result(status, done.output, {}, done.seconds)

    def run_outside(self, argv: Sequence[str], timeout: float = 120) -> Result:
        """Run a program of this machine for the session's user (`sys.executable -m dreamlayer …`).

        It works on the same Dreamlayer folder, and what it leaves running ends with the session.
        """
        log = self.folder / "outside.log"
        done = self._namespace.run(
            argv, log, timeout, env=self.environment(), cwd=CHECKOUT, outside=True
        )
        return Result(done.status, done.output, {}, done.seconds)

    def environment(self) -> dict[str, str]:
        """The variables that every program of the session gets."""
        return {
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self._runtime),
            "DREAMLAYER_HOME": str(self.data),
            "LC_ALL": "C.UTF-8",
            "PYTHONIOENCODING": "utf-8",  # Krita's Python prints ASCII otherwise
            "PYTHONUNBUFFERED": "1",  # what was printed before a crash is seen
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "ignore::SyntaxWarning",  # dozens in the plug-ins that Krita brings
            **self.variables,
        }

    def close(self) -> None:
        """End every program of the session and remove its folder."""
        self._namespace.close()
        _end_users_of(self.data)
        shutil.rmtree(self.folder)

    def _case(
        self,
        host: str,
        script: Path,
        picture: Path | None,
        timeout: float,
        arguments: Mapping[str, object],
    ) -> dict[str, Any]:
        copied = shutil.copy(picture, self.pictures) if picture else None
        seen_inside = {CHECKOUT, self.folder.resolve()} & set(script.resolve().parents)
        runnable = script.resolve() if seen_inside else shutil.copy(script, self.folder)
        return {
            "host": host,
            "script": str(runnable),
            "picture": str(copied) if copied else None,
            "arguments": dict(arguments),
            "timeout": timeout,
            "verdict": str(self.folder / "verdict.json"),
            "screenshots": str(SCREENSHOTS),
            "prefix": f"{self.suite}-{host}",
        }

    def _run(self, case: Mapping[str, Any], argv: Sequence[str]) -> Result:
        verdict = Path(case["verdict"])
        verdict.unlink(missing_ok=True)
        described = self.folder / "case.json"
        end = time.time() + case["timeout"]
        described.write_text(json.dumps({**case, "end": end}), encoding="utf-8")
        env = {
            **self.environment(),
            "DREAMLAYER_TEST_INSIDE": str(INSIDE),
            "DREAMLAYER_TEST_CASE": str(described),
        }
        log = self.folder / f"{case['host']}.log"
        done = self._namespace.run(argv, log, case["timeout"], env=env, cwd=self.folder)
        told = json.loads(verdict.read_text(encoding="utf-8")) if verdict.exists() else {}
        return Result(
            -signal.SIGKILL if done.timed_out else done.status, done.output, told, done.seconds
        )

    def _on_screen(self, argv: Sequence[str]) -> list[str]:
        return ["sh", str(INSIDE / "desktop.sh"), *argv]

    def _install_krita_driver(self) -> None:
        pykrita = self.krita_data / "pykrita"
        pykrita.mkdir(parents=True, exist_ok=True)
        shutil.copy(INSIDE / f"{DRIVER}.desktop", pykrita)
        shutil.copytree(INSIDE / DRIVER, pykrita / DRIVER, dirs_exist_ok=True)
        if not self._kritarc.exists():  # Krita keeps our line when it adds its own
            self._kritarc.parent.mkdir(parents=True, exist_ok=True)
            self._kritarc.write_text(f"[python]\nenable_{DRIVER}=true\n", encoding="utf-8")


# GIMP runs this in the Python of its batch interpreter and ends with 64 if it raises.
_BATCH = (
    "--batch-interpreter=python-fu-eval",
    "-b",
    f"import sys, runpy; sys.path.insert(0, {str(INSIDE)!r}); import case; "
    "runpy.run_path(case.script, run_name='__main__')",
    "--quit",
)


def _end_users_of(data: Path) -> None:
    """Kill programs outside the session's processes that use its Dreamlayer folder.

    A test that itself starts a client outside may so have started a daemon there.
    """
    while users := _users_of(data):
        for pid in users:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _users_of(data: Path) -> list[int]:
    mark = f"DREAMLAYER_HOME={data}".encode()
    users = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if mark in environ.read_bytes().split(b"\0"):
                users.append(int(environ.parent.name))
    return users


def main(arguments: list[str]) -> int:
    """Run one script by hand, as the module's docstring shows."""
    from tests.hosts import warm

    suite, host, script, *rest = arguments
    pairs = dict(word.split("=", 1) for word in rest if "=" in word)
    picture = next((Path(word) for word in rest if "=" not in word), None)
    root = roots.ensure(suite)
    with HostSession(suite, root, warm.ensure(suite, root)) as session:
        session.install_plugins()
        runs = {
            "krita": session.run_krita,
            "gimp": session.run_gimp,
            "gimp-console": session.run_gimp_console,
        }
        result = runs[host](Path(script), picture, timeout=300, **pairs)
    print(result.stdout)
    print(json.dumps(result.verdict, indent=1), f"status {result.rc}, {result.seconds:.1f} s")
    return 0 if result.rc == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
