"""Compares a network's gradient by WebGPU with the tape's, and prints the errors.

A process of its own: Vulkan reads the environment once. Arguments: px of the picture, then a
network and its layers, or "everything" for every kind of step.
"""

from __future__ import annotations

import json
import sys

import torch

from dreamlayer.networks.executors.onnx.executor import OnnxExecutor
from dreamlayer.networks.executors.onnx.pass_graphs import PassShape
from dreamlayer.networks.network import extract
from dreamlayer.networks.program.lowering import Program, program_of
from dreamlayer.networks.registry import registry
from dreamlayer.runtime import vulkan
from tests.engine.networks import with_random_weights
from tests.networks.onnx_checks import errors
from tests.networks.test_program import Everything, traced

EMBEDDED = ("squeezenet1_1", "efficientnet-lite0")


def main(side: int, name: str, *layers: str) -> None:
    assert [card.real for card in vulkan.cards()] == [False]
    load = registry.load
    registry.load = lambda n: load(n) if n in EMBEDDED else with_random_weights(n)
    every_step = name == "everything"
    module = traced(Everything()).float() if every_step else extract(name, layers).module
    x = torch.rand(1, 3, side, side + 8, generator=torch.Generator().manual_seed(1))
    program = program_of(module)
    compile_parts(program, side)
    print(json.dumps(errors(program, x, on_card=True)))


def compile_parts(program: Program, side: int) -> None:
    """Compile graphs for parts of pictures, whose slices and pads are others."""
    executor = OnnxExecutor(program, on_card=True)
    for inset in (2, 5):
        size = (side + 3, side + 5 * inset)
        outputs = tuple(
            ((rows[1] // inset, rows[1]), (0, columns[1] - columns[1] // inset))
            for rows, columns in executor._grids(size)
        )
        kept = (inset, size[0] - inset), (0, size[1] - 2 * inset)
        executor._compiled(PassShape(size, outputs, kept))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
