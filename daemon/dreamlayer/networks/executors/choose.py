"""The choice of the executor that runs a network: the only module that knows all of them."""

from __future__ import annotations

import contextlib
import os
from weakref import WeakSet

import torch
from torch import nn

from dreamlayer.networks.executors.autograd import AutogradExecutor
from dreamlayer.networks.executors.base import Executor
from dreamlayer.networks.executors.cuda.executor import CudaExecutor
from dreamlayer.networks.executors.kernel.executor import kernel_executor
from dreamlayer.networks.executors.kernel.library import KernelUnavailable
from dreamlayer.networks.executors.kernel.operations import UnsupportedStep
from dreamlayer.networks.executors.tape.executor import TapeExecutor
from dreamlayer.networks.program.lowering import program_of
from dreamlayer.runtime.devices.device import Device, tensors_on
from dreamlayer.runtime.webgpu import WebGpuDevice

CHOICE = "DREAMLAYER_ENGINE"  # environment: autograd, tape, kernel or onnx, for comparisons

_in_use: WeakSet[Executor] = WeakSet()


def choose(module: nn.Module, device: Device, dtype: torch.dtype) -> Executor:
    """Return the fastest executor for a frozen network (see program_of) on a device.

    The environment variable DREAMLAYER_ENGINE may demand a slower one. What a device can't run is
    run by the CPU: other networks, and on WebGPU's card the tape and the kernel.
    """
    executor = _fastest(module, device, dtype, os.environ.get(CHOICE, ""))
    _in_use.add(executor)
    return executor


def release_others(executor: Executor) -> None:
    """Give the memory back that all other executors hold for later passes."""
    for other in list(_in_use):
        if other is not executor:
            other.release()


def release_memory() -> None:
    """Give the memory that executors hold for later passes back to the system."""
    for executor in list(_in_use):
        executor.release()


def _fastest(module: nn.Module, device: Device, dtype: torch.dtype, choice: str) -> Executor:
    program = program_of(module) if choice != "autograd" else None
    if program is None:
        return AutogradExecutor(module)
    by_webgpu, where = isinstance(device, WebGpuDevice), tensors_on(device)
    if choice == "onnx" or (by_webgpu and choice not in {"tape", "kernel"}):
        from dreamlayer.networks.executors.onnx.executor import OnnxExecutor  # optional packages

        return OnnxExecutor(program, on_card=by_webgpu)
    if choice != "tape" and where.type in {"cuda", "xpu", "mps"}:
        return CudaExecutor(program, where)
    if choice != "tape" and where.type == "cpu" and dtype == torch.float32:
        with contextlib.suppress(KernelUnavailable, UnsupportedStep):
            return kernel_executor(program)
    return TapeExecutor(program)
