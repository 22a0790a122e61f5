"""Which build of PyTorch fits a computer, and what to tell the user about it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

from install.builds.cards import Computer
from install.builds.nvidia import GraphicsCard
from install.builds.table import CPU, CU126, CU130, GB, MPS, ROCM, WEBGPU, XPU, TorchBuild
from install.errors import InstallError

AUTO = "auto"
DEVICES = (AUTO, "cpu", "cuda", "cu126", "cu130", "xpu", "rocm", "mps", "webgpu")

# CUDA 13 has no code for cards older than Turing, CUDA 12.6 none for cards newer than Hopper.
CU130_CAPABILITY = (7, 5)
CU126_CAPABILITY, CU126_TOO_NEW = (5, 0), (10, 0)
CU130_DRIVER = (580,)
# CUDA 12.6 came with driver 560, but programs for any CUDA 12 run with the drivers of CUDA 12.0
# (NVIDIA's "minor version compatibility"); uv chooses by the same numbers.
CU126_DRIVERS = {"win32": (528, 33)}
CU126_DRIVER = (525, 60)
# What PyTorch's build for ROCm 7.2 has code for.
GFX = {
    "gfx908", "gfx90a", "gfx942", "gfx950", "gfx1030", "gfx1100", "gfx1101", "gfx1102",
    "gfx1150", "gfx1151", "gfx1200", "gfx1201",
}  # fmt: skip
WEBGPU_PYTHON = (3, 11)  # the oldest that ONNX Runtime has a build with WebGPU for
BEST_FIRST = (CU130, CU126, ROCM, XPU, WEBGPU, MPS, CPU)
AGAIN = "then restart the computer and run install.py again"


@dataclass(frozen=True)
class BuildChoice:
    """A build for a computer, and why."""

    build: TorchBuild
    reason: str  # the first words of a sentence
    advice: str = ""  # a sentence: what the user can do to get a better one

    def sentence(self, system: str) -> str:
        """What will be fetched, for the user."""
        fetched, unpacked = (size / GB for size in self.build.size(system))
        return (
            f"{self.reason}: {self.build.title}, about {fetched:.1f} GB to download and"
            f" {unpacked:.1f} GB on the disk"
        )


def choose(
    computer: Computer, device: str = AUTO, python: tuple[int, ...] = sys.version_info[:2]
) -> BuildChoice:
    """Choose the build for a computer.

    Args:
        device: one of DEVICES.
        python: the version that Dreamlayer will run with.

    Raises:
        InstallError: there is no such build for this computer.
    """
    _refuse(computer)
    if device != AUTO:
        return _asked_for(computer, device, python)
    if computer.system == "darwin":
        return BuildChoice(MPS, "Apple's graphics found")
    choices = [(_for_card(card, computer, python), card) for card in computer.cards]
    if not choices:
        return BuildChoice(CPU, "No graphics card found that PyTorch can use")
    best = min(choices, key=lambda choice: _rank(*choice))[0]
    if best.build != WEBGPU:
        return best
    advice = next((choice.advice for choice, _ in choices if choice.advice), "")
    return replace(best, advice=advice)  # for a card that could do more with another driver


def _rank(choice: BuildChoice, card: GraphicsCard) -> tuple[int, bool, list[int]]:
    """The best build first, then cards of NVIDIA, then the newest of them."""
    newest = [-part for part in card.capability]
    return BEST_FIRST.index(choice.build), card.maker != "NVIDIA", newest


def _refuse(computer: Computer) -> None:
    if computer.translated:
        raise InstallError(
            "This Python is for Intel processors, for which PyTorch has no build on a Mac:"
            " install Python for Apple's processors from python.org and run install.py with that."
        )
    if computer.system == "darwin" and computer.processor != "arm":
        raise InstallError(
            "PyTorch has no build for Macs with an Intel processor: install Dreamlayer on a Mac"
            " with Apple's own processor (M1 or newer), or on Linux or Windows."
        )
    # (10, 16) is what macOS 11 and newer tell some old programs.
    if computer.system == "darwin" and () < computer.macos < (14,) and computer.macos[0] != 10:
        version = ".".join(map(str, computer.macos))
        raise InstallError(
            f"PyTorch needs macOS 14 or newer, but this is macOS {version}:"
            " update macOS, then run install.py again."
        )
    if computer.system == "win32" and computer.processor == "arm":
        raise InstallError(
            "PyTorch has no build for Windows on ARM that Dreamlayer can use:"
            " install Dreamlayer on a computer with an Intel or AMD processor."
        )


def _asked_for(computer: Computer, device: str, python: tuple[int, ...]) -> BuildChoice:
    reason = f"As --device {device} says"
    cuda = ("cuda", "cu126", "cu130")
    own = {"darwin": ("cpu", "mps"), "win32": ("cpu", *cuda, "xpu", "webgpu")}
    possible = own.get(computer.system, ("cpu", *cuda, "xpu", "rocm", "webgpu"))
    if device not in possible:
        raise InstallError(
            f"There is no PyTorch for --device {device} on this system:"
            f" use --device auto, or one of {', '.join(possible)}."
        )
    if computer.system == "darwin":
        return BuildChoice(MPS, reason)  # the only one there is
    if device == "cuda":
        return BuildChoice(_best_cuda(computer, python), reason)
    if device == "webgpu" and (missing := _no_webgpu(computer, python)):
        raise InstallError(f"{missing[0].upper()}{missing[1:]}: use --device auto.")
    builds = {
        "cpu": CPU, "cu126": CU126, "cu130": CU130, "xpu": XPU, "rocm": ROCM, "webgpu": WEBGPU,
    }  # fmt: skip
    return BuildChoice(builds[device], reason)


def _best_cuda(computer: Computer, python: tuple[int, ...]) -> TorchBuild:
    """The build that would be chosen for NVIDIA's cards alone, or the one for new cards."""
    cards = [card for card in computer.cards if card.maker == "NVIDIA"]
    builds = [_for_card(card, computer, python).build for card in cards]
    return min(builds, key=BEST_FIRST.index) if set(builds) - {CPU} else CU130


