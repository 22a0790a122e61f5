"""Whether lock files are complete: everything that their packages need is pinned, too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from packaging.requirements import Requirement

from install.locking.pins import Pin
from install.locking.targets import Target

Requires = Mapping[str, Sequence[str]]  # what a package needs, by `name==version`


def normal(name: str) -> str:
    """A package's name as the lock files spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def key(pin: Pin) -> str:
    """Where the requirements of a package are found: those of PyTorch's builds are alike."""
    return f"{pin.name}=={pin.version.partition('+')[0]}"


def missing(
    pins: Mapping[str, Pin], target: Target, requires: Requires, more: Iterable[str] = ()
) -> list[str]:
    """The complaints about a set of pins, sentences.

    Args:
        pins: by name, those that hold on this system and Python
        requires: of every package
        more: requirements besides
    """
    queue = [*more, *(f"{pin.name}=={pin.version}" for pin in pins.values())]
    seen: set[str] = set()
    complaints = []
    while queue:
        text = queue.pop()
        if text in seen:
            continue
        seen.add(text)
        wanted = Requirement(text)
        if wanted.marker and not target.meets(str(wanted.marker)):
            continue
        pin = pins.get(normal(wanted.name))
        if pin is None:
            complaints.append(f"{wanted} is not pinned for {target}.")
        elif not wanted.specifier.contains(pin.version, prereleases=True):
            complaints.append(f"{pin.name} {pin.version} is no {wanted} for {target}.")
        elif key(pin) not in requires:
            complaints.append(f"Nothing is known of what {key(pin)} needs.")
        else:
            queue.extend(needs(requires[key(pin)], target, wanted.extras))
    return complaints


def needs(requires: Iterable[str], target: Target, extras: Iterable[str]) -> list[str]:
    """What a package needs on a system and Python, as requirements without markers."""
    found = []
    for text in requires:
        wanted = Requirement(text)
        marker = str(wanted.marker or "")
        if any(target.meets(marker, extra) for extra in ("", *extras)):
            wanted.marker = None
            found.append(str(wanted))
    return found
