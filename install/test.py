"""Set up what the tests need, including real hosts, and run them.

    python3 install/test.py                     everything that CI runs
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
from install.packages.disk_space import check_space  # noqa: E402
from install.packages.pip import pip_command  # noqa: E402

PLUGINS = ("plugins/krita", "plugins/gimp/dreamlayer-gimp")
TYPED = ("daemon", "plugins/link", *PLUGINS, "install")
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy", *TYPED),
    ("lint-imports",),
)
# What starts neither a host nor, for more than a moment, a daemon; each line has a core of its own.
QUICK = (
    ("engine",),
    (
        "compositing", "gimp", "house", "kernels", "krita", "link", "networks", "runtime",
        "studio", "windows",
    ),
)  # fmt: skip
# Beside all else but the hosts, so that both cores have about equally much to do.
BESIDE = ("tests/computers", "tests/install", "tests/engine")
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
        quick_tests = [[f"tests/{folder}" for folder in folders] for folders in QUICK]
        failed += side_by_side(
            place, [["pytest", "--quiet", "-m", "not slow", *tests] for tests in quick_tests]
        )
    elif options:
        failed += ["pytest"] if run(place, "pytest", *options) else []
    else:
        apart = [word for folder in ("tests/hosts", *BESIDE) for word in ("--ignore", folder)]
        failed += side_by_side(place, [["pytest", *apart], ["pytest", *BESIDE]])
    if making.ident:
        making.join()
    if not options:  # hosts wait now and then, for a window or for a dream
        suites = [["pytest", "tests/hosts", "--suite", suite] for suite in roots.SUITES]
        failed += side_by_side(place, suites)
    say(f"Failed: {', '.join(failed)}." if failed else "All passed.")
    return 1 if failed else 0


def side_by_side(place: environment.Environment, commands: list[list[str]]) -> list[str]:
    """Run several programs of the environment at once.

    What the first one prints is shown at once, what the others print when the first has ended.

    Returns:
        the commands that failed.
    """
    first, *others = commands
    logs = [tempfile.TemporaryFile() for _ in others]  # noqa: SIM115
    running = [
        start(place, *command, output=log) for command, log in zip(others, logs, strict=True)
    ]
    codes = [run(place, *first)]
    for command, process, log in zip(others, running, logs, strict=True):
        codes.append(process.wait())
        say(" ".join(command))
        log.seek(0)
        shutil.copyfileobj(log, sys.stdout.buffer)
        log.close()
    return [" ".join(command) for command, code in zip(commands, codes, strict=True) if code]


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
        if not place.works():
            check_space(place.folder.parent, 0.5e9, 2e9)
        environment.make(place)
        project = f"{CHECKOUT}[test,build,efficientnet,webgpu]"
        options = ["--quiet", "--disable-pip-version-check", "--editable", project]
        command = [*pip_command(place), "install", *options]
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
