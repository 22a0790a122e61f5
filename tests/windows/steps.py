"""What is tried in Windows, in this order; each step returns what was seen, for the table."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.hosts.namespace import Finished
from tests.kernels.builds import CHECKOUT
from tests.kernels.loading import variants_of_this_processor
from tests.windows.wine import USER, Windows, windows_path

INSTALLER = r"install\install.py"
PROFILE = rf"C:\users\{USER}"
PLUGIN = rf"{PROFILE}\AppData\Roaming\GIMP\3.0\plug-ins"
PICTURE = r"tests\pictures\chelsea.png"
DREAM = ("--layer", "10", "--steps", "3", "--octaves", "2", "--seed", "3")
# dB between a dream in Windows and on Linux: PyTorch is another build there, which rounds otherwise
# (the kernel does not), and a dream makes more of every difference.
PSNR_LEAST = 50.0
ROUNDING = 1e-5  # of an array's largest value; more is another way to compute, not rounding
KERNELS_TESTS = ("test_kernel_executor.py", "test_kernel_depthwise.py")
# There is no index: PyTorch is installed already, and its own index is asked for another build.
NO_INDEX = {"DREAMLAYER_TORCH_INDEX": "http://127.0.0.1:9", "PIP_RETRIES": "0"}


class Unexpected(AssertionError):
    """A step did not go as it should; the text has what was printed."""


def good(done: Finished) -> Finished:
    """The same, or Unexpected if it failed."""
    if done.status or done.timed_out:
        how = "took too long" if done.timed_out else f"ended with {done.status}"
        raise Unexpected(f"It {how}:\n{done.output[-4000:]}")
    return done


def variants(windows: Windows) -> str:
    """The DLL finds what /proc/cpuinfo says."""
    told = good(windows.installed("tests/windows/inside/variants.py")).output
    found = json.loads(told.strip().splitlines()[-1])
    if found != variants_of_this_processor():
        raise Unexpected(f"The DLL reports {found}.")
    return f"{' and '.join(found)}, as the processor has"


def kernels_tests(windows: Windows) -> str:
    """The kernel's own tests, each variant."""
    files = [f"tests/networks/{name}" for name in KERNELS_TESTS]
    command = ("-m", "pytest", "-q", "-p", "no:cacheprovider", *files)
    done = good(windows.installed(*command, limit=1800))
    return done.output.strip().splitlines()[-1].strip("= ")


def bits(windows: Windows) -> str:
    """The DLL computes the bits that this computer's own kernel does."""
    differing = _differences(windows, "compute")
    if any(differing.values()):
        raise Unexpected(f"These differ: {differing}.")
    return f"{len(differing)} maps and gradients, the same bits"


def parts(windows: Windows) -> str:
    """Which parts of a dream have the bits that they have on Linux."""
    differing = _differences(windows, "engine_parts")
    others = {name: found for name, found in differing.items() if found}
    if any(name.startswith("network") or found > ROUNDING for name, found in others.items()):
        raise Unexpected(f"These differ by more than rounding: {others}.")
    told = ", ".join(f"{name} ({found:.0e})" for name, found in others.items()) or "none"
    return f"{len(differing) - len(others)} of {len(differing)}; not (of the largest): {told}"


def _differences(windows: Windows, script: str) -> dict[str, float]:
    """The largest difference of each array that a script computes here and in Windows.

    As a share of the array's largest value; 0 where all bits are equal.
    """
    module = f"tests.windows.inside.{script}"
    good(windows.installed("-m", module, rf"{PROFILE}\found.npz"))
    here = windows.profile / "here.npz"
    subprocess.run([sys.executable, "-m", module, str(here)], cwd=CHECKOUT, check=True)
    theirs, ours = np.load(windows.profile / "found.npz"), np.load(here)
    return {
        name: float(np.abs(theirs[name] - ours[name]).max() / np.abs(ours[name]).max())
        for name in ours
    }


def install(windows: Windows) -> str:
    """install.py to its end: launcher, plug-ins, a first dream by the daemon that it starts."""
    done = good(windows.python(INSTALLER, limit=600, **NO_INDEX))
    if "Its first dream" not in done.output or "AppData" not in done.output:
        raise Unexpected(done.output)
    if "enable_dreamlayer_krita=true" not in windows.kritarc.read_text(encoding="utf-8"):
        raise Unexpected("The plug-in is not enabled in kritarc.")
    return "plug-ins in AppData, enabled in kritarc; a first dream"


def check(windows: Windows) -> str:
    """install.py --check finds everything in order."""
    lines = good(windows.python(INSTALLER, "--check", limit=600)).output.splitlines()
    found = [line for line in lines if line.startswith("ok ")]
    if not all(any(host in line for line in found) for host in ("Krita", "GIMP", "Daemon")):
        raise Unexpected("\n".join(lines))
    return f"{len(found)} parts, all in order"


