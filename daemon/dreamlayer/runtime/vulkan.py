"""The graphics cards that Vulkan knows, by its C interface: their names, kinds and memory.

WebGPU does not tell Python which card it takes. It takes a card before a processor that pretends to
be one, and so does this list. Drivers for Windows bring Vulkan along, too.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

from dreamlayer.runtime.kept_answer import KeptAnswer

LIBRARIES = {"linux": "libvulkan.so.1", "win32": "vulkan-1.dll"}
INSTANCE_CREATE_INFO = 1  # VkStructureType
DISCRETE, INTEGRATED, VIRTUAL = 2, 1, 3  # VkPhysicalDeviceType; 4 is a processor
ROOM = 4096  # bytes; larger than both structures that Vulkan fills
KIND_AT, NAME_AT, NAME_BYTES = 16, 20, 256  # in VkPhysicalDeviceProperties
HEAP_COUNT_AT, HEAPS_AT, HEAP_BYTES = 260, 264, 16  # in VkPhysicalDeviceMemoryProperties
ON_CARD = 1  # VK_MEMORY_HEAP_DEVICE_LOCAL_BIT


@dataclass(frozen=True)
class VulkanCard:
    """A card.

    Attributes:
        name: as its driver calls it.
        real: whether it is a graphics card, not a program that pretends to be one.
        memory: bytes of its largest memory; for graphics inside a processor, a part of the
            computer's.
    """

    name: str
    real: bool
    memory: int


class _InstanceCreateInfo(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int32),
        ("next", ctypes.c_void_p),
        ("flags", ctypes.c_uint32),
        ("application", ctypes.c_void_p),
        ("layer_count", ctypes.c_uint32),
        ("layers", ctypes.c_void_p),
        ("extension_count", ctypes.c_uint32),
        ("extensions", ctypes.c_void_p),
    )


def cards() -> tuple[VulkanCard, ...]:
    """Return the cards, the one that programs prefer first; none if there is no Vulkan here.

    Where there is no real one, it is looked for again after a while (`KeptAnswer`).
    """
    return _kept()


def _found() -> tuple[VulkanCard, ...]:
    library = LIBRARIES.get(sys.platform)
    if library is None:
        return ()
    try:
        vulkan = ctypes.CDLL(library)
    except OSError:
        return ()
    instance = ctypes.c_void_p()
    asked = _InstanceCreateInfo(type=INSTANCE_CREATE_INFO)
    if vulkan.vkCreateInstance(ctypes.byref(asked), None, ctypes.byref(instance)):
        return ()
    try:
        found = [_described(vulkan, handle) for handle in _handles(vulkan, instance)]
    finally:
        vulkan.vkDestroyInstance(instance, None)
    order = {DISCRETE: 0, INTEGRATED: 1, VIRTUAL: 2}
    ranked = sorted(found, key=lambda pair: order.get(pair[0], 3))
    return tuple(card for _, card in ranked)


_kept = KeptAnswer(_found, lambda found: any(card.real for card in found))


def _handles(vulkan: Any, instance: ctypes.c_void_p) -> list[ctypes.c_void_p]:
    count = ctypes.c_uint32()
    if vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None):
        return []
    handles = (ctypes.c_void_p * count.value)()
    if vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), handles) < 0:
        return []
    return [ctypes.c_void_p(handle) for handle in handles[: count.value]]


def _described(vulkan: Any, handle: ctypes.c_void_p) -> tuple[int, VulkanCard]:
    """The kind of a card, and the card."""
    told = ctypes.create_string_buffer(ROOM)
    vulkan.vkGetPhysicalDeviceProperties(handle, told)
    kind = int.from_bytes(told.raw[KIND_AT : KIND_AT + 4], "little")
    name = told.raw[NAME_AT : NAME_AT + NAME_BYTES].split(b"\0")[0].decode(errors="replace")
    vulkan.vkGetPhysicalDeviceMemoryProperties(handle, told)
    count = int.from_bytes(told.raw[HEAP_COUNT_AT : HEAP_COUNT_AT + 4], "little")
    sizes = [0]
    for number in range(count):
        heap = told.raw[HEAPS_AT + number * HEAP_BYTES :][:HEAP_BYTES]
        if int.from_bytes(heap[8:12], "little") & ON_CARD:
            sizes.append(int.from_bytes(heap[:8], "little"))
    real = kind in {DISCRETE, INTEGRATED, VIRTUAL}
    return kind, VulkanCard(" ".join(name.split()), real, max(sizes))
