"""Graphics cards by WebGPU, which ONNX Runtime uses where torch has no small build for a card.

The packages are optional: `dreamlayer[webgpu]`. They are imported when a card is used.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dreamlayer.runtime import vulkan
from dreamlayer.runtime.kept_answer import KeptAnswer

NAME = "webgpu"
PROVIDER = "WebGpuExecutionProvider"  # ONNX Runtime's name for it
MODULES = ("onnx", "onnxruntime")
OUT_OF_MEMORY = ("out of memory", "outofmemory", "maxbuffersize", "bindingsize", "too large")
MEMORY_SHARE = 0.25  # of a card's memory that tiles are planned for: WebGPU does not tell what is
MOST_MEMORY = 2 << 30  # free; and the largest buffers of many cards have two GiB
UNKNOWN_MEMORY = 4 << 30
ONES = 64  # whose sum shows that a card computes


@dataclass(frozen=True)
class WebGpuDevice:
    """The card that WebGPU takes. Tensors can't lie on it: pictures stay on the CPU.

    Attributes:
        type: as torch.device's.
    """

    type: str = NAME

    def __str__(self) -> str:
        return self.type


class WebGpuError(RuntimeError):
    """A card failed rather than the program; the text is ONNX Runtime's."""


class WebGpuOutOfMemory(MemoryError):
    """A card has too little memory for a tile, or does not take buffers of its size."""


def installed() -> bool:
    """Whether the optional packages are here."""
    return all(importlib.util.find_spec(name) is not None for name in MODULES)


def has_working_card() -> bool:
    """Whether there is a graphics card that computes; a program that pretends to be one is not."""
    return installed() and not no_real_card() and not problem()


def no_real_card() -> str:
    """That there is no graphics card, a sentence for the user; "" if there is one."""
    if any(card.real for card in vulkan.cards()):
        return ""
    return (
        "Vulkan knows no graphics card here: install the card's driver, on Linux also Vulkan's"
        " library (libvulkan1) and Mesa's drivers for it."
    )


def card_name() -> str:
    """The name of the card that is probably taken, "" if it can't be told."""
    return next((card.name for card in vulkan.cards()), "")


def memory_budget() -> float:
    """Bytes that passes over tiles may take."""
    memory = next((card.memory for card in vulkan.cards()), 0) or UNKNOWN_MEMORY
    return min(memory * MEMORY_SHARE, MOST_MEMORY)


def problem() -> str:
    """Why WebGPU can't be used, a sentence for the user; "" if it computes a sum.

    Where it does not, it is asked again after a while: a driver may come back.
    """
    if not installed():
        return (
            "The packages for WebGPU are not installed: run install.py --device webgpu, or"
            " pip install 'dreamlayer[webgpu]'."
        )
    return _failure()


def _ask() -> str:
    try:
        total = add_up()
    except (RuntimeError, MemoryError, ImportError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = lines[-1].rpartition(" was false. ")[2]  # behind ONNX Runtime's own code
        return f"No graphics card answers WebGPU ({reason:.200}): use --device cpu."
    return "" if total == ONES else f"A sum on the graphics card is {total:g}, not {ONES}."


_failure = KeptAnswer(_ask, lambda told: not told)  # compiling takes a second


def add_up() -> float:
    """The sum of as many ones as ONES says, by WebGPU; raises WebGpuError, or ImportError."""
    import numpy as np
    from onnx import TensorProto, helper

    taken = helper.make_tensor_value_info("ones", TensorProto.FLOAT, [1, 1, 8, 8])
    given = helper.make_tensor_value_info("sum", TensorProto.FLOAT, [1, 1, 1, 1])
    kernel = helper.make_tensor("kernel", TensorProto.FLOAT, [1, 1, 8, 8], [1.0] * ONES)
    node = helper.make_node("Conv", ["ones", "kernel"], ["sum"])
    graph = helper.make_graph([node], "sum", [taken], [given], [kernel])
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    one = session(model, PROVIDER)
    with errors_told():
        (total,) = one.run(None, {"ones": np.ones((1, 1, 8, 8), np.float32)})
    return float(total.item())


def session(model: bytes, provider: str, threads: int = 0) -> Any:
    """Compile a serialized ONNX model for one provider, all of it; raises WebGpuError."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; warnings tell of nothing that a user could change
    options.intra_op_num_threads = threads
    if provider == PROVIDER:  # no part of the graph may silently run on the CPU
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    with errors_told():
        return onnxruntime.InferenceSession(model, options, providers=[provider], enable_fallback=0)


@contextlib.contextmanager
def errors_told() -> Iterator[None]:
    """Raise ONNX Runtime's errors as WebGpuError or WebGpuOutOfMemory."""
    try:
        yield
    except (MemoryError, WebGpuError):
        raise
    except Exception as error:  # its own kinds of errors have no common one
        text = f"WebGPU: {error}"
        if any(clue in text.lower() for clue in OUT_OF_MEMORY):
            raise WebGpuOutOfMemory(text) from error
        raise WebGpuError(text) from error
