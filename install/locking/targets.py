"""The systems and Pythons that the lock files are for, as pip and environment markers see them."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.markers import Environment, Marker

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


@dataclass(frozen=True)
class System:
    """A system with a kind of processor."""

    name: str  # as in coverage.json
    sys_platform: str
    platform_system: str
    platform_machine: str
    os_name: str
    uv: str  # its name for uv
    tags: tuple[str, ...]  # what wheels of PyTorch for it are called, newest first


LINUX = (*(f"manylinux_2_{minor}" for minor in range(28, 16, -1)), "manylinux2014")
SYSTEMS = (
    System(
        "linux-x86_64", "linux", "Linux", "x86_64", "posix", "x86_64-manylinux_2_28",
        tuple(f"{tag}_x86_64" for tag in LINUX),
    ),
    System(
        "linux-aarch64", "linux", "Linux", "aarch64", "posix", "aarch64-manylinux_2_28",
        tuple(f"{tag}_aarch64" for tag in LINUX),
    ),
    System(
        "windows-x64", "win32", "Windows", "AMD64", "nt", "x86_64-pc-windows-msvc",
        ("win_amd64",),
    ),
    System(
        "macos-arm64", "darwin", "Darwin", "arm64", "posix", "aarch64-apple-darwin",
        tuple(f"macosx_{major}_0_arm64" for major in (14, 13, 12, 11)),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class LockTarget:
    """A system and a Python."""

    system: System
    python: str  # e.g. 3.12
    patch: int = 9  # the third number of its version; no pin should depend on it, but for odd ones

    @property
    def tag(self) -> str:
        """Of the Python, as in the names of wheels, e.g. cp312."""
        return "cp" + self.python.replace(".", "")

    def meets(self, marker: str, extra: str = "") -> bool:
        """Whether an environment marker holds here; an empty one does."""
        return not marker or Marker(marker).evaluate(self._environment(extra))

    def _environment(self, extra: str) -> dict[str, str]:
        known: Environment = {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.{self.patch}",
            "os_name": self.system.os_name,
            "platform_machine": self.system.platform_machine,
            "platform_release": "",
            "platform_system": self.system.platform_system,
            "platform_version": "",
            "python_full_version": f"{self.python}.{self.patch}",
            "platform_python_implementation": "CPython",
            "python_version": self.python,
            "sys_platform": self.system.sys_platform,
        }
        return {**{key: str(value) for key, value in known.items()}, "extra": extra}

    def __str__(self) -> str:
        return f"{self.system.name}, Python {self.python}"


TARGETS = tuple(LockTarget(system, python) for system in SYSTEMS for python in PYTHONS)
