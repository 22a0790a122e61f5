"""Which device computes a dream, and the fallback to the CPU.

torch is imported when a device is used, not with this module.
"""

from __future__ import annotations

import logging
import threading
import time

from dreamlayer.runtime import webgpu
from dreamlayer.runtime.devices.device import Device
from dreamlayer.runtime.devices.errors import is_device_failure, is_out_of_memory
from dreamlayer.runtime.webgpu import WebGpuDevice

log = logging.getLogger(__name__)

CARDS = ("cuda", "xpu", "mps")  # kinds of graphics cards that torch knows, the fastest first
RETRY_AFTER = 60.0  # seconds; a driver needs a while after a reset
RETRIES = 3  # then a device is not tried again
ANSWER_WITHIN = 5.0  # seconds, for a tiny sum


class UnknownDevice(ValueError):
    """This computer does not have the requested device; the message is for the user."""


def find(name: str) -> Device:
    """Return the device called `name`; "auto" is the fastest one. Raises UnknownDevice."""
    import torch

    if name == "auto":
        if kind := next((kind for kind in CARDS if _is_there(kind)), None):
            return torch.device(kind)
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
            f"There is no device {name!r:.40} here."
            f" Use auto, cpu, {', '.join(CARDS)} or {webgpu.NAME}."
        ) from error
    if device.type == "meta":
        raise UnknownDevice("The device 'meta' cannot compute anything.")
    return device


def describe_device(device: Device) -> str:
    """Return a device's name for the user, e.g. "cuda (NVIDIA GeForce RTX 4060)"."""
    import torch

    if isinstance(device, WebGpuDevice):
        card = webgpu.card_name()
        return f"{device} ({card})" if card else str(device)
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "xpu":
        return f"{device} ({torch.xpu.get_device_name(device)})"
    return str(device)


def _is_there(kind: str) -> bool:
    """Whether there is a card of a kind; no, if its driver or torch's part for it is broken."""
    import torch

    try:
        return bool((torch.backends.mps if kind == "mps" else getattr(torch, kind)).is_available())
    except Exception:  # whatever a driver says, the daemon has to start
        log.warning("asking for a device of kind %s failed", kind, exc_info=True)
        return False


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
        except Exception:  # reported by an empty list, whatever a driver says
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