def start_script(windows: Windows) -> str:
    """Install-Windows.cmd runs the installer with the Python in Dreamlayer's folder."""
    place = windows.dreamlayer / "dreamlayer-python" / "cpython-3.12-windows-x86_64-none"
    shutil.copytree(windows.own_python, place)
    lines = good(_script(windows, "--check")).output.splitlines()
    if not any(line.startswith("ok  Daemon") for line in lines):
        raise Unexpected("\n".join(lines))
    return f"{sum(line.startswith('ok ') for line in lines)} parts, all in order"


def _script(windows: Windows, *arguments: str) -> Finished:
    script = windows_path(CHECKOUT / "install" / "Install-Windows.cmd")
    return windows.wine("cmd", "/c", script, *arguments, limit=600)


def connect(windows: Windows) -> str:
    """A plug-in's Python connects, to the running daemon and to one that it starts."""
    running = _connected(windows)
    good(windows.installed("-m", "dreamlayer", "stop"))
    return f"{running:.1f} s to the running daemon, {_connected(windows):.1f} s with its start"


def _connected(windows: Windows) -> float:
    done = good(windows.python("tests/windows/inside/connect.py", PLUGIN, limit=120))
    told = json.loads(done.output.strip().splitlines()[-1])
    if told["home"] != rf"{PROFILE}\AppData\Local\Dreamlayer":
        raise Unexpected(f"The daemon's folder is {told['home']}.")
    return float(told["seconds"])


def dream(windows: Windows) -> str:
    """The same dream as on Linux."""
    name = "Zoës dream.png"
    command = ("-m", "dreamlayer", "dream", PICTURE, "-o", rf"{PROFILE}\{name}", *DREAM)
    said = good(windows.installed(*command)).output
    theirs = Image.open(windows.profile / name).convert("RGB")
    ours = Image.open(_dream_here(windows.profile.parent / "here")).convert("RGB")
    found = psnr(np.asarray(theirs), np.asarray(ours))
    if found < PSNR_LEAST:
        raise Unexpected(f"It differs from the one on Linux: {found:.1f} dB.\n{said}")
    like = "the same pixels as" if found == np.inf else f"{found:.0f} dB to"
    return f"{_took(said)}; {like} the one on Linux"


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """The peak signal-to-noise ratio of two pictures of 8 bits, in dB; infinite if equal."""
    error = np.mean((a.astype(float) - b) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else np.inf


def _dream_here(folder: Path) -> Path:
    """The dream by this computer's own daemon and kernel, in a folder of its own."""
    folder.mkdir()
    environ = {**os.environ, "DREAMLAYER_HOME": str(folder / "home")}
    command = [sys.executable, "-m", "dreamlayer"]
    path, picture = folder / "dream.png", PICTURE.replace("\\", "/")
    try:
        argv = [*command, "dream", picture, "-o", path, *DREAM]
        subprocess.run(argv, cwd=CHECKOUT, env=environ, check=True, capture_output=True)
    finally:
        subprocess.run([*command, "stop"], env=environ, check=False, capture_output=True)
    return path


def _took(said: str) -> str:
    match = re.search(r"([\d.]+ s) on cpu", said)
    return match[1] if match else "done"


def doctor(windows: Windows) -> str:
    """dreamlayer doctor, with its test dream."""
    said = good(windows.installed("-m", "dreamlayer", "doctor", limit=600)).output
    if "Kernel: compiled for" not in said or "All is well." not in said:
        raise Unexpected(said)
    return f"all is well ({said.count('ok  ')} findings)"


def stop(windows: Windows) -> str:
    """dreamlayer stop ends the daemon."""
    said = good(windows.installed("-m", "dreamlayer", "stop")).output
    if "has stopped" not in said:
        raise Unexpected(said)
    return "has stopped"


def uninstall(windows: Windows) -> str:
    """Install-Windows.cmd --uninstall removes everything, also with the daemon running."""
    _connected(windows)
    good(_script(windows, "--uninstall"))
    left = [windows.dreamlayer, windows.profile / "AppData" / "Roaming" / "krita" / "pykrita"]
    left.append(windows.profile / "AppData" / "Roaming" / "GIMP" / "3.0" / "plug-ins")
    if still := [path for path in left if path.exists()]:
        raise Unexpected(f"Still there: {', '.join(map(str, still))}.")
    if "dreamlayer" in windows.kritarc.read_text(encoding="utf-8"):
        raise Unexpected("kritarc still names the plug-in.")
    return "nothing is left, kritarc as before"


Step = Callable[[Windows], str]
STEPS: tuple[Step, ...] = (
    variants, bits, parts, install, check, start_script, connect, dream, doctor, stop,
    kernels_tests, uninstall,
)  # fmt: skip
