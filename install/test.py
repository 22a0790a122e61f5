"""Set up what the tests need, including real hosts, and run them.

    python3 install/test.py                     everything
    python3 install/test.py --quick             no hosts, no daemons: under three minutes
    python3 install/test.py tests/engine -x     the named tests, with pytest's options

It makes its own environment with the pinned packages and, on Debian as root, Debian roots with
Krita and GIMP. It runs the linters, the type checker and the import contracts, and then pytest.
Environment and roots are kept in a cache folder (~/.cache/dreamlayer-tests, or the one in
DREAMLAYER_CACHE), so that a second run begins at once. With CI=true a host test that can't run is a
failure; otherwise it is skipped and says why.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
sys.dont_write_bytecode = True
sys.path = [str(CHECKOUT), str(CHECKOUT / "plugins" / "link")] + [
    entry for entry in sys.path if Path(entry).resolve() != HERE
]

from install import environment, roots  # noqa: E402
from install.errors import InstallError  # noqa: E402

PLUGINS = ("plugins/krita", "plugins/gimp/dreamlayer-gimp")
TYPED = ("daemon", "plugins/link", *PLUGINS, "install")
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy", *TYPED),
    ("lint-imports",),
)
QUICK = (  # folders whose tests start neither a host nor, for more than a moment, a daemon
    "compositing", "engine", "house", "krita", "link", "networks", "runtime", "studio",
)  # fmt: skip
started = time.monotonic()


def say(text: str) -> None:
    print(f"[{time.monotonic() - started:4.0f} s] {text}", flush=True)


def main(options: list[str]) -> int:
    quick = options == ["--quick"]
    making = threading.Thread(target=make_roots)
    if not options or any("host" in option for option in options):
        making.start()  # mostly waiting for downloads
    try:
        place = environment.Environment(roots.cache() / "env")
        make_environment(place)
    except InstallError as error:
        say(str(error))
        return 1
    checked = quick or not options
    failed = [" ".join(check) for check in CHECKS if run(place, *check)] if checked else []
    if quick:
        options = ["--quiet", *(f"tests/{folder}" for folder in QUICK)]
    if run(place, "pytest", *(options or ["--ignore", "tests/hosts"])):
        failed.append("pytest")
    if making.ident:
        making.join()
    if not options:
        failed += run_in_hosts(place)
    say(f"Failed: {', '.join(failed)}." if failed else "All passed.")
    return 1 if failed else 0


def run_in_hosts(place: environment.Environment) -> list[str]:
    """Run the tests of the hosts, one pytest for each Debian suite, in parallel: hosts mostly wait.

    The output of the first is shown at once, that of the others when the first has ended.

    Returns:
        the commands that failed.
    """
    suites = {suite: ["pytest", "tests/hosts", "--suite", suite] for suite in roots.SUITES}
    first, *others = suites
    logs = {suite: tempfile.TemporaryFile() for suite in others}  # noqa: SIM115
    others_running = {
        suite: start(place, *suites[suite], output=log) for suite, log in logs.items()
    }
    codes = {first: run(place, *suites[first])}
    for suite, process in others_running.items():
        codes[suite] = process.wait()
        say(" ".join(suites[suite]))
        logs[suite].seek(0)
        shutil.copyfileobj(logs[suite], sys.stdout.buffer)
        logs[suite].close()
    return [" ".join(suites[suite]) for suite, code in codes.items() if code]


def make_roots() -> None:
    """Make the hosts' roots beforehand; tests that need a root report failures."""
    reason = roots.why_not()
    if reason:
        say(reason)
        return
    for suite in roots.SUITES:
        try:
            roots.ensure(suite, say)
        except roots.RootError as error:
            say(str(error))


def make_environment(place: environment.Environment) -> None:
    """Install the project in editable mode, so that the tests test this checkout.

    Raises:
        InstallError: with what to do.
    """
    place.folder.parent.mkdir(parents=True, exist_ok=True)
    with roots.locked(place.folder.with_suffix(".lock"), say):
        say(f"Setting up the environment {place.folder}")
        environment.make(place)
        project = f"{CHECKOUT}[test,efficientnet]"
        options = ["--quiet", "--disable-pip-version-check", "--editable", project]
        command = [*environment.pip_command(place), "install", *options]
        if subprocess.call(command, env=environment.clean_environ()):
            raise InstallError("pip failed: the reason is above. Fix that, then run this again.")


def run(place: environment.Environment, program: str, *arguments: str) -> int:
    """Run a program of the environment in the checkout; returns its exit code."""
    say(" ".join([program, *arguments]))
    return start(place, program, *arguments).wait()


def start(
    place: environment.Environment, program: str, *arguments: str, output: IO[bytes] | None = None
) -> "subprocess.Popen[bytes]":
    """Start a program of the environment in the checkout; `output` takes what it prints."""
    paths = os.pathsep.join(str(CHECKOUT / folder) for folder in PLUGINS)
    environ = environment.clean_environ() | {"PYTHONPATH": paths}
    command = [str(place.python.with_name(program)), *arguments]
    errors = subprocess.STDOUT if output else None
    return subprocess.Popen(command, cwd=CHECKOUT, env=environ, stdout=output, stderr=errors)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
