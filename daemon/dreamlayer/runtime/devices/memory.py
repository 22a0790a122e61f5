"""The memory of graphics cards: how much of it a dream may take, and giving it back.

A card is shared with the painter's program, which freezes or fails without memory of its own. So
a dream takes a part of what is free, and torch is told a limit for the whole process. What torch
holds for this process already counts as free: a plan would otherwise shrink by its own graphs.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from dreamlayer.runtime import webgpu
from dreamlayer.runtime.devices.device import Device
from dreamlayer.runtime.webgpu import WebGpuDevice

if TYPE_CHECKING:
    import torch

FREE_SHARE = 0.7  # of the free memory of a card that tiles are planned for
PROCESS_SHARE = 0.85  # of all memory of a card that this process may hold
PLANES_SHARE = 0.35  # of that may hold a picture; the rest is for passes over its tiles
PAINTERS_OWN = 1 << 30  # bytes; at least so much of a card, or half of it, is left to others

_limited: set[str] = set()  # devices for which torch knows the limit
_fitted: dict[str, float] = {}  # {device: bytes that passes fitted in after larger ones had not}


def free_memory() -> None:
    """Give the memory of cards that torch caches back to other programs."""
    import torch

    with contextlib.suppress(RuntimeError):  # a failed device cannot free its memory
        torch.cuda.empty_cache()
        if torch.xpu.is_available():
            torch.xpu.empty_cache()
        if torch.backends.mps.is_available():
            torch.mps.empty_cache()


def memory_budget(device: Device) -> float:
    """Bytes that passes over tiles may take on a card.

    A part of the memory that is free or held by this process, at most what fitted after something
    larger had not (`remember`), and never more than the process's share of the card.
    """
    if isinstance(device, WebGpuDevice):
        budget = webgpu.memory_budget()
    else:
        free, total, own = _amounts(device)
        budget = min((free + own) * FREE_SHARE, process_share(total) * total)
    return min(budget, _fitted.get(str(device), budget))


def plane_budget(device: torch.device) -> float:
    """Bytes that the planes of a picture may take on a card; larger ones stay in the computer.

    A part of what the process may ever take, not of what is free just now: where planes lie decides
    how they are rounded, and the same dream is to have the same pixels again.
    """
    total = _amounts(device)[1]
    return PLANES_SHARE * process_share(total) * total


def process_share(total: float) -> float:
    """The share of a card with `total` bytes that this process may take, 0..1."""
    return max(0.5, min(PROCESS_SHARE, 1 - PAINTERS_OWN / total))


def remember(device: Device, fitted: float) -> None:
    """Keep passes on a card to `fitted` bytes from now on, as larger ones ran out of memory."""
    name = str(device)
    _fitted[name] = min(fitted, _fitted.get(name, fitted))


def fitted(device: Device) -> float | None:
    """What `remember` was told for a device; None: nothing."""
    return _fitted.get(str(device))


def forget() -> None:
    """Forget what `remember` was told."""
    _fitted.clear()


def limit(device: torch.device) -> None:
    """Tell torch which share of a card this process may take; once for each.

    Windows does not refuse memory, but moves other programs' out of the card: without a limit a
    dream would run at the speed of the bus, and the painter's program with it.
    """
    import torch

    if device.type not in {"cuda", "xpu"} or str(device) in _limited:
        return
    share = process_share(_amounts(device)[1])
    if device.type == "cuda":
        torch.cuda.set_per_process_memory_fraction(share, device)
    else:
        torch.xpu.set_per_process_memory_fraction(share, device)
    _limited.add(str(device))


def _amounts(device: torch.device) -> tuple[float, float, float]:
    """The bytes of a card that are free, all there are, and those that torch holds unused.

    Apple's cards share the computer's memory: half of what Metal recommends at most.
    """
    import torch

    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free, total, held
    if device.type == "xpu":
        total = torch.xpu.get_device_properties(device).total_memory
        free = total - torch.xpu.memory_reserved(device)
        with contextlib.suppress(RuntimeError):  # some drivers do not tell
            free, total = torch.xpu.mem_get_info(device)
        held = torch.xpu.memory_reserved(device) - torch.xpu.memory_allocated(device)
        return free, total, held
    most = float(torch.mps.recommended_max_memory()) / 2
    return most, most, 0.0
