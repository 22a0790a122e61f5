"""NVIDIA's cards, as their driver tells of them."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from typing import Literal

from install.builds.probes import Probes

Maker = Literal["NVIDIA", "AMD", "Intel"]

# Asks the driver's library, in a process of its own: a broken driver can crash or hang it.
ASK_LIBRARY = """
import ctypes, sys
library = ctypes.WinDLL("nvcuda.dll") if sys.platform == "win32" else ctypes.CDLL("libcuda.so.1")
def done(code):
    if code:
        sys.exit(code)
done(library.cuInit(0))
number, count = ctypes.c_int(), ctypes.c_int()
done(library.cuDriverGetVersion(ctypes.byref(number)))
done(library.cuDeviceGetCount(ctypes.byref(count)))
for index in range(count.value):
    name, device = ctypes.create_string_buffer(256), ctypes.c_int()
    major, minor = ctypes.c_int(), ctypes.c_int()
    done(library.cuDeviceGet(ctypes.byref(device), index))
    done(library.cuDeviceGetName(name, 256, device))
    done(library.cuDeviceGetAttribute(ctypes.byref(major), 75, device))
    done(library.cuDeviceGetAttribute(ctypes.byref(minor), 76, device))
    print(name.value.decode(errors="replace"), number.value, f"{major.value}.{minor.value}",
          sep=", ")
"""


@dataclass(frozen=True)
class GraphicsCard:
    """A card and what its driver can do; an empty value is not known."""

    maker: Maker
    name: str
    driver: tuple[int, ...] = ()  # NVIDIA's version, e.g. (580, 95, 5)
    cuda: tuple[int, ...] = ()  # the newest CUDA of the driver, where only that is known
    capability: tuple[int, ...] = ()  # e.g. (8, 9)
    gfx: str = ""  # AMD's name for what the card understands

    @property
    def summary(self) -> str:
        """All that is known of it, as a line."""
        numbers = (".".join(map(str, part)) for part in (self.driver, self.cuda, self.capability))
        return " | ".join([self.name, *numbers, self.gfx])


def cards(probes: Probes) -> list[GraphicsCard]:
    """NVIDIA's cards; none if there is no driver that answers."""
    found = _by_program(probes)
    if found and all(card.capability for card in found):
        return found
    known = _by_library(probes)
    if not found:
        return known
    capabilities = {card.name: card.capability for card in known}
    return [
        card if card.capability else replace(card, capability=capabilities.get(card.name, ()))
        for card in found
    ]


def _programs(probes: Probes) -> list[str]:
    """Where nvidia-smi may be. On Windows only whole paths: a bare name is also looked for in the
    current folder, where it may be anyone's.
    """
    if probes.system != "win32":
        return ["nvidia-smi", "/usr/lib/wsl/lib/nvidia-smi"]
    drive = probes.windows[:2]
    return [
        rf"{probes.windows}\System32\nvidia-smi.exe",
        rf"{drive}\Program Files\NVIDIA Corporation\NVSMI\nvidia-smi.exe",
    ]


def _by_program(probes: Probes) -> list[GraphicsCard]:
    for program in _programs(probes):
        for fields in ("name,driver_version,compute_cap", "name,driver_version"):  # old ones: two
            told = probes.ask([program, f"--query-gpu={fields}", "--format=csv,noheader"])
            found = [_card(line) for line in (told or "").splitlines()]
            whole = [card for card in found if card is not None]
            if whole:
                return whole
    return []


def _card(line: str) -> GraphicsCard | None:
    """The card of a line "name, driver[, capability]"; None if the line is something else."""
    name, *rest = (part.strip() for part in line.split(","))
    driver = _version(rest[0]) if rest else ()
    if not name or not driver:
        return None
    capability = _version(rest[1]) if len(rest) > 1 else ()
    return GraphicsCard("NVIDIA", name, driver=driver, capability=capability)


def _by_library(probes: Probes) -> list[GraphicsCard]:
    told = probes.ask([sys.executable, "-I", "-S", "-c", ASK_LIBRARY]) or ""
    found = []
    for line in told.splitlines():
        match = re.fullmatch(r"(.+), (\d{4,6}), (\d+)\.(\d+)", line.strip())
        if match:
            name, cuda = match[1], int(match[2])
            capability = (int(match[3]), int(match[4]))
            newest = (cuda // 1000, cuda % 1000 // 10)
            found.append(GraphicsCard("NVIDIA", name, cuda=newest, capability=capability))
    return found


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("."))) if re.fullmatch(r"\d+(\.\d+)+", text) else ()
