"""An environment for Dreamlayer that has the libraries, and this source tree, of the tests' Python.

It is made without pip, in a second.
"""

from __future__ import annotations

import site
import subprocess
import sys
from pathlib import Path

import dreamlayer
import dreamlink
from install.environment import Environment


def make(environment: Environment) -> Path:
    """Make the environment; returns its folder of packages."""
    python = [sys.executable, "-m", "venv", "--without-pip", environment.folder]
    subprocess.run(python, check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = environment.folder / "lib" / version / "site-packages"
    sources = [Path(dreamlayer.__file__).parents[1], Path(dreamlink.__file__).parents[1]]
    folders = [str(folder) for folder in [*sources, *site.getsitepackages()]]
    lines = [f"import site; site.addsitedir({folder!r})\n" for folder in folders]
    (packages / "borrowed.pth").write_text("".join(lines))
    return packages
