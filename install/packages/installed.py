"""What is installed in an environment: PyTorch's version, what only it needs, broken packages."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from install.environment import Environment, clean_environ
from install.errors import InstallError
from install.packages.pip import pip_command

PYTORCH = ("torch", "torchvision")  # what has builds; the other libraries are for all of them


def requirements(checkout: Path) -> list[str]:
    """The libraries that the project pins. Python 3.10 can't read TOML, so by their form."""
    text = (checkout / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[$(.*?)^\]$", text, re.MULTILINE | re.DOTALL)
    found = re.findall(r'^\s*"([^"]+)"', block[1], re.MULTILINE) if block else []
    if [pin.partition("==")[0] for pin in found[:2]] != list(PYTORCH):
        raise InstallError(
            f"{checkout / 'pyproject.toml'} does not name PyTorch's version:"
            " unpack Dreamlayer again, then run install.py again."
        )
    return found


def runtime(checkout: Path) -> list[str]:
    """The packages of ONNX Runtime that the project pins for graphics cards: its extra `webgpu`."""
    text = (checkout / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^webgpu = \[(.*?)^\]$", text, re.MULTILINE | re.DOTALL)
    return re.findall(r'^\s*"([\w.-]+==[\w.]+)', block[1], re.MULTILINE) if block else []


def has(environment: Environment, pins: Iterable[str]) -> bool:
    """Whether all these packages are installed in these versions, e.g. onnx==1.23.2."""
    names = (re.sub(r"[-.]", "_", name) + "-" + version
             for name, _, version in (pin.partition("==") for pin in pins))  # fmt: skip
    folders = list(_folders(environment))
    return all(
        any((folder / f"{name}.dist-info" / "RECORD").is_file() for folder in folders)
        for name in names
    )


def remove_runtime(environment: Environment, checkout: Path) -> None:
    """Remove ONNX Runtime, if it is there, with what only it needed."""
    names = {_normal(pin.partition("==")[0]) for pin in runtime(checkout)}
    required = _required(environment)
    if names & set(required):
        needed = _closure(required, names) - names
        _uninstall(environment, sorted(names & set(required)))
        remove_leftovers(environment, needed)


def version(environment: Environment) -> str:
    """The version of the PyTorch in an environment, e.g. 2.13.0+cu130.

    "" if there is none, or if pip was stopped while it installed PyTorch or torchvision.
    """
    versions = []
    for name in PYTORCH:
        records = list(_records(environment, name))
        if len(records) != 1 or not (records[0] / "RECORD").is_file():
            return ""
        versions.append(records[0].name.removesuffix(".dist-info").partition("-")[2])
    return versions[0]


def remove_broken(environment: Environment) -> None:
    """Make pip install anew what it had not finished when it was stopped.

    It writes the list of a package's files last, and takes one without for installed. What it was
    about to replace it renames to a name that begins with a tilde.
    """
    for folder in _folders(environment):
        for info in folder.glob("*.dist-info"):
            if not (info / "RECORD").is_file():
                shutil.rmtree(info, ignore_errors=True)
        for replaced in folder.glob("~*"):
            shutil.rmtree(replaced, ignore_errors=True)


def remove_pytorch(environment: Environment) -> None:
    """Remove PyTorch, so that another build of the same version takes its place."""
    _uninstall(environment, PYTORCH)


def brought_by_pytorch(environment: Environment) -> set[str]:
    """The installed packages that PyTorch requires, and those that these require."""
    return _closure(_required(environment), PYTORCH) - set(PYTORCH)


def remove_leftovers(environment: Environment, candidates: Iterable[str]) -> None:
    """Remove those of the candidates that no package needs any more: gigabytes of CUDA.

    A failure leaves them where they do no harm.
    """
    required = _required(environment)
    unsure = set(candidates) & set(required)
    roots = set(required) - unsure
    leftovers = sorted(unsure - _closure(required, roots))
    if leftovers:
        print("Removing what the other build needed", flush=True)
        _uninstall(environment, leftovers)


def _uninstall(environment: Environment, names: Iterable[str]) -> None:
    command = [*pip_command(environment), "--disable-pip-version-check", "uninstall", "-y", *names]
    subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=clean_environ(),
        cwd=environment.folder,
        check=False,
    )


def _records(environment: Environment, name: str) -> Iterator[Path]:
    for folder in _folders(environment):
        yield from folder.glob(f"{name}-*.dist-info")


def _folders(environment: Environment) -> Iterator[Path]:
    """The folders of packages."""
    for library in ("lib/python3*/site-packages", "Lib/site-packages"):
        yield from environment.folder.glob(library)


def _required(environment: Environment) -> dict[str, set[str]]:
    """For each package that is installed, what it requires; names as pip compares them."""
    folders = [str(folder) for folder in _folders(environment)]
    found: dict[str, set[str]] = {}
    for package in importlib.metadata.distributions(path=folders):
        name = package.metadata["Name"]
        if name:
            needed = re.findall(r"^[\w.-]+", "\n".join(package.requires or []), re.MULTILINE)
            found[_normal(name)] = {_normal(other) for other in needed}
    return found


def _closure(required: dict[str, set[str]], roots: Iterable[str]) -> set[str]:
    reached: set[str] = set()
    waiting = [root for root in roots if root in required]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [other for other in required[name] if other in required]
    return reached


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
