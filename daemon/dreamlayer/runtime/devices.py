"""What computes: which device a dream goes to, what its errors mean, and what is done then.

torch is imported when a device is asked for, not with this module: errors are understood without.
"""

from __future__ import annotations

import contextlib
import threading
import time
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
FAILED = (  # CUDA's, its libraries', AMD's, Apple's
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
)
FREE_SHARE = 0.7  # of the free memory of a GPU that tiles are planned for
ASK_AGAIN_AFTER = 60.0  # seconds; a driver that was reset takes a while
ASK_AGAIN_TIMES = 3  # a device that fails again and again isn't worth the wait
ANSWER_WITHIN = 5.0  # seconds for a tiny sum


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


def free_memory() -> None:
    """Give the memory that torch holds for later back to the other programs."""
    import torch

    with contextlib.suppress(RuntimeError):  # a device that failed has none to give
        torch.cuda.empty_cache()
        if torch.backends.mps.is_available():
            torch.mps.empty_cache()


def memory_budget(device: torch.device) -> float:
    """Bytes that passes over tiles may take on a GPU."""
    import torch

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


def finish(device: torch.device) -> None:
    """Wait until a device has done what it was given to do."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device, or the computer, had no room: a smaller tile may well have."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and any(clue in words for clue in OUT_OF_MEMORY)


def is_device_failure(error: BaseException) -> bool:
    """Whether a device failed, not the program: its driver was reset, it was unplugged or slept."""
    if is_out_of_memory(error):
        return False
    words = str(error).lower()
    return type(error).__name__ == "AcceleratorError" or (
        isinstance(error, RuntimeError) and any(clue in words for clue in FAILED)
    )


class Devices:
    """The devices as dreams are sent to them: what failed is left alone, the CPU does its work.

    A CUDA error mostly stays until the process ends. So a device that failed is asked again with
    the next dream, a minute later at the earliest, whether it can add up: in a thread of its own,
    as a broken driver may never answer.
    """

    def __init__(self) -> None:
        self._failed: dict[torch.device, list[float]] = {}  # when, on the monotonic clock
        self._worked: dict[str, torch.device] = {}  # by the names that they were asked for by

    def choose(self, name: str) -> tuple[torch.device, str | None]:
        """The device for a dream that asks for `name`, and what is to be told about it.

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

    def give_up(self, device: torch.device, error: BaseException) -> str | None:
        """What to tell when the CPU takes over what `device` failed in; None if it can't help.

        A device that is out of memory, even for the smallest tile, is not done with: other programs
        have the memory, and may give it back.
        """
        import torch

        if device == torch.device("cpu"):
            return None
        if is_out_of_memory(error):
            return f"{device} has no memory left beside other programs: the CPU dreams instead."
        return self.fail(device) if is_device_failure(error) else None

    def fail(self, device: torch.device) -> str:
        """Leave a device alone from now on; returns what to tell."""
        self._failed.setdefault(device, []).append(time.monotonic())
        return _note(device)

    def _is_back(self, device: torch.device) -> bool:
        times = self._failed[device]
        if len(times) > ASK_AGAIN_TIMES or time.monotonic() < times[-1] + ASK_AGAIN_AFTER:
            return False
        if not answers(device):
            self.fail(device)
            return False
        return True


def answers(device: torch.device) -> bool:
    """Whether a device computes a tiny sum, in time."""
    found: list[float] = []

    def add_up() -> None:
        import torch

        try:
            found.append(float(torch.ones(8, device=device).sum()))
        except RuntimeError:  # said by nothing being found
            return

    asking = threading.Thread(target=add_up, name="device", daemon=True)
    asking.start()
    asking.join(ANSWER_WITHIN)
    return found == [8.0]


def _note(device: torch.device) -> str:
    return (
        f"The graphics card ({device}) has stopped answering: the CPU dreams instead. If other"
        " programs can use it, `dreamlayer stop` lets the next dream use it again."
    )
