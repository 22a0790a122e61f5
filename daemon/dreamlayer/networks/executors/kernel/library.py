"""The compiled kernel: found, loaded, and called through its plain C interface.

The sources lie under daemon/kernels; building Dreamlayer puts the library beside this file where
there is a compiler. Without it everything works the same, slower.
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
VARIANT = "DREAMLAYER_KERNEL_VARIANT"  # environment: avx512, avx2 or portable instead of the best

PICTURE, CONVOLVE, WINOGRAD, MAX_POOL, MAX_BACK, MEAN_POOL, MEAN_BACK, COPY, CLEAR, GRADIENT = (
    range(10)
)
ADD, RELU, MARK, GATE, CHOOSE = (1 << bit for bit in range(5))

ANOTHER = "The kernel is of another version: install Dreamlayer again."
PROGRESS = 16  # bytes that threads need to share a piece

Pair = c_int64 * 2


class Map(ctypes.Structure):
    """Some channels of a window of a feature map; see steps.h."""

    _fields_ = (
        ("data", c_void_p),
        *((name, c_int64) for name in ("height", "width", "row0", "rows", "begin", "pitch")),
        *((name, c_int64) for name in ("col0", "cols", "stride", "first", "depth")),
    )


class Marks(ctypes.Structure):
    """What ReLU let pass, or which cells were chosen; see steps.h."""

    _fields_ = (
        ("data", c_void_p),
        *((name, c_int64) for name in ("row0", "col0", "cols", "stride", "first")),
    )


class Step(ctypes.Structure):
    """One computation; see steps.h."""

    _fields_ = (
        ("kind", c_int64), ("finish", c_int64),
        ("in_", Map), ("out", Map), ("marks", Marks), ("choices", Marks),
        ("weights", c_void_p), ("bias", c_void_p),
        ("kernel", Pair), ("pace", Pair), ("padding", Pair), ("origin", Pair),
        ("block", c_int64), ("count_padding", c_int64),
        ("planes", c_void_p), ("plane", c_int64), ("line", c_int64), ("column", c_int64),
        ("left", c_int64), ("above", c_int64), ("width", c_int64), ("height", c_int64),
        ("scale", c_float * 3), ("shift", c_float * 3),
    )  # fmt: skip


class Piece(ctypes.Structure):
    """Some rows of what a step gives."""

    _fields_ = (("step", c_int64), ("first", c_int64), ("last", c_int64))


@dataclass(frozen=True)
class Library:
    """The loaded kernel, in the variant that this processor runs best.

    Attributes:
        variant: its name.
        panel: output channels whose weights lie together.
    """

    functions: ctypes.CDLL
    number: int
    variant: str
    panel: int

    def workspace(self, steps: Iterable[Step]) -> int:
        """Return how many numbers of workspace the steps need (one after the other)."""
        sizes = [self.functions.dreamlayer_workspace(self.number, step) for step in steps]
        return max(sizes, default=0)

    def run(
        self,
        steps: ctypes.Array[Step],
        pieces: ctypes.Array[Piece],
        workspace: int,
        thread: int = 0,
        shared: int | None = None,
    ) -> None:
        """Run pieces of steps in order, with a workspace at an address.

        Other Python threads go on meanwhile, and may run others, or share this work: each as
        another `thread` (0, 1 …), with the same `shared`, the address of PROGRESS bytes for each
        piece, zeros at first. ValueError for a step that makes no sense.
        """
        failed = self.functions.dreamlayer_run(
            self.number, steps, len(steps), pieces, len(pieces), workspace, thread, shared
        )
        if failed != -1:
            raise ValueError(f"Piece {failed} of what the kernel was given to do makes no sense.")


class Unusable(RuntimeError):
    """There is no kernel here, or not the variant asked for; the message says why."""


def library() -> Library:
    """Return the kernel; Unusable where there is none.

    The environment's DREAMLAYER_KERNEL_VARIANT chooses among those that the processor can run.
    """
    return _loaded(os.environ.get(VARIANT, ""))


def description() -> str:
    """Return in a sentence whether networks are run by the kernel on the CPU."""
    try:
        return f"The CPU kernel is there ({library().variant})."
    except Unusable as reason:
        return f"The CPU is slower than it could be: {reason}"


@cache
def _loaded(wanted: str) -> Library:
    if not LIBRARY.is_file():
        raise Unusable(
            "The kernel was not compiled: no C++ compiler was found at the installation."
        )
    try:
        functions = ctypes.CDLL(str(LIBRARY))
    except OSError as error:
        raise Unusable(f"The kernel cannot be loaded: {error}.") from error
    _declare(functions)
    if functions.dreamlayer_sizes() != ctypes.sizeof(Step) * 256 + PROGRESS:
        raise Unusable(ANOTHER)
    names = _variants(functions)
    if wanted and wanted not in names:
        raise Unusable(f"{VARIANT} is {wanted!r}; this processor can run {', '.join(names)}.")
    variant = wanted or next(iter(names))
    number = names[variant]
    return Library(functions, number, variant, functions.dreamlayer_panel(number))


def _variants(functions: ctypes.CDLL) -> dict[str, int]:
    """The numbers of the variants that this processor can run, the fastest first."""
    found: dict[str, int] = {}
    number = 0
    while (name := functions.dreamlayer_variant(number)) is not None:
        if name:
            found[name.decode()] = number
        number += 1
    return found


def _declare(functions: ctypes.CDLL) -> None:
    declare = {
        "variant": (ctypes.c_char_p, (c_int64,)),
        "panel": (c_int64, (c_int64,)),
        "sizes": (c_int64, ()),
        "workspace": (c_int64, (c_int64, POINTER(Step))),
        "run": (
            c_int64,
            (c_int64, POINTER(Step), c_int64, POINTER(Piece), c_int64, c_void_p, c_int64, c_void_p),
        ),
    }
    for name, (result, arguments) in declare.items():
        function = getattr(functions, f"dreamlayer_{name}", None)
        if function is None:
            raise Unusable(ANOTHER)
        function.restype, function.argtypes = result, arguments
