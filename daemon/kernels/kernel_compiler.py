"""Compiles the kernel: by this computer's C++ compiler for itself, by Zig's for other systems."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kernel_targets import KernelTarget

HERE = Path(__file__).resolve().parent

COMMON = (
    "-std=c++17", "-O3", "-fno-exceptions", "-fno-rtti", "-fvisibility=hidden",
    "-fno-math-errno",
    # Sums must round in the same way in all functions that they are compiled into.
    "-ffp-contract=off",
    # The same sources give the same bytes, wherever they lie.
    f"-ffile-prefix-map={HERE}=kernels",
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


@dataclass(frozen=True)
class Compiler:
    """How to compile and to link; `x86` says whether for a processor that may have AVX."""

    compiling: tuple[str, ...]
    linking: tuple[str, ...]
    last: tuple[str, ...]  # options that come behind the files to link
    x86: bool


def native_compiler() -> Compiler:
    """Return this computer's compiler, for itself; raises NotCompiled."""
    command = (_found_compiler(), *COMMON, *(() if os.name == "nt" else ("-fPIC",)))
    x86 = platform.machine().lower() in {"x86_64", "amd64"} and sys.maxsize > 2**32
    return Compiler(command, command, ("-static",) if os.name == "nt" else (), x86)


def cross_compiler(target: KernelTarget) -> Compiler:
    """Return Zig's compiler for another system; raises NotCompiled if it is not installed.

    The library gets what it needs of the compiler's own runtime, and nothing of C++'s. GCC is not
    taken for Windows: there it may read 32-byte variables on the stack as aligned when they are not
    (its bug 54412), which ends the program.
    """
    if importlib.util.find_spec("ziglang") is None:
        raise NotCompiled(
            "the compiler for other systems is not installed. Install the packages of the group"
            " `build` in pyproject.toml: pip install -r install/locked/cross.txt"
        )
    zig = (sys.executable, "-m", "ziglang")
    system = ("-target", target.triple)
    sanitizers = ("-fno-sanitize=all", "-fno-stack-protector")
    compiling = (*zig, "c++", *system, *COMMON, *sanitizers, *target.compiling)
    # Linked as C: otherwise Zig builds its C++ library first, which takes minutes.
    linking = (*zig, "cc", *system, "-s", "-nostdlib", "-rtlib=compiler-rt")
    return Compiler(compiling, linking, target.linking, target.x86)


def compile_library(library: Path, compiler: Compiler) -> None:
    """Compile the kernel into a file; raises NotCompiled."""
    variants = {**VARIANTS, **(X86_VARIANTS if compiler.x86 else {})}
    sources = {name: ("variant.cpp", f"-DVARIANT={name}", *own) for name, own in variants.items()}
    sources["library"] = ("library.cpp", *(("-DWITH_X86",) if compiler.x86 else ()))
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for name, (source, *options) in sources.items():
            part = str(Path(folder, f"{name}.o"))
            _call([*compiler.compiling, *options, "-c", str(HERE / source), "-o", part])
            parts.append(part)
        # Under its own name, which it contains; and moved at the end, as a daemon may have the old
        # one loaded.
        new = Path(folder, library.name)
        _call([*compiler.linking, "-shared", *parts, *compiler.last, "-o", str(new)])
        moved = library.with_suffix(".new")
        shutil.copy(new, moved)
        moved.replace(library)


def _found_compiler() -> str:
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
