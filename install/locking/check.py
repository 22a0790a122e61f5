"""Compares the lock files with the package index: is every wheel there, allowed, and complete?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from packaging.specifiers import SpecifierSet

from install.locking.closure import Requires, missing, needs, normal
from install.locking.pins import LOCKED, Pin, chosen, read
from install.locking.targets import TARGETS, Target
from install.locking.tools import Tools, Wheel

COMMON = ("libraries.txt", "torch-pypi.txt", "build.txt", "pip.txt", "models.txt")
PATCHES = 30  # more releases than a Python gets
EXTRAS = ("cublas", "cudart", "cufft", "cufile", "cupti", "curand", "cusolver", "cusparse",
          "nvjitlink", "nvrtc", "nvtx")  # fmt: skip


def check(tools: Tools) -> list[str]:
    """The complaints, sentences; writes requires.json, which the tests read without a network."""
    requires: dict[str, set[str]] = {}
    complaints = []
    for target in TARGETS:
        print(target, flush=True)
        for pins in _sets(target):
            wheels = tools.wheels(pins.values(), target)
            complaints += _unfit(wheels, pins, target)
            complaints += _refused(wheels, pins, target)
            for wheel in wheels:
                name = f"{normal(wheel.name)}=={wheel.version}"
                requires.setdefault(name, set()).update(_kept(wheel.requires))
    known = {name: sorted(texts) for name, texts in sorted(requires.items())}
    path = LOCKED / "requires.json"
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8", newline="\n")
    return complaints + [text for target in TARGETS for text in gaps(target, known)]


def gaps(target: Target, requires: Requires) -> list[str]:
    """What the lock files lack on a system and Python, sentences."""
    libraries, covered = read("libraries.txt"), coverage()
    complaints = []
    for build, systems in covered.items():
        if target.python not in systems[target.system.name]:
            continue
        pins = chosen([*libraries, *read(f"torch-{build}.txt")], target)
        # What PyTorch's builds need besides is in pytorch.json, and the rest is alike.
        own = {name: pin for name, pin in pins.items() if "+" in pin.version}
        plain = {
            text: [line for line in lines if not own or not _is_of_general_build(text, line)]
            for text, lines in requires.items()
        }
        complaints += missing(pins, target, plain, _besides(build, target))
    return complaints


def coverage() -> dict[str, dict[str, list[str]]]:
    """The Pythons for which each build of PyTorch is locked, by build and system."""
    found: dict[str, dict[str, list[str]]] = json.loads(
        (LOCKED / "coverage.json").read_text("utf-8")
    )
    return found


def _besides(build: str, target: Target) -> list[str]:
    data = json.loads((LOCKED / "pytorch.json").read_text(encoding="utf-8"))
    return needs(data["builds"].get(build, {}).get("requires", []), target, ())


def _is_of_general_build(package: str, line: str) -> bool:
    return package.startswith("torch==") and "Linux" in line


def _sets(target: Target) -> Iterable[Mapping[str, Pin]]:
    first: dict[str, Pin] = {}
    for name in COMMON:
        first |= chosen(read(name), target)
    yield first
    cuda = [pin for pin in read("torch-cu126.txt") if "+" not in pin.version]
    second = {name: pin for name, pin in chosen(cuda, target).items() if first.get(name) != pin}
    if target.system.sys_platform == "linux":
        yield second


def _unfit(wheels: Iterable[Wheel], pins: Mapping[str, Pin], target: Target) -> list[str]:
    return [
        f"The wheel of {wheel.name} {wheel.version} for {target} is not among the locked ones."
        for wheel in wheels
        if wheel.sha256 not in pins[normal(wheel.name)].hashes
    ]


def _refused(wheels: Iterable[Wheel], pins: Mapping[str, Pin], target: Target) -> list[str]:
    """Some packages refuse single releases of Python, e.g. networkx 3.7 does 3.14.1."""
    return [
        f"{wheel.name} {wheel.version} refuses Python {target.python}.{patch}."
        for wheel in wheels
        for patch in range(PATCHES)
        if not SpecifierSet(wheel.requires_python).contains(f"{target.python}.{patch}")
        and replace(target, patch=patch).meets(pins[normal(wheel.name)].marker)
    ]


def _kept(requires: Iterable[str]) -> list[str]:
    """The requirements that can matter on one of the systems and Pythons."""
    return [text for text in requires if any(needs([text], target, EXTRAS) for target in TARGETS)]
