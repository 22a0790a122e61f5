"""Whether a plug-in lacks the program that dreams, and what the user can do about it there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .. import discovery

ARCHIVE = "setup.zip"  # in the plug-in's folder, if that came from a zip
MISSING = (
    "Dreamlayer is not installed yet: the plug-in is here, but the program that dreams is not."
)
HERE = "Install… fetches and installs it."
OUTSIDE = (
    "It can't be installed from here, as this program runs in a sandbox: download Dreamlayer's"
    " archive for your system, unpack it, and start the installer in it."
)
ELSEWHERE = (
    "Download Dreamlayer's archive for your system from where you got the plug-in, unpack it, and"
    " start the installer in it."
)
WHAT = (
    "PyTorch and other libraries are fetched from the internet: 0.4 GB, or up to 3 GB if this"
    " computer has a graphics card that can dream; a Python, too, if there is none that fits. The"
    " first lines say how much it is.\n\n"
    "They go into {}, and the plug-ins into Krita and GIMP. Nothing else changes, and it needs no"
    " administrator. It takes some minutes; you can go on working meanwhile."
)


@dataclass(frozen=True)
class SetupOffer:
    """What is missing, and what to do, in words; `archive`: what can be installed from here."""

    sentence: str
    archive: Path | None = None


def look(plugin: Path) -> SetupOffer | None:
    """What to offer; None if a daemon can be started, or runs.

    Also None in a Snap, which can't see whether there is one: there `launch.py` leaves a wish for
    it outside, and says what to do if nobody fulfils it.

    Args:
        plugin: the folder of the plug-in.
    """
    running = discovery.find()
    runs = running is not None and not running.has_ended
    if discovery.launch_command() or runs or discovery.snap():
        return None
    if discovery.is_sandboxed():
        return SetupOffer(f"{MISSING} {OUTSIDE}")
    archive = plugin / ARCHIVE
    if not archive.is_file():
        return SetupOffer(f"{MISSING} {ELSEWHERE}")
    return SetupOffer(f"{MISSING} {HERE}", archive)


def what() -> str:
    """What an installation fetches and changes, for the user to read before."""
    try:
        return WHAT.format(discovery.home())
    except discovery.NoFolder as error:
        return str(error)
