"""The lock files: complete for every system and Python, hashed, and of the project's versions."""

import json
import re
from pathlib import Path

import pytest
import tomllib
from packaging.requirements import Requirement

from install.locking.builds import SOURCES, harvests
from install.locking.check import coverage
from install.locking.pins import LOCKED, Pin, chosen, read
from install.locking.targets import PYTHONS, SYSTEMS, TARGETS, LockTarget

FILES = sorted(path.name for path in LOCKED.glob("*.txt"))
PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
HASH = re.compile("[0-9a-f]{64}")
CPU_WHEEL = "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl"
CPU_SHA256 = "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"  # of the file


def each_target() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("target", TARGETS, ids=str)


def normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def pins(build: str, target: LockTarget) -> dict[str, Pin]:
    return chosen([*read("libraries.txt"), *read(f"torch-{build}.txt")], target)


@each_target()
def test_what_the_project_asks_for_is_locked_in_that_version(target: LockTarget) -> None:
    for build, systems in coverage().items():
        if target.python in systems[target.system.name]:
            locked = pins(build, target)
            for text in PROJECT["project"]["dependencies"]:
                wanted = Requirement(text)
                if target.meets(str(wanted.marker or "")):
                    assert wanted.specifier.contains(locked[normal(wanted.name)].version), build


def test_single_releases_of_python_are_not_refused() -> None:
    odd = LockTarget(SYSTEMS[0], "3.14", patch=1)
    assert pins("pypi", odd)["networkx"].version < "3.6"  # newer ones refuse 3.14.1
    assert pins("pypi", LockTarget(SYSTEMS[0], "3.14", patch=2))["networkx"].version >= "3.6"


@pytest.mark.parametrize("name", FILES)
def test_every_pin_has_hashes_and_no_file_names_a_host(name: str) -> None:
    for pin in read(name):
        assert pin.hashes and all(HASH.fullmatch(digits) for digits in pin.hashes), pin.name
    assert "://" not in (LOCKED / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FILES)
def test_no_package_is_pinned_twice_anywhere(name: str) -> None:
    for target in TARGETS:
        chosen(read(name), target)  # raises if one is


def test_the_extras_and_the_build_are_locked_at_the_projects_versions() -> None:
    project = PROJECT["project"]["optional-dependencies"]
    wanted = {
        "models.txt": project["efficientnet"],
        "tests.txt": project["test"],
        "cross.txt": [one for one in project["build"] if not one.startswith("hatchling")],
        "webgpu.txt": project["webgpu"],
        "build.txt": PROJECT["build-system"]["requires"],
    }
    for name, requirements in wanted.items():
        locked = {pin.name: pin.version for pin in read(name)}
        for text in requirements:
            requirement = Requirement(text)
            assert requirement.specifier.contains(locked[normal(requirement.name)]), text


def test_the_usual_builds_are_locked_for_every_python() -> None:
    covered = coverage()
    for system in SYSTEMS:
        assert covered["pypi"][system.name] == list(PYTHONS)
        if system.sys_platform != "darwin":
            for build in ("cpu", "cu126", "cu130"):
                assert covered[build][system.name] == list(PYTHONS), (build, system)


def test_the_processors_wheel_of_linux_is_allowed() -> None:
    (cpu,) = [harvest for harvest in harvests() if harvest.name == "cpu"]
    assert cpu.hashes[CPU_WHEEL] == CPU_SHA256
    assert CPU_SHA256 in pins("cpu", LockTarget(SYSTEMS[0], "3.11"))["torch"].hashes


def test_a_hash_with_one_source_is_not_used() -> None:
    data = json.loads((LOCKED / "pytorch.json").read_text(encoding="utf-8"))
    lone = {
        entry["sha256"]
        for build in data["builds"].values()
        for entry in build["files"].values()
        if entry["sources"] < SOURCES
    }
    used = {digits for name in FILES for pin in read(name) for digits in pin.hashes}
    assert lone and lone.isdisjoint(used)
