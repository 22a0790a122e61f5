"""The stand-in for Windows is made of what the project pins; the rest: python -m tests.windows."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tests.windows import steps

HERE = Path(__file__).parent
PIN = re.compile(r"^([\w-]+)==([\w.]+) \\\n    --hash=sha256:[0-9a-f]{64}$", re.MULTILINE)


def test_the_packages_in_windows_are_those_that_the_project_pins() -> None:
    project = (HERE.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    dependencies = project.partition("\ndependencies = [")[2].partition("\n]")[0]
    lines = [line for line in dependencies.splitlines() if "python_version < '3.11'" not in line]
    listed = (HERE / "requirements.txt").read_text(encoding="utf-8")
    there = {name.replace("_", "-"): version for name, version in PIN.findall(listed)}
    assert len(there) == listed.count("==")
    ours = dict(re.findall(r'"([\w-]+)==([\w.]+)', "\n".join(lines)))
    assert len(ours) >= 10
    assert {name: there.get(name) for name in ours} == ours


def test_a_picture_is_compared_in_decibels() -> None:
    a = np.full((4, 4, 3), 100, np.uint8)
    assert steps.psnr(a, a) == np.inf
    assert round(steps.psnr(a, a + np.uint8(1)), 1) == 48.1