def _for_card(card: GraphicsCard, computer: Computer, python: tuple[int, ...]) -> BuildChoice:
    found = f"{card.name} found"
    if card.maker == "NVIDIA":
        return _for_nvidia(card, found, computer.system)
    if (computer.system, computer.processor) == ("linux", "x86") and card.gfx in GFX:
        return BuildChoice(ROCM, found)
    reason = f"{found}, {_why_not_pytorch(card, computer)}"
    missing = _no_webgpu(computer, python)
    return BuildChoice(CPU, f"{reason}; {missing}") if missing else BuildChoice(WEBGPU, reason)


def _no_webgpu(computer: Computer, python: tuple[int, ...]) -> str:
    """Why ONNX Runtime can't use a card either; "" if it can."""
    if computer.processor != "x86":
        return "ONNX Runtime has no build with WebGPU for this processor"
    if python < WEBGPU_PYTHON:
        return "ONNX Runtime needs Python 3.11 or newer to use it"
    return ""


def _why_not_pytorch(card: GraphicsCard, computer: Computer) -> str:
    """Why PyTorch does not use a card of Intel or AMD; the user can do nothing about it."""
    if card.maker == "Intel":  # --device xpu installs PyTorch for it, but no executor uses it
        return "for which PyTorch has no small build"
    if card.maker == "AMD" and computer.system == "win32":
        return "for which PyTorch has no build on Windows, only on Linux"
    if card.maker == "AMD" and computer.processor == "x86":
        if card.gfx:
            return f"for whose {card.gfx} PyTorch has no code"
        return "which its driver does not offer to ROCm (/dev/kfd)"
    return "which PyTorch can't use here"


def _for_nvidia(card: GraphicsCard, found: str, system: str) -> BuildChoice:
    enough = CU126_DRIVERS.get(system, CU126_DRIVER)
    if not card.driver and not card.cuda:
        return BuildChoice(
            CPU,
            f"{found}, but no driver of NVIDIA that answers",
            f"Install NVIDIA's driver, version 580 or newer, {AGAIN}.",
        )
    capability = card.capability
    if capability and capability < CU126_CAPABILITY:
        return BuildChoice(CPU, f"{found}, which is too old for PyTorch")
    newest = card.driver >= CU130_DRIVER or card.cuda >= (13, 0)
    if capability >= CU130_CAPABILITY and newest:
        return BuildChoice(CU130, found)
    wanted = "580" if capability >= CU130_CAPABILITY else ".".join(map(str, enough))
    advice = f"{_driver(card)} is old: update it to {wanted} or newer, {AGAIN}."
    runs = newest or card.driver >= enough or card.cuda >= (12, 0)
    if not runs or capability >= CU126_TOO_NEW:
        return BuildChoice(CPU, f"{found}, but its driver is too old for it", advice)
    return BuildChoice(CU126, found, advice if capability >= CU130_CAPABILITY else "")


def _driver(card: GraphicsCard) -> str:
    if card.driver:
        return f"Its driver {'.'.join(map(str, card.driver[:2]))}"
    return f"Its driver (for CUDA {'.'.join(map(str, card.cuda))})"
