"""Write the lock files, then try them on every system and Python: minutes."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from install.locking.builds import GENERAL, GENERAL_ON_LINUX, TORCH, coverage, harvests, pins_of
from install.locking.check import check
from install.locking.pins import LOCKED, Pin, parse, write
from install.locking.project import Project, read_project
from install.locking.targets import PYTHONS, SYSTEMS, TARGETS
from install.locking.tools import LockingTools, fresh_tools

EDITABLE = "editables"  # what the build backend asks for in an editable installation
ODD = (
    "networkx<3.6 ; python_full_version == '3.14.1'",  # which newer ones refuse
)
EXTRAS = {  # the lock file of each, and the oldest Python that it is for
    "efficientnet": ("models.txt", PYTHONS[0]),
    "build": ("cross.txt", PYTHONS[0]),
    "test": ("tests.txt", "3.11"),  # grimp's, which checks the imports
    "webgpu": ("webgpu.txt", "3.11"),  # ONNX Runtime's
}
ADDED = ("efficientnet", "webgpu")  # extras that are added where nothing is built


def main() -> int:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(prog="python -m install.locking", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only check what there is")
    parser.add_argument("--upgrade", action="store_true", help="take newer transitive packages")
    options = parser.parse_args()
    with fresh_tools() as tools:
        if not options.check:
            lock(tools, read_project(Path(__file__).resolve().parents[2]), options.upgrade)
        complaints = check(tools)
    print("\n".join(complaints) or "Every wheel is there and locked, and nothing is missing.")
    return 1 if complaints else 0


def lock(tools: LockingTools, project: Project, upgrade: bool) -> None:
    """Write all lock files."""
    old = _old_pins()
    everything = tools.lock([*project.dependencies, *ODD], old, upgrade)
    torch = {pin.name: pin for pin in everything if pin.name in TORCH}
    libraries = [pin for pin in everything if pin.name not in TORCH and _is_general(pin)]
    only_linux = [pin for pin in everything if pin.name not in TORCH and not _is_general(pin)]
    write("libraries.txt", "What Dreamlayer needs, but for PyTorch's builds", libraries)
    general = "PyTorch as the general package index has it"
    exact = [replace(pin, equals="===") for pin in torch.values()]
    write(f"torch-{GENERAL}.txt", general, [*exact, *only_linux])
    covered = {GENERAL: {system.name: list(PYTHONS) for system in SYSTEMS}}
    for harvest in harvests():
        covered[harvest.name] = coverage(harvest)
        if not any(covered[harvest.name].values()):
            continue
        needed = (
            only_linux
            if harvest.name == GENERAL_ON_LINUX
            else _needed(tools, harvest.requires, libraries)
        )
        title = f"PyTorch's build {harvest.name}, where coverage.json has it"
        write(f"torch-{harvest.name}.txt", title, [*pins_of(harvest, torch), *needed])
    text = json.dumps(covered, indent=2) + "\n"
    (LOCKED / "coverage.json").write_text(text, encoding="utf-8", newline="\n")
    build = tools.lock([*project.build, EDITABLE], old, upgrade)
    write("build.txt", "What builds Dreamlayer from a checkout", build)
    for extra, (name, oldest) in EXTRAS.items():
        asked = [*project.dependencies, *ODD, *project.extras[extra]]
        pins = tools.lock(asked, [*everything, *old], oldest=oldest)
        others = everything if extra in ADDED else [*everything, *build]
        write(name, f"What the extra `{extra}` adds", _without(pins, others))


def _old_pins() -> list[Pin]:
    extras = [name for name, _ in EXTRAS.values()]
    paths = [LOCKED / name for name in ("libraries.txt", "torch-pypi.txt", "build.txt", *extras)]
    return [pin for path in paths if path.exists() for pin in parse(path.read_text("utf-8"))]


def _is_general(pin: Pin) -> bool:
    """Whether a package is needed on other systems than Linux too, so by every build of PyTorch."""
    return any(
        replace(target, patch=patch).meets(pin.marker)
        for target in TARGETS
        for patch in (1, 9)
        if target.system.sys_platform != "linux"
    )


def _needed(tools: LockingTools, requires: Sequence[str], libraries: list[Pin]) -> list[Pin]:
    return _without(tools.lock(requires, libraries), libraries) if requires else []


def _without(pins: list[Pin], others: list[Pin]) -> list[Pin]:
    names = {pin.name for pin in others}
    return [pin for pin in pins if pin.name not in names]


if __name__ == "__main__":
    sys.exit(main())
