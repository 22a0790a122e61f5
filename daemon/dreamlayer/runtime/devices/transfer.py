"""Sends pictures to a device, and waits for its work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamlayer.runtime.devices.device import Device
from dreamlayer.runtime.webgpu import WebGpuDevice

if TYPE_CHECKING:
    import torch


def send(x: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return `x` on a device; a CUDA device copies it while other work goes on."""
    if x.device.type == device.type:
        return x
    if device.type == "cuda":
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)


def send_into(x: torch.Tensor, into: torch.Tensor) -> None:
    """Copy a small tensor of the computer's memory into one on a device, without waiting."""
    if into.device.type == "cuda":
        x = x.pin_memory()
    into.copy_(x, non_blocking=True)


def finish(device: Device) -> None:
    """Wait until a device has finished its work."""
    import torch

    if isinstance(device, WebGpuDevice):
        return  # whose passes end with reading their results
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "xpu":
        torch.xpu.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
