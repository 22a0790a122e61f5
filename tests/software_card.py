"""SwiftShader: a program that pretends to be a graphics card, for tests of WebGPU.

It comes with Debian's browser, and the library that finds it, Vulkan's, in a package of its own.
Both are fetched once and unpacked into the tests' cache: nothing is installed.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from install.root_making import cache, locked

PACKAGES = ("chromium-common", "libvulkan1")
SWIFTSHADER, VULKAN = "libvk_swiftshader.so", "libvulkan.so.1"
DRIVER = "driver.json"


def variables() -> dict[str, str]:
    """What a process needs in its environment to see this card and no other.

    Fails in continuous integration if it can't be had; elsewhere the test is skipped.
    """
    try:
        folder = _folder()
    except (OSError, subprocess.SubprocessError, LookupError) as error:
        told = getattr(error, "stderr", "") or error
        reason = f"SwiftShader can't be had from Debian's packages: {told}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    driver = str(folder / DRIVER)
    return {
        "VK_DRIVER_FILES": driver,
        "VK_ICD_FILENAMES": driver,  # what older libraries read
        "LD_LIBRARY_PATH": str(folder),
    }


def _folder() -> Path:
    """Where the two libraries are, with the file that leads from one to the other."""
    folder = cache() / "swiftshader"
    with locked(folder.with_suffix(".lock"), print):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                _fetch(Path(scratch)).rename(folder)
    return folder


def _fetch(scratch: Path) -> Path:
    if platform.machine() != "x86_64" or not shutil.which("apt-get"):
        raise LookupError("this is no Debian on a PC.")
    with locked(cache() / "apt.lock", print):  # apt refuses a second one at the same time
        try:
            _run(scratch, "apt-get", "download", *PACKAGES)
        except subprocess.CalledProcessError:  # a fresh container has no lists, others old ones
            _run(scratch, "apt-get", "update")
            _run(scratch, "apt-get", "download", *PACKAGES)
    for package in scratch.glob("*.deb"):
        _run(scratch, "dpkg-deb", "--extract", package.name, "unpacked")
    folder = scratch / "swiftshader"
    folder.mkdir()
    for name in (SWIFTSHADER, VULKAN):
        shutil.copy(next((scratch / "unpacked").rglob(name)), folder / name)
    icd = {"library_path": f"./{SWIFTSHADER}", "api_version": "1.1.0"}
    text = json.dumps({"file_format_version": "1.0.0", "ICD": icd})
    (folder / DRIVER).write_text(text, encoding="utf-8")
    return folder


def _run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=300)
