"""Refuses a dream that would not fit into memory and disk, before it begins."""

from __future__ import annotations

from dreamlayer.engine.memory_need import MemoryNeed
from dreamlayer.networks.network import Network

GB = 1e9


class NoRoom(ValueError):
    """A dream takes more memory than there is; the message is for the user."""


def check_room(need: MemoryNeed, network: Network, memory: int, disk: int) -> None:
    """Raise NoRoom for a dream that takes more than `memory` and `disk`, the free bytes."""
    if need.working > memory:
        piece = "" if network.local else f" {network.name} sees a picture only in one piece."
        raise NoRoom(
            f"This dream would take about {_gb(need.working)} of memory, and {_gb(memory)} are"
            f" free.{piece} Dream on a smaller selection or layer, or choose an earlier layer or"
            " another network."
        )
    left = memory - need.working + disk
    if need.planes > left:
        raise NoRoom(
            f"The largest octave of this dream would take about {_gb(need.planes)}, and memory and"
            f" disk have {_gb(left)} free. Dream on a smaller selection or layer, or with fewer"
            " octaves above."
        )


def _gb(size: float) -> str:
    return f"{size / GB:.1f} GB"
