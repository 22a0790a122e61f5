"""Whether a dream fits onto the card, or into memory and disk; else it is refused at once."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from dreamlayer.engine import quick_look
from dreamlayer.engine.dream import dream_sizes
from dreamlayer.engine.memory_need import MemoryNeed, memory_need
from dreamlayer.networks.network import Network
from dreamlayer.runtime import plane_storage
from dreamlayer.runtime.devices import memory
from dreamlayer.runtime.plane_storage import PlaneStorage
from dreamlayer.studio.inputs import DecodedRequest

GB = 1e9
CPU = torch.device("cpu")


class NoRoom(ValueError):
    """A dream takes more memory than there is; the message is for the user."""


def place_for_planes(network: Network, inputs: DecodedRequest) -> torch.device:
    """Where a dream's pictures lie: on the network's card if they fit there, else in the computer.

    Then the card gets their tiles one by one.
    """
    device = network.device
    if device.type == "cpu" or is_too_small(network, inputs):
        return device
    fits = needed(network, inputs).on_card <= memory.plane_budget(device)
    return device if fits else CPU


def is_too_small(network: Network, inputs: DecodedRequest) -> bool:
    """Whether a picture is too small for the network, which the engine says."""
    return min(inputs.picture.shape[-2:]) < network.minimum


def needed(network: Network, inputs: DecodedRequest) -> MemoryNeed:
    """What a dream takes."""
    recipe, (height, width) = inputs.recipe, inputs.picture.shape[-2:]
    if inputs.quick:
        sizes = quick_look.look_sizes((height, width), recipe, inputs.reduced, network.minimum)
    else:
        sizes = dream_sizes((height, width), recipe, network.minimum)
    guide_area = math.prod(inputs.guide.shape[-2:]) if inputs.guide else 0
    return memory_need(network, recipe, inputs.window, (height, width), sizes, guide_area)


def check_room(network: Network, inputs: DecodedRequest, room: PlaneStorage) -> None:
    """Raise NoRoom if a dream whose planes are in the computer does not fit there."""
    need = needed(network, inputs)
    if network.device.type != "cpu":
        need = replace(need, working=0.0)  # the passes are on the card
    check(need, network, plane_storage.free_memory(), plane_storage.free_disk(room.folder))


def check(need: MemoryNeed, network: Network, free: int, disk: int) -> None:
    """Raise NoRoom for a dream that takes more than `free` bytes of memory and `disk`."""
    if need.working > free:
        piece = "" if network.local else f" {network.name} sees a picture only in one piece."
        raise NoRoom(
            f"This dream would take about {_gb(need.working)} of memory, and {_gb(free)} are"
            f" free.{piece} Dream on a smaller selection or layer, or choose an earlier layer or"
            " another network."
        )
    left = free - need.working + disk
    if need.planes > left:
        raise NoRoom(
            f"The largest octave of this dream would take about {_gb(need.planes)}, and memory and"
            f" disk have {_gb(left)} free. Dream on a smaller selection or layer, or with fewer"
            " octaves above."
        )


def _gb(size: float) -> str:
    return f"{size / GB:.1f} GB"
