"""What computes: which device a dream goes to, and what its errors mean.

torch is imported when a device is asked for, not with this module: errors are understood without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

OUT_OF_MEMORY = (  # in the words of the CPU's allocator, C++, CUDA, cuDNN, cuBLAS and MPS
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
    "_alloc_failed",
)


class UnknownDevice(ValueError):
    """The device asked for is not in this machine."""


def find(name: str) -> torch.device:
    """The device of a name; "auto" is the best there is. Raises UnknownDevice."""
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UnknownDevice(
            f"There is no device {name!r:.40} here. Use auto, cpu, cuda or mps."
        ) from error
    if device.type == "meta":
        raise UnknownDevice("Nothing can be computed on the device 'meta'.")
    return device


def describe(device: torch.device) -> str:
    """A device's name for people, e.g. "cuda (NVIDIA GeForce RTX 4060)"."""
    import torch

    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device, or the computer, had no room: a smaller tile may well have."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and any(clue in words for clue in OUT_OF_MEMORY)
