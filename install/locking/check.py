"""Tries the lock files on every system and Python: is every wheel there, and nothing missing?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from install.locking.pins import LOCKED, Pin, read
from install.locking.targets import PYTHONS, TARGETS, LockTarget
from install.locking.tools import LockingTools


def check(tools: LockingTools) -> list[str]:
    """The complaints, with the system and Python."""
    complaints = []
    for target in TARGETS:
        print(target, flush=True)
        for pins in _sets(target):
            if refusal := tools.refusal(pins, target):
                complaints.append(f"{target}: {refusal}")
    return complaints


def coverage() -> dict[str, dict[str, list[str]]]:
    """The Pythons for which each build of PyTorch is locked, by build and system."""
    text = (LOCKED / "coverage.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, list[str]]] = json.loads(text)
    return found


def _sets(target: LockTarget) -> Iterable[Sequence[Pin]]:
    libraries = read("libraries.txt")
    yield [*libraries, *read("torch-pypi.txt"), *read("models.txt")]
    if target.python != PYTHONS[0]:  # for which ONNX Runtime has no wheel
        yield [*libraries, *read("torch-pypi.txt"), *read("webgpu.txt")]
    yield read("build.txt")
    if target.system.sys_platform == "linux":  # what is in PyTorch's own index can't be asked for
        yield [*libraries, *(pin for pin in read("torch-cu126.txt") if "torch" not in pin.name)]
