"""The systems that the kernel is compiled for on another one, so that users need no compiler."""

from __future__ import annotations

import os
from dataclasses import dataclass

VARIABLE = "DREAMLAYER_KERNEL_TARGET"  # environment: the system to compile for; default: this one

NATIVE_FILE = "dreamkernel.dll" if os.name == "nt" else "dreamkernel.so"


@dataclass(frozen=True)
class KernelTarget:
    """A system and processor to compile for.

    Attributes:
        name: the platform in the name of the wheel.
        triple: Zig's name of it, with the oldest version of the system that the library runs on.
        file: the name under which the library is loaded there.
        x86: whether there are variants for AVX2 and AVX-512.
        compiling, linking: further options for the two.
    """

    name: str
    triple: str
    file: str = "dreamkernel.so"
    x86: bool = False
    compiling: tuple[str, ...] = ("-fPIC",)
    linking: tuple[str, ...] = ()


LINUX = ("-lc",)
MACOS = ("-lc", "-Wl,-install_name,@rpath/dreamkernel.so")
# No C runtime, whose start would have nothing to do; a hash of the contents in place of the time.
WINDOWS = ("-lkernel32", "-Wl,-Brepro")

TARGETS = {
    target.name: target
    for target in (
        KernelTarget("manylinux_2_17_x86_64", "x86_64-linux-gnu.2.17", x86=True, linking=LINUX),
        KernelTarget("manylinux_2_17_aarch64", "aarch64-linux-gnu.2.17", linking=LINUX),
        KernelTarget(
            "win_amd64", "x86_64-windows-gnu", "dreamkernel.dll", x86=True,
            compiling=("-DWITHOUT_RUNTIME",), linking=WINDOWS,
        ),
        KernelTarget("macosx_11_0_arm64", "aarch64-macos.11.0", linking=MACOS),
    )
}  # fmt: skip


class UnknownTarget(Exception):
    """There is no such target; the message is a sentence that lists those that there are."""


def requested_target() -> KernelTarget | None:
    """Return the target that the environment asks for, None without; raises UnknownTarget."""
    name = os.environ.get(VARIABLE, "")
    if name and name not in TARGETS:
        raise UnknownTarget(f"{VARIABLE} is {name!r}: it can be {', '.join(TARGETS)}.")
    return TARGETS[name] if name else None
