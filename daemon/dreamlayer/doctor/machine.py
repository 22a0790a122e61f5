"""Checks Python, the libraries, memory, the device and how it computes the network."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Iterator

import psutil

from dreamlayer.doctor import torch_build
from dreamlayer.doctor.findings import Finding, ok, warning, wrong

AGAIN = "Run install.py again."
PINNED = re.compile(r"([\w.-]+)==([\w.]+)$")  # a requirement without a marker
GB = 1e9
MEMORY_WANTED = 1.0 * GB  # free; a dream takes about 300 MB in addition to its picture
CARD_MEMORY_WANTED = 1.0 * GB


def check() -> Iterator[Finding]:
    yield _python()
    yield _libraries()
    yield _memory()
    yield from _device()
    yield _kernel()
    yield _network()


def _python() -> Finding:
    bits = 64 if sys.maxsize > 2**32 else 32
    text = f"Python {platform.python_version()}, {bits} bit, on {platform.platform(terse=True)}"
    if bits == 32:
        return wrong(text, "PyTorch needs a 64-bit Python: install one and run install.py with it.")
    return ok(text)


def _libraries() -> Finding:
    """Whether the installed versions are the required ones."""
    try:
        required = importlib.metadata.requires("dreamlayer") or []
    except importlib.metadata.PackageNotFoundError:
        return wrong("Dreamlayer's package is not installed in this Python.", AGAIN)
    installed, differing = [], []
    for name, wanted in (match.groups() for match in map(PINNED.match, required) if match):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = "missing"
        installed.append(f"{name} {version}")
        if version.partition("+")[0] != wanted:
            differing.append(f"{name} {version} ({wanted} is required)")
    if differing:
        return wrong(f"Libraries: {', '.join(differing)}", f"{AGAIN} It installs the right ones.")
    return ok(f"Libraries: {', '.join(installed)}")


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    text = f"Memory: {memory.available / GB:.1f} of {memory.total / GB:.1f} GB free"
    if memory.available < MEMORY_WANTED:
        return warning(text, "Close other programs, or dream on small selections.")
    return ok(text)


def _device() -> Iterator[Finding]:
    import torch

    from dreamlayer.runtime.devices import choosing
    from dreamlayer.runtime.devices.device import tensors_on

    device = choosing.find("auto")
    if not choosing.answers(device):
        yield wrong(
            f"Device: {device} exists, but does not respond.",
            "Restart the computer or update the graphics driver; until then, dream on the CPU"
            " (--device cpu).",
        )
        return
    cores = os.cpu_count()  # not every system says it
    text = f"Device: {choosing.describe_device(device)}" + (f", {cores} cores" if cores else "")
    remedy = torch_build.remedy(bool(torch.version.cuda)) if device.type == "cpu" else ""
    if remedy:
        yield warning(
            f"{text}; PyTorch {torch.__version__} does not use the graphics card.", remedy
        )
    elif device.type == "cuda":
        free, total = torch.cuda.mem_get_info(tensors_on(device))
        text += f", {free / GB:.1f} of {total / GB:.1f} GB of its memory free"
        if free < CARD_MEMORY_WANTED:
            yield warning(text, "Close other programs that use the graphics card.")
        else:
            yield ok(text)
    else:
        yield ok(text)


def _kernel() -> Finding:
    """Whether the compiled kernel can be used."""
    from dreamlayer.networks.executors.kernel import library

    try:
        return ok(f"Kernel: compiled for {library.library().variant}")
    except library.KernelUnavailable as error:
        return warning(
            f"Kernel: {error}",
            "Dreams work without it, but slower. To get it, install a C++ compiler, then run"
            " install.py again.",
        )


def _network() -> Finding:
    """What computes the default preset's network."""
    import torch

    from dreamlayer.studio.network_cache import NetworkCache
    from dreamlink.recipe import presets

    networks = NetworkCache()
    with networks.using(presets.find(presets.DEFAULT).recipe(), torch.device("cpu")):
        return ok(f"Network: {', '.join(networks.describe())}")
