"""The installation from end to end, told to a person at a terminal."""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from install import checkup, hosts, kritarc, places, removal
from install.command_link import link_command
from install.environment import build, clean_environ
from install.errors import InstallError
from install.manifest import write_manifest
from install.own import Own, greet_daemon, stop_daemon
from install.places import GimpPlace, KritaPlace, Machine, NewGimp

SAMPLE = Path("tests", "pictures", "chelsea.png")
SAMPLE_SEED = "7"
GIMP_START_TIMEOUT = 180.0  # seconds for GIMP's first start


def main(checkout: Path, arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # consoles of other encodings show a "?" for "…"
    options = _options(arguments)
    own, machine = Own.of_this_user(), Machine()
    try:
        if options.uninstall:
            removal.uninstall(own, machine)
            return 0
        if options.check:
            return checkup.check(checkout, own, machine)
        return _install(checkout, own, machine, options.dream)
    except InstallError as error:
        print(f"\n{error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nStopped. Run install.py again to go on.", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"\n{_sentence(error)}", file=sys.stderr)
    return 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="install.py",
        description="Install Dreamlayer for this user, or bring it up to date, and dream a sample.",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--dream", metavar="PICTURE", type=Path, help="install if need be, then dream PICTURE"
    )
    which.add_argument(
        "--check", action="store_true", help="say what is installed and whether it works"
    )
    which.add_argument(
        "--uninstall", action="store_true", help="remove all that was installed, nothing else"
    )
    return parser.parse_args(arguments)


def _install(checkout: Path, own: Own, machine: Machine, picture: Path | None) -> int:
    if picture is not None and not picture.is_file():
        raise InstallError(f"There is no picture {picture}: give the path of one after --dream.")
    if os.environ.get("SUDO_USER", "root") != "root":
        print("Installing for root; without sudo it would be for you, which is what you may want.")
    own.make()
    current = own.environment.is_current(checkout)
    if current:
        print(f"Dreamlayer's environment is up to date: {own.environment.folder}", flush=True)
    else:
        stop_daemon(own.environment)
        build(own.environment, checkout, own.pip_log)
    own.write_launcher()
    kritas, gimps, problems = _put_plugins(checkout, own, machine)
    write_manifest(own, kritas, gimps)
    link = link_command(own.environment, machine)
    if current and picture is None and own.sample.is_file():
        _start(own)
        result = own.sample
    else:
        result = _dream(checkout, own, picture)
    _tell(own, result, kritas, gimps, link, machine)
    for problem in problems:
        print(f"\n{problem}", file=sys.stderr)
    return 1 if problems else 0


def _put_plugins(
    checkout: Path, own: Own, machine: Machine
) -> tuple[list[KritaPlace], list[GimpPlace], list[str]]:
    """Put the plug-ins into every host; returns those that have it, and what went wrong."""
    msgpack = own.environment.package("msgpack")
    if msgpack is None:
        raise InstallError(
            f"Dreamlayer's environment is incomplete: delete {own.environment.folder},"
            " then run install.py again."
        )
    problems: list[str] = []
    kritas, gimps = [], []
    for new in places.new_gimps(machine):
        _make_profile(new)
    for krita in places.kritas(machine):
        try:
            _put_into_krita(checkout, krita, msgpack, machine)
            kritas.append(krita)
        except InstallError as error:
            problems.append(f"{krita.name}: {error}")
    for gimp in places.gimps(machine):
        try:
            if hosts.gimp_differences(checkout, gimp.profile, msgpack):
                hosts.install_gimp(checkout, gimp.profile, msgpack)
            print(f"{gimp.name}: the plug-in is in {gimp.profile / 'plug-ins'}", flush=True)
            gimps.append(gimp)
        except InstallError as error:
            problems.append(f"{gimp.name}: {error}")
    return kritas, gimps, problems


