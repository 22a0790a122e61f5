"""A Python for Windows with Dreamlayer in it, put together on Linux.

The parts are fetched: the interpreter's DLL and extensions from panda3d's wheel for Windows, which
carries them for programs made with it; the modules in Python from the Linux Python that runs this;
the packages that Dreamlayer needs from their wheels for Windows. Only python.exe, python3.dll and a
shim for Wine's C runtime are compiled here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import lief

from install import roots
from tests.kernels.builds import CHECKOUT

HERE = Path(__file__).parent
SOURCES = HERE / "sources"
PACKAGES = HERE / "requirements.txt"
PYTHON = (3, 11)  # the one in panda3d's wheel
# Of what that wheel carries: what begins with these is Windows' own, and Wine has it.
WINDOWS_OWN = ("api-ms-win", "VCRUNTIME", "tcl", "tk", "_tkinter")
GCC = "x86_64-w64-mingw32-gcc"
# Numpy asks Windows' C runtime for functions that Wine's does not have.
RUNTIME, SHIM = b"api-ms-win-crt-math-l1-1-0.dll", b"dreamlayer-crt-math-shim-1.dll"
LINUX_ONLY = ("site-packages", "__pycache__", "test", "tests", "lib-dynload", "config-3.11*")


class NoStandIn(RuntimeError):
    """It can't be put together; the text says why and what to do."""


def why_not() -> str | None:
    """A sentence that says why this computer can't have one; None if it can."""
    if sys.version_info[:2] != PYTHON:
        wanted = ".".join(map(str, PYTHON))
        return f"The stand-in for Windows takes modules of Python {wanted}: run it with that."
    return roots.why_not()


def made(root: Path) -> Path:
    """The folder with `python` and `packages`, all but Dreamlayer, made on the first call."""
    folder = roots.cache() / "windows" / _state()
    with roots.locked(folder.with_suffix(".lock"), print):
        if not folder.is_dir():
            print("Putting together a Python for Windows …", flush=True)
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            _put_together(unfinished, root)
            unfinished.rename(folder)
    return folder


def _state() -> str:
    files = [Path(__file__), PACKAGES, *sorted(SOURCES.iterdir())]
    contents = b"".join(path.read_bytes() for path in files)
    return hashlib.sha256(contents + sys.version.encode()).hexdigest()[:12]


def _put_together(folder: Path, root: Path) -> None:
    python, packages = folder / "python", folder / "packages"
    standard = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(standard, python / "Lib", ignore=shutil.ignore_patterns(*LINUX_ONLY))
    with tempfile.TemporaryDirectory() as fetched:
        _pip("download", "--dest", fetched)
        (carrier,) = Path(fetched).glob("panda3d-*.whl")
        _unpack_python(carrier, python)
        carrier.unlink()
        packages.mkdir()
        for wheel in sorted(Path(fetched).iterdir()):
            unpack(wheel, packages)
    _compile(python, packages, root)


def unpack(wheel: Path, packages: Path) -> None:
    """Unpack a wheel; those here have no scripts or data that would go elsewhere."""
    with zipfile.ZipFile(wheel) as file:
        file.extractall(packages)


def _pip(*action: str) -> None:
    """Let pip fetch what is listed, for Windows. Each file must have the hash that is listed."""
    which = ["--platform", "win_amd64", "--python-version", "3.11", "--only-binary", ":all:"]
    command = [sys.executable, "-m", "pip", "--quiet", *action, "--no-deps", "--require-hashes"]
    subprocess.run([*command, *which, "-r", PACKAGES], check=True)


def _unpack_python(carrier: Path, folder: Path) -> None:
    extensions = folder / "DLLs"
    extensions.mkdir()
    with zipfile.ZipFile(carrier) as file:
        for name in file.namelist():
            inside, _, base = name.rpartition("/")
            if inside != "deploy_libs" or base.startswith(WINDOWS_OWN):
                continue
            place = folder if base == "python311.dll" else extensions
            (place / base).write_bytes(file.read(name))


def _compile(folder: Path, packages: Path, root: Path) -> None:
    """python.exe, python3.dll (for packages that fit several Pythons), and the shim for numpy."""
    library = folder / "python311.dll"
    with tempfile.TemporaryDirectory(dir=folder) as name:
        work = Path(name)
        python = lief.PE.parse(library)
        exported = [entry.name for entry in python.get_export().entries]
        _write_def(work / "python3.def", "python3.dll", [f"{n}=python311.{n}" for n in exported])
        _write_def(work / "python311.def", "python311.dll", ["Py_Main"])
        (numpy,) = packages.glob("numpy/_core/_multiarray_umath*.pyd")
        defined = (SOURCES / "complex.c").read_text(encoding="utf-8")
        _write_def(work / "shim.def", SHIM.decode(), _shim_lines(numpy, defined))
        (work / "empty.c").touch()
        shared = [GCC, "-shared", "-s", "-O1"]
        implib = "x86_64-w64-mingw32-dlltool"
        for command in (
            [implib, "-d", work / "python311.def", "-l", work / "libpython311.a"],
            [GCC, "-municode", "-s", SOURCES / "python.c", work / "libpython311.a",
             "-o", folder / "python.exe"],
            [*shared, "-nostdlib", "-Wl,--entry=0", work / "empty.c", work / "python3.def",
             "-o", folder / "python3.dll"],
            [*shared, "-static-libgcc", SOURCES / "complex.c", work / "shim.def",
             "-o", numpy.parent / SHIM.decode()],
        ):  # fmt: skip
            _in_root(root, [str(word) for word in command], work, folder.parent)
    contents = numpy.read_bytes()
    if contents.count(RUNTIME) != 1:
        raise NoStandIn(
            "This numpy takes no mathematics from Windows' C runtime: look what it does."
        )
    numpy.write_bytes(contents.replace(RUNTIME, SHIM))


def _shim_lines(module: Path, defined: str) -> list[str]:
    """Exports for all that a module takes from the runtime's mathematics: ours, or Wine's own."""
    parsed = lief.PE.parse(module)  # what is in it lives as long as it
    (imported,) = (one for one in parsed.imports if one.name == RUNTIME.decode())
    names = [str(entry.name) for entry in imported.entries]
    bases = (
        "ccos",
        "ccosh",
        "cexp",
        "csin",
        "csinh",
        "ctan",
        "ctanh",
        "cabs",
        "carg",
        "cimag",
        "creal",
        "cpow",
    )
    ours = {f"{base}{kind}" for base in bases for kind in ("", "f", "l")}
    assert all(base in defined for base in bases)
    return [f"{name}=shim_{name}" if name in ours else f"{name}=ucrtbase.{name}" for name in names]


def _write_def(path: Path, library: str, exports: Sequence[str]) -> None:
    path.write_text("\n".join([f"LIBRARY {library}", "EXPORTS", *exports, ""]), encoding="ascii")


def _in_root(root: Path, argv: list[str], work: Path, writable: Path) -> None:
    binds = {CHECKOUT: "ro", writable: "rw"}
    done = subprocess.run(
        roots.command(root, argv, binds, cwd=work), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NoStandIn(f"{argv[0]} failed: {done.stderr.strip()}")


def own_wheel(folder: Path) -> Path:
    """Build Dreamlayer's wheel for Windows, with the kernel's DLL."""
    environ = {**os.environ, "DREAMLAYER_KERNEL_TARGET": "win_amd64"}
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=CHECKOUT, env=environ, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*win_amd64.whl")
    return wheel
