"""Whether an environment has the project's libraries: all, whole, in the required versions."""

from __future__ import annotations

from install.environment import Environment

# Runs in the environment, so it is text. A package counts as whole if the files that its record
# lists are there and have their lengths; an installation that broke off leaves others.
PROGRAM = r"""
import importlib.metadata as metadata, re, sys

def whole(name, wanted):
    try:
        package = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return f"{name} is missing"
    if wanted and package.version.partition("+")[0] != wanted:
        return f"{name} {package.version} is not the required {wanted}"
    for file in package.files or ():
        path = file.locate()
        if file.suffix == ".pyc" or ".." in file.parts:
            continue
        if not path.is_file() or file.size not in (None, path.stat().st_size):
            return f"{name} is damaged ({file})"
    return None

def libraries():
    yield "dreamlayer", None
    try:
        required = metadata.requires("dreamlayer") or []
    except metadata.PackageNotFoundError:
        return
    for requirement in required:
        pinned = re.match(r"([\w.-]+)==([\w.]+)\s*(;.*)?$", requirement)
        if pinned and "extra" not in (pinned[3] or ""):
            yield pinned[1], None if pinned[3] else pinned[2]  # a marker: pip knows which is meant

for problem in dict.fromkeys(whole(*library) for library in libraries()):
    if problem:
        print(problem)
"""


def problems(environment: Environment) -> list[str]:
    """A few words for each library that is missing, damaged or of another version."""
    done = environment.run("-X", "utf8", "-c", PROGRAM)
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    if done.returncode != 0:
        return [lines[-1] if lines else "its Python fails"]
    return lines
