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
from concurrent.futures import ThreadPoolExecutor
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
# What starts neither a host nor, for more than a moment, a daemon.
QUICK = (
    ("engine",),
    (
        "compositing", "gimp", "house", "kernels", "krita", "link", "networks", "runtime",
        "studio", "windows",
    ),
)  # fmt: skip
HOSTS = ("tests/hosts/test_krita.py", "tests/hosts/test_gimp.py")
BESIDE = ("tests/computers", "tests/install", "tests/engine")  # as long as all else but the hosts
# Programs that run side by side: hosts and daemons now and then wait for each other, or for a
# window, so one more than there are cores.
AT_ONCE = (os.cpu_count() or 1) + 1
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
    if options and not quick:
        commands = [["pytest", *options]]
    else:
        commands = [list(check) for check in CHECKS] + (quick_tests() if quick else all_tests())
    failed = run_all(place, commands) if len(commands) > 1 else run_shown(place, commands[0])
    if making.ident:
        making.join()
    say(f"Failed: {', '.join(failed)}." if failed else "All passed.")
    return 1 if failed else 0


def quick_tests() -> list[list[str]]:
    """The commands of `--quick`."""
    apart = [[f"tests/{folder}" for folder in folders] for folders in QUICK]
    return [["pytest", "--quiet", "-m", "not slow", *tests] for tests in apart]


def all_tests() -> list[list[str]]:
    """The commands that run every test once, those first that take longest."""
    commands = [["pytest", *ignored("tests/hosts", *BESIDE)], ["pytest", *BESIDE]]
    for tests in ([HOSTS[0]], [HOSTS[1]], ["tests/hosts", *ignored(*HOSTS)]):
        commands += [["pytest", *tests, "--suite", suite] for suite in roots.SUITES]
    return commands


def ignored(*paths: str) -> list[str]:
    """The options with which pytest leaves out these tests."""
    return [word for path in paths for word in ("--ignore", path)]


def run_all(place: environment.Environment, commands: list[list[str]]) -> list[str]:
    """Run programs of the environment in this order, several at once.

    What one of them prints is shown when it has ended.

    Returns:
        the commands that failed.
    """
    printing = threading.Lock()

    def run_one(command: list[str]) -> bool:
        with tempfile.TemporaryFile() as log:
            began = time.monotonic()
            failed = start(place, *command, output=log).wait() != 0
            with printing:
                say(f"{' '.join(command)}: {time.monotonic() - began:.0f} s")
                log.seek(0)
                shutil.copyfileobj(log, sys.stdout.buffer)
                sys.stdout.flush()
        return failed

    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(run_one, commands))
    return [" ".join(command) for command, failed in zip(commands, results, strict=True) if failed]


def run_shown(place: environment.Environment, command: list[str]) -> list[str]:
    """Run a program of the environment and show what it prints; returns it if it failed."""
    say(" ".join(command))
    return [" ".join(command)] if start(place, *command).wait() else []


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
