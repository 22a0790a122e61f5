"""The kernel under AddressSanitizer and UBSan: `python -m tests.fuzz.sanitized_kernel --help`.

Builds Dreamlayer's wheel with both sanitizers in the kernel, and runs random networks on random
crops with it, in each variant. Every buffer is exactly as long as asked for and filled with NaN, so
that reading beyond the end, or what was never written, is noticed. Results are compared with torch
in double precision. A finding ends the program with the sanitizer's report. Needs g++ with libasan.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

ROOT = Path(__file__).parents[2]
FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g"
LIBRARY = "dreamkernel.so"
VARIANTS = ("avx512", "avx2", "portable")


def build(folder: Path) -> Path:
    """Build the wheel with a compiler that adds the sanitizers; returns the kernel in it."""
    compiler = folder / "c++"
    compiler.write_text(f'#!/bin/sh\nexec g++ {FLAGS} "$@"\n', encoding="utf-8")
    compiler.chmod(0o755)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder)]
    subprocess.run([*command, str(ROOT)], env={**os.environ, "CXX": str(compiler)}, check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(LIBRARY)]
        if not names:
            sys.exit("The kernel could not be compiled with the sanitizers: is libasan installed?")
        return Path(archive.extract(names[0], folder))


def attack(library_file: Path, seconds: float, seed: int) -> str:
    """Run random networks with the library for some seconds; returns what was run, as a text.

    The process must have been started with libasan preloaded. AssertionError for a wrong result.
    """
    import torch

    from dreamlayer.networks.executors.kernel import library, memory_pool

    library.LIBRARY = library_file
    variant = os.environ[library.VARIANT]
    try:
        library.library()
    except library.KernelUnavailable:
        return f"| {variant} | this processor cannot run it | | |"

    def exact_buffer(_pool: memory_pool.MemoryPool, size: int) -> torch.Tensor:
        return torch.full((max(1, size),), 255, dtype=torch.uint8)  # as floats: NaN

    memory_pool.MemoryPool.take = exact_buffer  # type: ignore[method-assign]
    dice = Random(seed)
    counts: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        _attack_with_one_network(dice, counts)
    return f"| {variant} | {counts['networks']:,} | {counts['passes']:,} | {seconds:.0f} s |"


def _attack_with_one_network(dice: Random, counts: Counter[str]) -> None:
    import torch

    from dreamlayer.networks.executors.kernel.executor import kernel_executor
    from dreamlayer.networks.program.lowering import program_of
    from tests.networks.kernel_networks import network

    torch.manual_seed(dice.getrandbits(30))
    module = network(*_layers(dice))
    program = program_of(module)
    assert program is not None, module
    executor = kernel_executor(program)
    counts["networks"] += 1
    for _ in range(6):
        x = torch.rand(1, 3, *_size(dice))
        exact = x.double().requires_grad_(True)
        module.double()
        torch.set_num_threads(1)  # torch's small depthwise convolutions are slower with more
        try:
            expected = module(exact)
        except RuntimeError:  # the crop is too small for this network
            module.float()
            continue
        grad = torch.randn(expected.shape)
        (gradient,) = torch.autograd.grad(expected, exact, grad.double())
        module.float()
        kept = _part(dice, x.shape[2]), _part(dice, x.shape[3])
        torch.set_num_threads(2)
        computed = executor.run(x, None, kept)
        case = f"{module[1]} over {tuple(x.shape)}, pixels {kept}"
        assert (computed.maps[0] - expected).norm() <= 2e-5 * expected.norm(), case
        difference = computed.backward([grad]) - gradient[:, :, slice(*kept[0]), slice(*kept[1])]
        # Cells of a max pool that are nearly equal may be chosen differently in double precision.
        assert difference.norm() <= 0.05 * gradient.norm(), case
        counts["passes"] += 1


def _layers(dice: Random) -> list[nn.Module]:
    """Layers in a row, of the kinds that the kernel has, in odd sizes."""
    from torch import nn

    kernel, depth = (dice.randint(1, 7), dice.randint(1, 7)), dice.choice([1, 5, 16, 20, 48, 70])
    padding = tuple(dice.randint(0, side - 1) for side in kernel)
    layers: list[nn.Module] = [nn.Conv2d(3, depth, kernel, dice.randint(1, 4), padding)]
    for _ in range(dice.randint(0, 4)):
        more, depth = dice.choice(KINDS)(dice, depth)
        layers += more
    return layers


def _relu(dice: Random, depth: int) -> tuple[list[nn.Module], int]:
    from torch import nn

    return [dice.choice([nn.ReLU(), nn.ReLU6()])], depth


def _pool(dice: Random, depth: int) -> tuple[list[nn.Module], int]:
    from torch import nn

    side, pool = dice.randint(1, 4), dice.choice([nn.MaxPool2d, nn.AvgPool2d])
    padding, ceil = dice.randint(0, side // 2), dice.random() < 0.5
    return [pool(side, dice.randint(1, 4), padding, ceil_mode=ceil)], depth


def _convolution(dice: Random, depth: int) -> tuple[list[nn.Module], int]:
    """Any convolution, half of them depthwise, some behind padding that differs on each side."""
    from torch import nn

    kernel = dice.choice([(1, 1), (3, 3), (5, 5), (1, 7), (7, 1), (2, 2)])
    padding = tuple(dice.randint(0, side - 1) for side in kernel)
    stride = dice.choice([1, 1, 2, (dice.randint(1, 3), dice.randint(1, 3))])
    groups, out = (depth, depth) if dice.random() < 0.5 else (1, dice.choice(DEPTHS))
    layer = nn.Conv2d(depth, out, kernel, stride, padding, groups=groups)
    if dice.random() < 0.5:
        return [layer], out
    # Together with the convolution's own padding less than the kernel's side.
    (rows, columns), (high, wide) = padding, kernel
    edges = [
        dice.randrange(room) for room in (wide - columns, wide - columns, high - rows, high - rows)
    ]
    return [nn.ZeroPad2d(tuple(edges)), layer], out


def _block(dice: Random, depth: int) -> tuple[list[nn.Module], int]:
    """Branches that are concatenated, or a sum."""
    from tests.networks.kernel_networks import Fire, Inverted

    if dice.random() < 0.3:
        half = dice.choice([16, 32])
        return [Fire(depth, 16, half)], 2 * half
    kernel, out = dice.choice([3, 5]), dice.choice([depth, dice.choice(DEPTHS)])
    return [Inverted(depth, out, kernel, dice.choice([1, 2]))], out


def _norm(dice: Random, depth: int) -> tuple[list[nn.Module], int]:
    """Part of the convolution in front of it, or a step of its own behind something else."""
    from torch import nn

    norm = nn.BatchNorm2d(depth)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.normal_(norm.bias)
    return [norm], depth


DEPTHS = (5, 16, 24, 48, 64, 112, 130)
KINDS = (_relu, _relu, _pool, _convolution, _convolution, _block, _norm)


def _size(dice: Random) -> tuple[int, int]:
    """Height and width of a crop: ordinary, tiny, narrow or flat."""
    return dice.choice(
        [
            (dice.randint(8, 41), dice.randint(8, 90)),
            (dice.randint(1, 12), dice.randint(1, 12)),
            (dice.randint(60, 200), dice.randint(3, 20)),
            (16, dice.randint(200, 400)),
        ]
    )


def _part(dice: Random, length: int) -> tuple[int, int]:
    """Some of the pixels along one side; all of them half of the time."""
    if dice.random() < 0.5:
        return 0, length
    first = dice.randrange(length)
    return first, dice.randint(first + 1, length)


def _library_of_compiler(name: str) -> str:
    done = subprocess.run(
        ["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[1])
    parser.add_argument("--seconds", type=float, default=120, help="for each variant")
    parser.add_argument("--variant", choices=VARIANTS, action="append", help="default: all")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--library", type=Path, help=argparse.SUPPRESS)  # for the inner process
    options = parser.parse_args()
    if options.library:
        print(attack(options.library, options.seconds, options.seed), flush=True)
        return 0
    # With libstdc++: without it the sanitizer does not see the exceptions that torch throws.
    preloaded = " ".join(_library_of_compiler(name) for name in ("libasan.so", "libstdc++.so.6"))
    print("| variant | networks | passes | time |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        kernel = build(Path(folder))
        for variant in options.variant or VARIANTS:
            done = subprocess.run(
                [sys.executable, "-m", "tests.fuzz.sanitized_kernel", "--library", str(kernel),
                 "--seconds", str(options.seconds), "--seed", str(options.seed)],
                env={
                    **os.environ,
                    "LD_PRELOAD": preloaded,
                    # Python and torch free little at exit; that is none of the kernel's leaks.
                    "ASAN_OPTIONS": "detect_leaks=0",
                    "DREAMLAYER_KERNEL_VARIANT": variant,
                },
                check=False,
            )  # fmt: skip
            if done.returncode:
                return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
