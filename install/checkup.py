"""`install.py --check`: reports what is installed and whether it works, without changes."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dreamlink.client import discovery
from install.builds import report
from install.builds.cards import Computer
from install.builds.plan import plan
from install.environment import Environment, clean_environ
from install.errors import InstallError, for_user
from install.hosts import copying, kritarc, places
from install.hosts.places import Machine
from install.login import setup as login
from install.own import Own, greet_daemon, running_daemon
from install.packages import project
from install.packages.pip import pip_command

AGAIN = "run install.py again."
# Runs in the environment, so it is text. A package counts as whole if the files that its record
# lists are there and have their lengths; an installation that broke off leaves others.
LIBRARIES = r"""
import importlib.metadata as metadata, re, sys

def whole(name, wanted):
    try:
        package = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return f"{name} is missing"
    if wanted and package.version.partition("+")[0] != wanted:
        return f"{name} {package.version} is not the required {wanted}"
    for file in package.files or ():
        path = file.locate()
        if file.suffix == ".pyc" or ".." in file.parts:
            continue
        if not path.is_file() or file.size not in (None, path.stat().st_size):
            return f"{name} is damaged ({file})"
    return None

def libraries():
    yield "dreamlayer", None
    try:
        required = metadata.requires("dreamlayer") or []
    except metadata.PackageNotFoundError:
        return
    for requirement in required:
        pinned = re.match(r"([\w.-]+)==([\w.]+)\s*(;.*)?$", requirement)
        if pinned and "extra" not in (pinned[3] or ""):
            yield pinned[1], None if pinned[3] else pinned[2]  # a marker: pip knows which is meant

for problem in dict.fromkeys(whole(*library) for library in libraries()):
    if problem:
        print(problem)
"""

CheckResult = tuple[bool, str]  # whether the part is in order, and a sentence about it


def check(checkout: Path, own: Own, machine: Machine, computer: Computer) -> int:
    """Print a line about each part; returns 1 if a part is not in order, else 0."""
    all_good = True
    for good, sentence in _results(checkout, own, machine, computer):
        print(for_user(f"{'ok ' if good else '!! '} {sentence}"), flush=True)
        all_good = all_good and good
    if own.environment.script.exists():
        print(f"    For details, and for bug reports: {own.environment.script} doctor")
    return 0 if all_good else 1


def _results(
    checkout: Path, own: Own, machine: Machine, computer: Computer
) -> Iterator[CheckResult]:
    environment = own.environment
    if not environment.folder.exists():
        yield False, "Dreamlayer is not installed for this user: run install.py."
        return
    if not environment.works():
        yield False, f"The Python in {environment.folder} no longer works: {AGAIN}"
        return
    if project.is_current(environment, checkout):
        yield True, f"Environment: {environment.folder}, built from this source tree"
    elif environment.is_complete:
        yield False, f"Environment: {environment.folder} was built from other sources: {AGAIN}"
    else:
        yield False, f"Environment: the installation into {environment.folder} broke off: {AGAIN}"
    libraries_good, sentence = _libraries(own)
    yield libraries_good, sentence
    if libraries_good:
        yield _pytorch(checkout, own, computer)
    yield _launcher(own)
    yield login.state(own, machine)
    if libraries_good:  # without them it can't start
        yield _daemon(own)
    yield from _plugins(checkout, own, machine)


def _libraries(own: Own) -> CheckResult:
    """Whether all libraries are there, in the versions that the project pins, and fit together."""
    missing = library_problems(own.environment)
    if missing:
        more = f", and {len(missing) - 3} more" if len(missing) > 3 else ""
        return (
            False,
            f"Libraries: {', '.join(missing[:3])}{more}: delete {own.environment.folder} and"
            f" {AGAIN}",
        )
    command = [*pip_command(own.environment), "--disable-pip-version-check", "check"]
    done = subprocess.run(  # not in the current folder, from which Python would import
        command, capture_output=True, env=clean_environ(), cwd=own.environment.folder, check=False
    )
    if done.returncode == 0:
        return True, "Libraries: all installed, in the required versions"
    words = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()
    reason = words[0].rstrip(".") if words else "pip does not work"
    return False, f"Libraries: {reason}: delete {own.environment.folder} and {AGAIN}"


def _pytorch(checkout: Path, own: Own, computer: Computer) -> CheckResult:
    """Whether PyTorch is the build for this computer."""
    try:
        return report.state(plan(checkout, own, computer))
    except InstallError as error:
        return False, str(error)


def library_problems(environment: Environment) -> list[str]:
    """A few words for each library that is missing, damaged or of another version."""
    done = environment.run("-X", "utf8", "-c", LIBRARIES)
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    if done.returncode != 0:
        return [lines[-1] if lines else "its Python fails"]
    return lines


def _launcher(own: Own) -> CheckResult:
    if discovery.launch_command() == own.start_command:
        return True, "Launcher: the plug-ins can start the daemon"
    return (
        False,
        f"Launcher: {own.launcher} does not have the command that starts the daemon: {AGAIN}",
    )


def _daemon(own: Own) -> CheckResult:
    """Connect to the running daemon, or to one that is started for this in a temporary folder."""
    environment = own.environment
    if running_daemon() is not None:
        problem = greet_daemon(environment)
        state = "running, and answers"
    else:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as trial:
            problem = greet_daemon(environment, DREAMLAYER_HOME=trial)
            environment.run("-m", "dreamlayer", "stop", DREAMLAYER_HOME=trial)
        state = "not running, but starts when needed, and answers"
    if problem is None:
        return True, f"Daemon: {state}"
    return False, f"Daemon: {problem} Perhaps {AGAIN}"


def _plugins(checkout: Path, own: Own, machine: Machine) -> Iterator[CheckResult]:
    msgpack = own.environment.package("msgpack")
    if msgpack is None:
        yield (
            False,
            f"msgpack is missing from {own.environment.folder}: delete that folder, then {AGAIN}",
        )
        return
    kritas, gimps = places.kritas(machine), places.gimps(machine)
    for krita in kritas:
        try:
            yield _compared(krita.name, copying.krita_differences(checkout, krita.data, msgpack))
            if kritarc.enabled(krita.settings):
                yield True, f"{krita.name}: the plug-in is enabled in {krita.settings}"
            else:
                yield False, f"{krita.name}: the plug-in is not enabled: close Krita, then {AGAIN}"
        except InstallError as error:
            yield False, f"{krita.name}: {error}"
    for gimp in gimps:
        try:
            yield _compared(gimp.name, copying.gimp_differences(checkout, gimp.profile, msgpack))
        except InstallError as error:
            yield False, f"{gimp.name}: {error}"
    for new in places.new_gimps(machine):
        yield (
            False,
            f"{new.name}: has never been started, so it does not have the plug-in yet: {AGAIN}",
        )
    for hint in places.hints(machine):
        yield True, hint
    if not kritas and not gimps:
        yield True, "Neither Krita nor GIMP 3 was found: only the command line is available"


def _compared(name: str, differences: list[str]) -> CheckResult:
    if not differences:
        return True, f"{name}: the plug-in is installed and up to date"
    more = f" and {len(differences) - 1} more" if len(differences) > 1 else ""
    return (
        False,
        f"{name}: the plug-in differs from this source tree ({differences[0]}{more}): {AGAIN}",
    )
