"""What is installed and whether it works; nothing is changed."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dreamlink.client import discovery
from install import hosts, kritarc, places
from install.environment import clean_environ, pip_command
from install.errors import InstallError
from install.own import Own, greet_daemon, running_daemon
from install.places import Machine

AGAIN = "run install.py again."
Finding = tuple[bool, str]  # whether it is as it should be, and a sentence


def check(checkout: Path, own: Own, machine: Machine) -> int:
    """Print a line about each part; returns 1 if one is not as it should be, else 0."""
    good = True
    for fine, sentence in _findings(checkout, own, machine):
        print(f"{'ok ' if fine else '!! '} {sentence}", flush=True)
        good = good and fine
    if own.environment.script.exists():
        print(f"    More, and a report for a bug's: {own.environment.script} doctor")
    return 0 if good else 1


def _findings(checkout: Path, own: Own, machine: Machine) -> Iterator[Finding]:
    environment = own.environment
    if not environment.folder.exists():
        yield False, "Dreamlayer is not installed for this user: run install.py."
        return
    if not environment.works():
        yield False, f"The Python in {environment.folder} does not start any more: {AGAIN}"
        return
    if environment.is_current(checkout):
        yield True, f"Environment: {environment.folder}, of this source tree"
    else:
        yield False, f"What is in {environment.folder} is not of this source tree: {AGAIN}"
    yield _libraries(own)
    yield _launcher(own)
    yield _daemon(own)
    yield from _plugins(checkout, own, machine)


def _libraries(own: Own) -> Finding:
    """Ask pip whether every library is there in the version that the project pins."""
    command = [*pip_command(own.environment), "--disable-pip-version-check", "check"]
    done = subprocess.run(command, capture_output=True, env=clean_environ(), check=False)
    if done.returncode == 0:
        return True, "Libraries: all there, in the versions that the project names"
    words = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()
    reason = words[0].rstrip(".") if words else "pip does not work"
    return False, f"Libraries: {reason}: delete {own.environment.folder} and {AGAIN}"


def _launcher(own: Own) -> Finding:
    if discovery.launch_command() == own.start_command:
        return True, "Plug-ins know how to start the daemon"
    return False, f"{own.launcher} does not say how to start the daemon: {AGAIN}"


def _daemon(own: Own) -> Finding:
    """Greet the daemon that runs, or one that is started for that in a folder of its own."""
    environment = own.environment
    if running_daemon() is not None:
        trouble = greet_daemon(environment)
        state = "it runs and answers"
    else:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as trial:
            trouble = greet_daemon(environment, DREAMLAYER_HOME=trial)
            environment.run("-m", "dreamlayer", "stop", DREAMLAYER_HOME=trial)
        state = "it is not running, but starts when it is wanted, and answers"
    if trouble is None:
        return True, f"Daemon: {state}"
    return False, f"Daemon: {trouble} Perhaps {AGAIN}"


def _plugins(checkout: Path, own: Own, machine: Machine) -> Iterator[Finding]:
    msgpack = own.environment.package("msgpack")
    if msgpack is None:
        yield False, f"msgpack is missing from {own.environment.folder}: delete that and {AGAIN}"
        return
    kritas, gimps = places.kritas(machine), places.gimps(machine)
    for krita in kritas:
        try:
            yield _compared(krita.name, hosts.krita_differences(checkout, krita.data, msgpack))
            if kritarc.enabled(krita.settings):
                yield True, f"{krita.name}: the plug-in is enabled in {krita.settings}"
            else:
                yield False, f"{krita.name}: the plug-in is not enabled: close Krita and {AGAIN}"
        except InstallError as error:
            yield False, f"{krita.name}: {error}"
    for gimp in gimps:
        try:
            yield _compared(gimp.name, hosts.gimp_differences(checkout, gimp.profile, msgpack))
        except InstallError as error:
            yield False, f"{gimp.name}: {error}"
    for new in places.new_gimps(machine):
        yield False, f"{new.name}: never started, so the plug-in is not in it: {AGAIN}"
    for hint in places.hints(machine):
        yield True, hint
    if not kritas and not gimps:
        yield True, "No Krita and no GIMP 3 found: only the command line is there"


def _compared(name: str, differences: list[str]) -> Finding:
    if not differences:
        return True, f"{name}: the plug-in is there, as in this source tree"
    more = f" and {len(differences) - 1} more" if len(differences) > 1 else ""
    return (
        False,
        f"{name}: the plug-in is not as in this source tree ({differences[0]}{more}): {AGAIN}",
    )
