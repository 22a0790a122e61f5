"""What this computer is: its system, its processor and its graphics cards."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from install.builds import nvidia
from install.builds.nvidia import GraphicsCard
from install.builds.probes import Probes

Processor = Literal["x86", "arm", "other"]

PROCESSORS: dict[str, Processor] = {
    "x86_64": "x86",
    "amd64": "x86",
    "arm64": "arm",
    "aarch64": "arm",
}
NVIDIA, AMD, INTEL = "0x10de", "0x1002", "0x8086"  # vendors on the PCI bus
# Device numbers of what Intel calls Arc: the cards of the A and B series, then the graphics inside
# Meteor, Arrow, Lunar and Panther Lake. PyTorch's build for Intel is made for these.
ARC = (
    (0x5690, 0x56C2), (0xE200, 0xE22F),
    (0x7D55, 0x7D55), (0x7DD5, 0x7DD5), (0x7D51, 0x7D51), (0x64A0, 0x64A0), (0xB080, 0xB0BF),
)  # fmt: skip


@dataclass(frozen=True)
class Computer:
    """A computer, as far as the choice of a build depends on it."""

    system: str  # as sys.platform names it
    processor: Processor
    macos: tuple[int, ...] = ()
    translated: bool = False  # a Python for Intel on Apple's own processor
    cards: tuple[GraphicsCard, ...] = ()

    @property
    def summary(self) -> list[str]:
        """A line a card, which changes whenever another build may fit."""
        return [card.summary for card in self.cards]


def look(probes: Probes | None = None) -> Computer:
    """Look at this computer; takes seconds at most, raises nothing."""
    probes = probes or Probes()
    processor = PROCESSORS.get(probes.architecture, "other")
    if probes.system == "darwin":
        told = probes.ask(["/usr/sbin/sysctl", "-n", "hw.optional.arm64"])
        translated = processor == "x86" and (told or "").strip() == "1"
        return Computer("darwin", processor, _numbers(probes.macos), translated)
    cards = nvidia.cards(probes)
    others = _in_windows(probes) if probes.system == "win32" else _in_linux(probes)
    cards += [card for card in others if not (card.maker == "NVIDIA" and cards)]
    return Computer(probes.system, processor, cards=tuple(cards))


def _in_linux(probes: Probes) -> list[GraphicsCard]:
    """The cards of which the kernel tells, by their numbers on the bus."""
    cards = []
    for device in sorted(probes.root.glob("sys/class/drm/card[0-9]*/device")):
        if not re.fullmatch(r"card\d+", device.parent.name):
            continue  # a connector of a card
        vendor, number = _read(device / "vendor"), _read(device / "device")
        if vendor == NVIDIA:
            cards.append(GraphicsCard("NVIDIA", f"NVIDIA card ({number})"))
        elif vendor == INTEL and _is_arc(number):
            cards.append(GraphicsCard("Intel", f"Intel Arc ({number})"))
        elif vendor == AMD:
            cards.append(GraphicsCard("AMD", f"AMD Radeon ({number})", gfx=_gfx(probes, number)))
    return cards


def _is_arc(number: str) -> bool:
    try:
        return any(first <= int(number, 16) <= last for first, last in ARC)
    except ValueError:
        return False


def _gfx(probes: Probes, number: str) -> str:
    """AMD's name for the card's instructions, e.g. gfx1100, from the driver that ROCm uses.

    "" if the driver does not know the card; ROCm can't use it then.
    """
    for path in sorted(probes.root.glob("sys/class/kfd/kfd/topology/nodes/*/properties")):
        told = dict(line.split(" ", 1) for line in _read(path).splitlines() if " " in line)
        try:
            version = int(told.get("gfx_target_version", "0"))
            if version and int(told.get("device_id", "0")) == int(number, 16):
                return f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}"
        except ValueError:
            continue
    return ""


def _in_windows(probes: Probes) -> list[GraphicsCard]:
    cards = []
    for name in dict.fromkeys(probes.displays()):
        if "NVIDIA" in name:
            cards.append(GraphicsCard("NVIDIA", name))
        elif re.search(r"\bArc\b", name):
            cards.append(GraphicsCard("Intel", name.replace("(R)", "").replace("(TM)", "")))
        elif "Radeon" in name:
            cards.append(GraphicsCard("AMD", name.replace("(TM)", "")))
    return cards


def _read(path: object) -> str:
    try:
        with open(str(path), encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
