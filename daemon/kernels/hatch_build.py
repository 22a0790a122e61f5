"""Compiles the kernel while Dreamlayer is built, if there is a C++ compiler.

Without a compiler, or if compiling fails, Dreamlayer is built without the kernel: everything works,
but slower. The library depends on the system and the processor only, not on Python or torch.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags

HERE = Path(__file__).resolve().parent
FOLDER = Path("dreamlayer/networks/executors/kernel")
PLACE = FOLDER / ("dreamkernel.dll" if os.name == "nt" else "dreamkernel.so")

COMMON = (
    "-std=c++17", "-O3", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden",
    "-fno-math-errno",
    # Sums must round in the same way in all functions that they are compiled into.
    "-ffp-contract=off",
)  # fmt: skip
VARIANTS = {"portable": ()}
X86_VARIANTS = {
    "avx2": ("-DVARIANT_AVX2", "-mavx2", "-mfma"),
    "avx512": (
        "-DVARIANT_AVX512", "-mavx2", "-mfma", "-mavx512f", "-mavx512bw", "-mavx512dq",
        "-mavx512vl", "-mprefer-vector-width=512",
    ),
}  # fmt: skip


class NotCompiled(Exception):
    """The library could not be compiled; the message is a sentence that says why."""


class KernelHook(BuildHookInterface[Any]):  # type: ignore[misc, unused-ignore]
    """Adds the library to the wheel, or, for an editable installation, to the sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the library, and add it to the build if that succeeded."""
        editable = version == "editable"
        folder = HERE.parent if editable else Path(tempfile.mkdtemp())
        library = folder / PLACE
        library.parent.mkdir(parents=True, exist_ok=True)
        library.unlink(missing_ok=True)  # no library is better than one of other sources
        self._temporary = None if editable else folder
        try:
            compile_library(library)
        except NotCompiled as reason:
            self.app.display_warning(f"Dreamlayer will work, but slower: {reason}")
            return
        if not editable:
            build_data["force_include"][str(library)] = PLACE.as_posix()
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{_system()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary library, which is in the wheel now."""
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)


def compile_library(library: Path) -> None:
    """Compile the kernel into a file; NotCompiled on failure."""
    compiler = _compiler()
    x86 = platform.machine().lower() in {"x86_64", "amd64"} and sys.maxsize > 2**32
    shared = [] if os.name == "nt" else ["-fPIC"]
    linking = ["-static"] if os.name == "nt" else []
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for name, options in {**VARIANTS, **(X86_VARIANTS if x86 else {})}.items():
            part = Path(folder, f"{name}.o")
            own = [*options, f"-DVARIANT={name}", "-c", str(HERE / "variant.cpp"), "-o", str(part)]
            _call([compiler, *COMMON, *shared, *own])
            parts.append(str(part))
        own = ["-DWITH_X86"] if x86 else []
        sources = [str(HERE / "library.cpp"), *parts]
        # Under another name first: a daemon may have the old library loaded.
        new = library.with_suffix(".new")
        _call([compiler, *COMMON, *shared, *own, "-shared", *sources, *linking, "-o", str(new)])
        new.replace(library)


def _compiler() -> str:
    """The C++ compiler that the environment variable CXX names, or the first available one."""
    requested = os.environ.get("CXX")
    for name in [requested] if requested else ["c++", "g++", "clang++"]:
        path = shutil.which(name)
        if path:
            return path
    raise NotCompiled("there is no C++ compiler (g++ or clang++) to compile its kernel.")


def _call(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotCompiled(f"the C++ compiler does not work: {error}.") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or [done.stderr]
        raise NotCompiled(f"its kernel could not be compiled: {lines[0].strip()}")


def _system() -> str:
    """The tag of the system and processor that the library runs on, as in a wheel's name."""
    names = (tag.platform for tag in sys_tags())
    return next(name for name in names if not name.startswith(("manylinux", "musllinux")))
