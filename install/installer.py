"""The installation, with messages for a person at a terminal."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dreamlayer.cli import streams
from install import checkup, removal
from install.builds import cards, setup
from install.builds.choice import DEVICES
from install.builds.plan import plan
from install.command_link import link_command
from install.environment import clean_environ
from install.errors import InstallError, for_user
from install.hosts import copying, kritarc, places
from install.hosts.manifest import write_manifest
from install.hosts.places import GimpPlace, KritaPlace, Machine, NewGimp
from install.login import setup as login
from install.own import Own, greet_daemon
from install.packages import sources

SAMPLE = Path("tests", "pictures", "peaks.jpg")
SAMPLE_SEED = "7"
GIMP_START_TIMEOUT = 180.0  # seconds for GIMP's first start


def main(checkout: Path, arguments: Sequence[str] | None = None) -> int:
    """Run the action of the command line; returns the exit code."""
    streams.prepare()
    options = _options(arguments)
    try:
        own, machine = Own.of_this_user(), Machine()
        if options.uninstall:
            removal.uninstall(own, machine, everything=options.everything)
            return 0
        if options.check:
            return checkup.check(checkout, own, machine, cards.look())
        return _install(checkout, own, machine, options)
    except InstallError as error:
        print(for_user(f"\n{error}"), file=sys.stderr)
    except KeyboardInterrupt:
        print(for_user("\nInterrupted. Run install.py again to continue."), file=sys.stderr)
        return 130
    except OSError as error:
        print(for_user(f"\n{_sentence(error)}"), file=sys.stderr)
    return 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="install.py",
        description="Install or update Dreamlayer for this user, and dream on a sample picture.",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--dream", metavar="PICTURE", type=Path, help="install if necessary, then dream on PICTURE"
    )
    which.add_argument(
        "--check", action="store_true", help="report what is installed and whether it works"
    )
    which.add_argument(
        "--uninstall",
        action="store_true",
        help="remove everything that was installed; settings and networks of your own are kept",
    )
    parser.add_argument(
        "--everything",
        action="store_true",
        help="with --uninstall: remove settings, keys and networks of your own, too",
    )
    parser.add_argument(
        "--device",
        choices=DEVICES,
        help="what PyTorch shall compute with, also after later updates; auto, as at first, is the"
        " best graphics card that it can use",
    )
    parser.add_argument(
        "--offline",
        metavar="FOLDER",
        type=Path,
        help="take all packages from this folder, which install/build.py --wheelhouse has filled",
    )
    parser.add_argument(
        "--autostart",
        action=argparse.BooleanOptionalAction,
        help="start the daemon at each login, also after later updates; as at first, programs start"
        " it when they need it",
    )
    options = parser.parse_args(arguments)
    installs = not (options.check or options.uninstall)
    for name in ("device", "offline", "autostart"):
        if getattr(options, name) is not None and not installs:
            parser.error(f"--{name} is for installing: leave --check or --uninstall away")
    if options.everything and not options.uninstall:
        parser.error("--everything is for --uninstall")
    return options


def _install(checkout: Path, own: Own, machine: Machine, options: argparse.Namespace) -> int:
    picture: Path | None = options.dream
    if picture is not None and not picture.is_file():
        raise InstallError(f"There is no picture {picture}: give its path after --dream.")
    if options.offline and not options.offline.is_dir():
        raise InstallError(f"There is no folder {options.offline}: give its path after --offline.")
    if os.environ.get("SUDO_USER", "root") != "root":
        print("Installing for root. To install for yourself, run it without sudo.")
    source = sources.of_folder(options.offline.resolve()) if options.offline else None
    planned = plan(checkout, own, cards.look(), options.device, source)
    own.make()
    current = setup.carry_out(planned)
    if current:
        print(f"Dreamlayer's environment is up to date: {own.environment.folder}", flush=True)
    own.write_launcher()
    kritas, gimps, problems = _install_plugins(checkout, own, machine)
    write_manifest(own, kritas, gimps)
    problems += login.arrange(own, machine, options.autostart)
    link = link_command(own.environment, machine)
    if current and picture is None and own.sample.is_file():
        _start(own)
        result = own.sample
    else:
        result = _dream(checkout, own, picture)
    _print_summary(own, result, kritas, gimps, link, machine)
    for problem in problems:
        print(for_user(f"\n{problem}"), file=sys.stderr)
    return 1 if problems else 0


def _install_plugins(
    checkout: Path, own: Own, machine: Machine
) -> tuple[list[KritaPlace], list[GimpPlace], list[str]]:
    """Install the plug-in into every host; returns the hosts that have it, and problems."""
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
            _install_into_krita(checkout, krita, msgpack, machine)
            kritas.append(krita)
        except InstallError as error:
            problems.append(f"{krita.name}: {error}")
    for gimp in places.gimps(machine):
        try:
            if copying.gimp_differences(checkout, gimp.profile, msgpack):
                copying.install_gimp(checkout, gimp.profile, msgpack)
            print(f"{gimp.name}: the plug-in is in {gimp.profile / 'plug-ins'}", flush=True)
            gimps.append(gimp)
        except InstallError as error:
            problems.append(f"{gimp.name}: {error}")
    return kritas, gimps, problems


def _install_into_krita(checkout: Path, krita: KritaPlace, msgpack: Path, machine: Machine) -> None:
    if copying.krita_differences(checkout, krita.data, msgpack):
        copying.install_krita(checkout, krita.data, msgpack)
    print(f"{krita.name}: the plug-in is in {krita.data / 'pykrita'}", flush=True)
    if kritarc.enable(krita.settings) and places.is_running("krita", machine):
        print(
            for_user(
                "  Krita is running and may overwrite this setting: if Deep Dream… is missing after"
                " its next start, close Krita and run install.py again."
            )
        )


def _make_profile(new: NewGimp) -> None:
    """Start a GIMP that has never been started, so that it creates its profile.

    It then imports the user's settings from an older GIMP, which it would not do if the folder
    existed already. So the folder is created here only if there are no such settings.
    """
    print(f"Starting {new.name} briefly, so that it creates its profile", flush=True)
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
        again = for_user("run install.py again")
        print(f"  That failed: start {new.name} once yourself, then {again}.")
    else:
        new.profile.mkdir(parents=True)


def _start(own: Own) -> None:
    problem = greet_daemon(own.environment)
    if problem is not None:
        raise InstallError(problem)
    print("The daemon is running and answers", flush=True)


def _dream(checkout: Path, own: Own, picture: Path | None) -> Path:
    """Dream with the command line, which starts the daemon; returns the result's path."""
    print(f"Dreaming on {picture or 'the sample picture'}", flush=True)
    source = picture or checkout / SAMPLE
    result = _free_name(picture) if picture else own.sample
    seed = [] if picture else ["--seed", SAMPLE_SEED]
    if own.environment.show("-m", "dreamlayer", "dream", source, "-o", result, *seed) != 0:
        raise InstallError(
            "Dreamlayer is installed, but this dream failed for the reason above."
            f" The daemon's log is {own.home / 'daemon.log'};"
            f" for details run {_quoted(own.environment.script)} doctor."
        )
    return result.absolute()


