"""Set up what the tests need, real hosts included, and run them all.

    python3 install/test.py                     everything
    python3 install/test.py tests/engine -x     what is named, with pytest's options

It makes an environment of its own with the pinned packages, Debian roots with Krita and GIMP where
that can be done (Debian, as root), runs the linters, the type checker and the import contracts,
and then pytest. All of it is kept in a cache folder (~/.cache/dreamlayer-tests, or the one named in
DREAMLAYER_CACHE) and is there at once in a second run. With CI=true a host test that can't run
is a failure, elsewhere it is skipped and says why.
"""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

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
started = time.monotonic()


def say(text: str) -> None:
    print(f"[{time.monotonic() - started:4.0f} s] {text}", flush=True)


def main(options: list[str]) -> int:
    making = threading.Thread(target=make_roots)
    if not options or any("host" in option for option in options):
        making.start()  # it waits for downloads most of the time
    try:
        place = environment.Environment(roots.cache() / "env")
        make_environment(place)
    except InstallError as error:
        say(str(error))
        return 1
    failed = [] if options else [" ".join(check) for check in CHECKS if run(place, *check)]
    if making.ident:
        making.join()
    if run(place, "pytest", *options):
        failed.append("pytest")
    say(f"Failed: {', '.join(failed)}." if failed else "All passed.")
    return 1 if failed else 0


def make_roots() -> None:
    """Make the hosts' roots beforehand; what fails here is told by the tests that need a root."""
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
    """The project itself is installed as it lies here, so that the tests test this checkout.

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
            raise InstallError("pip failed: the reason is above. Mend that, then run this again.")


def run(place: environment.Environment, program: str, *arguments: str) -> int:
    """Run a program of the environment in the checkout; returns its exit code."""
    say(program)
    paths = os.pathsep.join(str(CHECKOUT / folder) for folder in PLUGINS)
    environ = environment.clean_environ() | {"PYTHONPATH": paths}
    return subprocess.call([place.python.with_name(program), *arguments], cwd=CHECKOUT, env=environ)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
