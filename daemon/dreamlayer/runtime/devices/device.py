"""What computes a dream: one of torch's devices, or a card by WebGPU, which torch does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from dreamlayer.runtime.webgpu import WebGpuDevice

if TYPE_CHECKING:
    import torch

Device: TypeAlias = "torch.device | WebGpuDevice"


def tensors_on(device: Device) -> torch.device:
    """Return where the tensors of a dream are that a device computes."""
    import torch

    return torch.device("cpu") if isinstance(device, WebGpuDevice) else device
