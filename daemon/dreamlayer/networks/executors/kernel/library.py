"""Loads the compiled kernel and calls it through its plain C interface.

The sources are in daemon/kernels; building Dreamlayer puts the library beside this file if there is
a compiler. Without the library everything works the same, but slower. Structures and their fields
have the names of steps.h, where they are described.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from ctypes import POINTER, c_float, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).with_name("dreamkernel.dll" if os.name == "nt" else "dreamkernel.so")
VARIANT = "DREAMLAYER_KERNEL_VARIANT"  # environment: avx512, avx2 or portable; default: the fastest

PICTURE, CONVOLVE, WINOGRAD, MAX_POOL, MAX_BACK, MEAN_POOL, MEAN_BACK, COPY, CLEAR, GRADIENT = (
    range(10)
)
CONVOLVE_BACK, DEPTHWISE, DEPTHWISE_BACK = range(10, 13)
ADD, RELU, MARK, GATE, CHOOSE, BOUND = (1 << bit for bit in range(6))

WRONG_VERSION = "The kernel is of another version: install Dreamlayer again."
PROGRESS = 16  # bytes of shared state for each piece that threads work on together

Pair = c_int64 * 2


class MapSlice(ctypes.Structure):
    """Some channels of a window of a feature map; Map in steps.h."""

    _fields_ = (
        ("data", c_void_p),
        *((name, c_int64) for name in ("height", "width", "row0", "rows", "begin", "pitch")),
        *((name, c_int64) for name in ("col0", "cols", "stride", "first", "depth")),
    )


class Marks(ctypes.Structure):
    """Which cells were positive (ReLU) or were chosen (max pool); see steps.h."""

    _fields_ = (
        ("data", c_void_p),
        *((name, c_int64) for name in ("row0", "col0", "cols", "stride", "first")),
    )


class KernelStep(ctypes.Structure):
    """One operation with its addresses; Step in steps.h."""

    _fields_ = (
        ("kind", c_int64), ("finish", c_int64),
        ("in_", MapSlice), ("out", MapSlice), ("marks", Marks), ("choices", Marks),
        ("weights", c_void_p), ("bias", c_void_p),
        ("kernel", Pair), ("pace", Pair), ("padding", Pair), ("origin", Pair),
        ("block", c_int64), ("count_padding", c_int64),
        ("planes", c_void_p), ("plane", c_int64), ("line", c_int64), ("column", c_int64),
        ("left", c_int64), ("above", c_int64), ("width", c_int64), ("height", c_int64),
        ("scale", c_float * 3), ("shift", c_float * 3), ("most", c_float),
    )  # fmt: skip


class Piece(ctypes.Structure):
    """Some rows of a step's output."""

    _fields_ = (("step", c_int64), ("first", c_int64), ("last", c_int64))


@dataclass(frozen=True)
class Library:
    """The loaded kernel in one of its variants, by default the fastest on this processor.

    Attributes:
        number, variant: the variant's number and name.
        panel: output channels whose weights are stored together.
    """

    functions: ctypes.CDLL
    number: int
    variant: str
    panel: int

    def workspace(self, steps: Iterable[KernelStep]) -> int:
        """Return the floats of workspace that the steps need, run one after the other."""
        sizes = [self.functions.dreamlayer_workspace(self.number, step) for step in steps]
        return max(sizes, default=0)

    def run(
        self,
        steps: ctypes.Array[KernelStep],
        pieces: ctypes.Array[Piece],
        workspace: int,
        thread: int = 0,
        shared: int | None = None,
    ) -> None:
        """Run pieces of steps in order.

        Python's lock is released meanwhile. Several threads may share the work: each calls this
        with another `thread`, a `workspace` of its own and the same `shared`.

        Args:
            steps, pieces: the work.
            workspace: address of the workspace.
            thread: 0, 1 …
            shared: address of PROGRESS bytes for each piece, zeros at first; None for one thread.

        Raises:
            ValueError: a step is invalid.
        """
        failed = self.functions.dreamlayer_run(
            self.number, steps, len(steps), pieces, len(pieces), workspace, thread, shared
        )
        if failed != -1:
            raise ValueError(f"Piece {failed} of the kernel's work makes no sense.")


class KernelUnavailable(RuntimeError):
    """There is no kernel, or not the requested variant; the message is a sentence that says why."""


def library() -> Library:
    """Return the kernel; raises KernelUnavailable.

    The environment variable DREAMLAYER_KERNEL_VARIANT chooses among those the processor can run.
    """
    return _loaded(os.environ.get(VARIANT, ""))


def description() -> str:
    """Return a sentence for the user: whether the kernel runs networks on the CPU."""
    try:
        return f"The CPU kernel is there ({library().variant})."
    except KernelUnavailable as reason:
        return f"The CPU is slower than it could be: {reason}"


@cache
def _loaded(requested: str) -> Library:
    if not LIBRARY.is_file():
        raise KernelUnavailable(
            "The kernel was not compiled: no C++ compiler was found at the installation."
        )
    try:
        functions = ctypes.CDLL(str(LIBRARY))
    except OSError as error:
        raise KernelUnavailable(f"The kernel cannot be loaded: {error}.") from error
    _declare(functions)
    if functions.dreamlayer_sizes() != ctypes.sizeof(KernelStep) * 256 + PROGRESS:
        raise KernelUnavailable(WRONG_VERSION)
    names = _variants(functions)
    if requested and requested not in names:
        raise KernelUnavailable(
            f"{VARIANT} is {requested!r}; this processor can run {', '.join(names)}."
        )
    variant = requested or next(iter(names))
    number = names[variant]
    return Library(functions, number, variant, functions.dreamlayer_panel(number))


def _variants(functions: ctypes.CDLL) -> dict[str, int]:
    """Return {name: number} of the variants this processor can run, the fastest first."""
    variants: dict[str, int] = {}
    number = 0
    while (name := functions.dreamlayer_variant(number)) is not None:
        if name:
            variants[name.decode()] = number
        number += 1
    return variants


def _declare(functions: ctypes.CDLL) -> None:
    declare = {
        "variant": (ctypes.c_char_p, (c_int64,)),
        "panel": (c_int64, (c_int64,)),
        "sizes": (c_int64, ()),
        "workspace": (c_int64, (c_int64, POINTER(KernelStep))),
        "run": (
            c_int64,
            (
                c_int64,
                POINTER(KernelStep),
                c_int64,
                POINTER(Piece),
                c_int64,
                c_void_p,
                c_int64,
                c_void_p,
            ),
        ),
    }
    for name, (result, arguments) in declare.items():
        function = getattr(functions, f"dreamlayer_{name}", None)
        if function is None:
            raise KernelUnavailable(WRONG_VERSION)
        function.restype, function.argtypes = result, arguments
