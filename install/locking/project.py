"""What pyproject.toml asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tomllib


@dataclass(frozen=True)
class Project:
    """Requirements, as they are written there."""

    dependencies: Sequence[str]
    extras: Mapping[str, Sequence[str]]
    build: Sequence[str]


def read_project(checkout: Path) -> Project:
    """The requirements of a checkout's pyproject.toml."""
    data = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    project = data["project"]
    return Project(
        project["dependencies"], project["optional-dependencies"], data["build-system"]["requires"]
    )
