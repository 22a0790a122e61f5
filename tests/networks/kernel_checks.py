"""Comparisons of the kernel with torch in double precision, and of tilings with each other."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch

from dreamlayer.engine.objectives.objective import single_term
from dreamlayer.engine.objectives.terms import SquaresTerm
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.engine.tiling.tiled_gradient import TiledObjective
from dreamlayer.geometry import Window
from dreamlayer.networks.executors.kernel import library
from dreamlayer.networks.executors.kernel.executor import kernel_executor
from dreamlayer.networks.executors.kernel.library import KernelUnavailable
from dreamlayer.networks.program.lowering import program_of

HUGE = 1 << 20

# The tests run with another library than the installed one, such as one that Zig has built.
if other := os.environ.get("DREAMLAYER_TEST_KERNEL"):
    library.LIBRARY = Path(other)


def variants():
    """The kernel's variants to test; none on machines that cannot compile it."""
    try:
        kernel = library.library()
    except KernelUnavailable:
        if any(map(shutil.which, ("c++", "g++", "clang++"))):
            raise  # there should be a kernel
        return []
    return list(library._variants(kernel.functions))


VARIANTS = variants()


def reference(module, x, grads=None):
    """The maps and the gradient in double precision; `grads` are the maps if None."""
    module = module.double()
    exact = x.double().requires_grad_(True)
    computed = module(exact)
    maps = computed if isinstance(computed, tuple) else (computed,)
    grads = maps if grads is None else grads
    (gradient,) = torch.autograd.grad(maps, exact, [grad.detach().double() for grad in grads])
    module.float()
    return [one.detach() for one in maps], gradient


def error(computed, expected):
    return float((computed - expected).norm() / expected.norm().clamp_min(1e-30))


def check(module, height, width):
    """Compare forward and backward passes, with random gradients of the maps.

    Now and then an activation is so near to zero that its sign depends on rounding, and with it the
    gradient of what it sees; hardly ever with two pictures.
    """
    assert compare(module, height, width, 0) < 1e-5 or compare(module, height, width, 1) < 1e-5


def compare(module, height, width, seed):
    """Check the forward pass; returns the error of the backward pass."""
    random = torch.Generator().manual_seed(seed)
    x = torch.rand(1, 3, height, width, generator=random)
    executor = kernel_executor(program_of(module))
    computed = executor.run(x)
    grads = [torch.randn(one.shape, generator=random) for one in computed.maps]
    maps, gradient = reference(module, x, grads)
    assert all(error(a, b) < 5e-6 for a, b in zip(computed.maps, maps, strict=True))
    assert all(
        torch.equal(a, b)
        for a, b in zip(executor.infer(x, every(maps)), computed.maps, strict=True)
    )
    return error(computed.backward(grads), gradient)


def every(maps):
    return [((0, one.shape[-2]), (0, one.shape[-1])) for one in maps]


def tiled(network, size, side, margin=40):
    random = torch.Generator().manual_seed(2)
    picture = torch.rand(1, 3, *size, generator=random)
    canvas, total = PictureCanvas(*size, margin, (23, 29)), torch.zeros(1, 3, *size)
    tiles = TiledObjective(network, single_term(SquaresTerm()), canvas, Window.whole(*size), side)
    list(tiles.add_gradient(picture, total))
    return total, len(tiles.blocks)
