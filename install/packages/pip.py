"""pip, which installs into the environment: its command, and its failures as sentences."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from install.environment import Environment, clean_environ
from install.errors import InstallError

DOWNLOADS = "dreamlayer-downloads"  # nobody else's, if Dreamlayer's folder is a shared one
CLUES = (  # texts in pip's log, and what they mean for the user
    ("No space left on device", "The disk is full: free some space"),
    ("There is not enough space on the disk", "The disk is full: free some space"),
    ("CERTIFICATE_VERIFY_FAILED", "The package index is not trusted: fix its certificate"),
    ("InvalidProxyURL", "The proxy's address is wrong: correct HTTPS_PROXY, e.g."
     " http://proxy.example:3128"),
    ("Cannot connect to proxy", "The proxy can't be reached: correct or remove HTTPS_PROXY"),
    ("407 Proxy Authentication", "The proxy needs a password: set HTTPS_PROXY for pip"),
    ("NewConnectionError", "The package index can't be reached: go online"),
    ("NameResolutionError", "The package index can't be reached: go online"),
    ("ConnectTimeoutError", "The package index does not answer: check the network"),
    ("ReadTimeoutError", "The package index does not answer: check the network"),
    ("THESE PACKAGES DO NOT MATCH THE HASHES", "A downloaded package is not the one that"
     " Dreamlayer was made with, and was not installed: it was damaged on the way, or the package"
     " index is not to be trusted. Try another network or index"),
    ("No matching distribution found", "A library has no package for this Python and system:"
     " use a 64-bit Python 3.10 to 3.14"),
)  # fmt: skip


def pip_command(environment: Environment) -> list[str]:
    """The command of pip for the environment: its own pip, or that of this Python."""
    if environment.package("pip"):
        return [str(environment.python), "-m", "pip"]
    return [sys.executable, "-m", "pip", "--python", str(environment.python)]


def pip_install(environment: Environment, log: Path, *arguments: str, **changes: str) -> None:
    """Have pip install something into the environment; what it does is shown, and logged.

    Args:
        changes: additional environment variables

    Raises:
        InstallError: with what to do.
    """
    options = ["--no-user", "--disable-pip-version-check", "--no-warn-script-location"]
    command = [*pip_command(environment), "--log", str(log), "install", *options, *arguments]
    environ = clean_environ() | _cache_variable(environment) | changes
    # Not in the current folder, from which Python would import.
    if subprocess.call(command, env=environ, cwd=environment.folder) == 0:
        return
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    reasons = [meaning for clue, meaning in CLUES if clue in text]
    raise InstallError(
        f"{reasons[0] if reasons else 'pip failed: the reason is above. Fix it'},"
        f" then run install.py again; it continues where it stopped. (pip's log: {log})"
    )


def downloads(environment: Environment) -> Path:
    """The folder in which downloads are kept until the installation is complete.

    It is beside the environment, so that an interrupted installation need not fetch them again, and
    nothing of them is left in the user's own cache.
    """
    return environment.folder.parent / DOWNLOADS


def forget_downloads(environment: Environment) -> None:
    """Remove the downloads: the installation is complete."""
    shutil.rmtree(downloads(environment), ignore_errors=True)


def _cache_variable(environment: Environment) -> dict[str, str]:
    """The variable that names pip's cache, unless the user has chosen about it."""
    chosen = os.environ.keys() & {"PIP_CACHE_DIR", "PIP_NO_CACHE_DIR"}
    return {} if chosen else {"PIP_CACHE_DIR": str(downloads(environment))}