def _free_name(picture: Path) -> Path:
    """NAME-dream.png in the current folder, or NAME-dream-2.png and so on."""
    names = (f"{picture.stem}-dream{f'-{i}' if i > 1 else ''}.png" for i in range(1, 10_000))
    return next(Path(name) for name in names if not Path(name).exists())


def _print_summary(
    own: Own,
    result: Path,
    kritas: Sequence[KritaPlace],
    gimps: Sequence[GimpPlace],
    link: Path | None,
    machine: Machine,
) -> None:
    print(f"\nDreamlayer is installed. Its first dream:\n  {result}\n\nNext steps:")
    if kritas:
        print(
            "  Krita         Restart it and open a picture: Filter ▸ Deep Dream…"
            " (or Tools ▸ Scripts);\n"
            "                the docker is under Settings ▸ Dockers ▸ Deep Dream."
        )
    if gimps:
        print("  GIMP          Restart it and open a picture: Filters ▸ Artistic ▸ Deep Dream…")
    print(f"  Command line  {_quoted(link or own.environment.script)} dream PICTURE -o DREAM.png")
    again = for_user("Run install.py again to update; see also --check and --uninstall.")
    print(f"  Later         {again}")
    print("                If something does not work: dreamlayer doctor")
    if not kritas and not gimps:
        again = for_user("run install.py again")
        print(f"\nNeither Krita nor GIMP 3 was found: install one, then {again}.")
    for hint in places.hints(machine):
        print(for_user(f"\n{hint}"))


def _quoted(program: Path) -> str:
    """A program's path, quoted for the shell."""
    return f'"{program}"' if os.name == "nt" else shlex.quote(str(program))


def _sentence(error: OSError) -> str:
    if error.errno is None:  # it has a sentence of its own
        return str(error)
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full{where}: free some space, then run install.py again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"A file can't be written{where}: make it writable, then run install.py again."
    return f"{error.strerror or error}{where}: fix that, then run install.py again."
