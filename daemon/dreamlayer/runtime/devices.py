"""Devices: which one computes a dream, what its errors mean, and the fallback to the CPU.

torch is imported when a device is used, not with this module: errors can be classified without it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, TypeAlias

from dreamlayer.runtime import webgpu
from dreamlayer.runtime.webgpu import WebGpuDevice

if TYPE_CHECKING:
    import torch

Device: TypeAlias = "torch.device | WebGpuDevice"

OUT_OF_MEMORY = (  # messages of the CPU's allocator, C++, CUDA, cuDNN, cuBLAS and MPS
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
    "_alloc_failed",
)
FAILED = (  # messages of CUDA, its libraries, AMD and Apple
    "cuda error",
    "cuda driver",
    "cuda unknown error",
    "cudaerror",
    "cudacachingallocator",
    "no cuda gpus",
    "cudnn error",
    "cudnn_status",
    "cublas error",
    "cublas_status",
    "hip error",
    "mps backend",
    "mtlcommandbuffer",
    "webgpu",
)
FREE_SHARE = 0.7  # of the free memory of a GPU that tiles are planned for
RETRY_AFTER = 60.0  # seconds; a driver needs a while after a reset
RETRIES = 3  # then a device is not tried again
ANSWER_WITHIN = 5.0  # seconds, for a tiny sum


class UnknownDevice(ValueError):
    """This computer does not have the requested device; the message is for the user."""


def find(name: str) -> Device:
    """Return the device called `name`; "auto" is the fastest one. Raises UnknownDevice."""
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        return WebGpuDevice() if webgpu.has_working_card() else torch.device("cpu")
    if name == webgpu.NAME:
        if problem := webgpu.problem():
            raise UnknownDevice(problem)
        return WebGpuDevice()
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UnknownDevice(
            f"There is no device {name!r:.40} here. Use auto, cpu, cuda, mps or webgpu."
        ) from error
    if device.type == "meta":
        raise UnknownDevice("The device 'meta' cannot compute anything.")
    return device


def tensors_on(device: Device) -> torch.device:
    """Return where the tensors of a dream are that a device computes."""
    import torch

    return torch.device("cpu") if isinstance(device, WebGpuDevice) else device


def describe(device: Device) -> str:
    """Return a device's name for the user, e.g. "cuda (NVIDIA GeForce RTX 4060)"."""
    import torch

    if isinstance(device, WebGpuDevice):
        card = webgpu.card_name()
        return f"{device} ({card})" if card else str(device)
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)


def free_memory() -> None:
    """Give the GPU memory that torch caches back to other programs."""
    import torch

    with contextlib.suppress(RuntimeError):  # a failed device cannot free its memory
        torch.cuda.empty_cache()
        if torch.backends.mps.is_available():
            torch.mps.empty_cache()


def memory_budget(device: Device) -> float:
    """Bytes that passes over tiles may take on a GPU."""
    import torch

    if isinstance(device, WebGpuDevice):
        return webgpu.memory_budget()
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] * FREE_SHARE
    return float(torch.mps.recommended_max_memory()) * FREE_SHARE / 2


def send(x: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return `x` on a device; a CUDA device copies it while other work goes on."""
    if x.device.type == device.type:
        return x
    if device.type == "cuda":
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)


def finish(device: Device) -> None:
    """Wait until a device has finished its work."""
    import torch

    if isinstance(device, WebGpuDevice):
        return  # whose passes end with reading their results
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the computer ran out of memory; a smaller tile may then succeed."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    message = str(error).lower()
    return isinstance(error, RuntimeError) and any(clue in message for clue in OUT_OF_MEMORY)


def is_device_failure(error: BaseException) -> bool:
    """Whether a device failed rather than the program: driver reset, unplugged or suspended."""
    if is_out_of_memory(error):
        return False
    message = str(error).lower()
    return type(error).__name__ == "AcceleratorError" or (
        isinstance(error, RuntimeError) and any(clue in message for clue in FAILED)
    )


class Devices:
    """Chooses devices for dreams; the CPU replaces devices that failed.

    A CUDA error mostly persists until the process ends. So a failed device is tested by a tiny sum
    before a later dream, a minute after the failure at the earliest. The test runs in a thread of
    its own, because a broken driver may never answer.
    """

    def __init__(self) -> None:
        self._failed: dict[Device, list[float]] = {}  # monotonic times
        self._worked: dict[str, Device] = {}  # {requested name: device}

    def choose(self, name: str) -> tuple[Device, str | None]:
        """Return the device for a dream that requests `name`, and a note for the user or None.

        Raises UnknownDevice.
        """
        import torch

        try:
            device = find(name)
        except UnknownDevice:
            if name not in self._worked:
                raise
            return torch.device("cpu"), self.fail(self._worked[name])
        if device in self._failed and not self._is_back(device):
            return torch.device("cpu"), _note(device)
        self._worked[name] = device
        return device, None

    def give_up(self, device: Device, error: BaseException) -> str | None:
        """Return a note for the user if the CPU should take over after an error; else None.

        A device that is out of memory, even for the smallest tile, does not count as failed: other
        programs have the memory, and may free it.
        """
        import torch

        if device == torch.device("cpu"):
            return None
        if is_out_of_memory(error):
            return f"{device} has no memory left beside other programs: the CPU dreams instead."
        return self.fail(device) if is_device_failure(error) else None

    def fail(self, device: Device) -> str:
        """Do not use a device for now; returns a note for the user."""
        self._failed.setdefault(device, []).append(time.monotonic())
        return _note(device)

    def _is_back(self, device: Device) -> bool:
        times = self._failed[device]
        if len(times) > RETRIES or time.monotonic() < times[-1] + RETRY_AFTER:
            return False
        if not answers(device):
            self.fail(device)
            return False
        return True


def answers(device: Device) -> bool:
    """Whether a device computes a tiny sum within ANSWER_WITHIN seconds."""
    sums: list[float] = []

    def add_up() -> None:
        import torch

        try:
            if isinstance(device, WebGpuDevice):
                sums.append(webgpu.add_up())
            else:
                sums.append(float(torch.ones(8, device=device).sum()))
        except (RuntimeError, MemoryError):  # reported by an empty list
            return

    thread = threading.Thread(target=add_up, name="device", daemon=True)
    thread.start()
    thread.join(ANSWER_WITHIN)
    return sums == [8.0]


def _note(device: Device) -> str:
    return (
        f"The graphics card ({device}) has stopped answering: the CPU dreams instead. If other"
        " programs can use it, `dreamlayer stop` lets the next dream use it again."
    )