def _put_into_krita(checkout: Path, krita: KritaPlace, msgpack: Path, machine: Machine) -> None:
    if hosts.krita_differences(checkout, krita.data, msgpack):
        hosts.install_krita(checkout, krita.data, msgpack)
    print(f"{krita.name}: the plug-in is in {krita.data / 'pykrita'}", flush=True)
    if kritarc.enable(krita.settings) and places.is_running("krita", machine):
        print(
            "  Krita is running and may write its settings over this: if Deep Dream… is missing"
            " after its next start, close it and run install.py again."
        )


def _make_profile(new: NewGimp) -> None:
    """Let a GIMP that was never started make its profile.

    It takes the user's settings over from an older GIMP then, which it would not do if it found
    the folder made already. So the folder is only made by us if there are no such settings.
    """
    print(f"Starting {new.name} for a moment, so that it makes its profile", flush=True)
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            [new.program, "--no-interface", "--no-data", "--no-fonts", "--quit"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=clean_environ(),
            timeout=GIMP_START_TIMEOUT,
            check=False,
        )
    if new.profile.is_dir():
        return
    older = new.profile.parent.is_dir() and any(new.profile.parent.iterdir())
    if older:
        print(f"  It did not: start {new.name} once yourself, then run install.py again.")
    else:
        new.profile.mkdir(parents=True)


def _start(own: Own) -> None:
    trouble = greet_daemon(own.environment)
    if trouble is not None:
        raise InstallError(trouble)
    print("The daemon runs and answers", flush=True)


def _dream(checkout: Path, own: Own, picture: Path | None) -> Path:
    """Dream through the command that people use; the daemon is started by it."""
    print(f"Dreaming {picture or 'the sample picture'}", flush=True)
    source = picture or checkout / SAMPLE
    result = _free_name(picture) if picture else own.sample
    seed = [] if picture else ["--seed", SAMPLE_SEED]
    if own.environment.show("-m", "dreamlayer", "dream", source, "-o", result, *seed) != 0:
        raise InstallError(
            "Dreamlayer is installed, but this dream failed for the reason above."
            f" The daemon's log is {own.home / 'daemon.log'};"
            f" {_typed(own.environment.script)} doctor tells more."
        )
    return result.absolute()


def _free_name(picture: Path) -> Path:
    """NAME-dream.png in the current folder, or NAME-dream-2.png and so on."""
    names = (f"{picture.stem}-dream{f'-{i}' if i > 1 else ''}.png" for i in range(1, 10_000))
    return next(Path(name) for name in names if not Path(name).exists())


def _tell(
    own: Own,
    result: Path,
    kritas: Sequence[KritaPlace],
    gimps: Sequence[GimpPlace],
    link: Path | None,
    machine: Machine,
) -> None:
    print(f"\nDreamlayer is installed, and here is its dream:\n  {result}\n\nHow to go on:")
    if kritas:
        print(
            "  Krita         Restart it and open a picture: Filter ▸ Deep Dream…"
            " (or Tools ▸ Scripts);\n"
            "                the docker is under Settings ▸ Dockers ▸ Deep Dream."
        )
    if gimps:
        print("  GIMP          Restart it and open a picture: Filters ▸ Artistic ▸ Deep Dream…")
    print(f"  Command line  {_typed(link or own.environment.script)} dream PICTURE -o DREAM.png")
    print("  Later         install.py again brings all up to date; --check, --uninstall;")
    print("                if something is amiss: dreamlayer doctor")
    if not kritas and not gimps:
        print("\nNo Krita and no GIMP 3 was found: install one of them, then run this again.")
    for hint in places.hints(machine):
        print(f"\n{hint}")


def _typed(program: Path) -> str:
    """A program's path as one types it."""
    return f'"{program}"' if os.name == "nt" else shlex.quote(str(program))


def _sentence(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full{where}: make room, then run install.py again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"A file can't be written{where}: make it writable, then run install.py again."
    return f"{error.strerror or error}{where}: mend that, then run install.py again."
