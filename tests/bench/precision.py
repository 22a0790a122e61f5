"""How near a card's 16-bit gradient is to float64, and which rounding costs how much.

python -m tests.bench.precision [--sides PX …] [--networks NAME …] [--pooling average]

Cosines of the gradient to float64's: the least of five photos, for
- float32 throughout, which nothing with fewer digits can be expected to pass;
- float64 in which only weights, only maps, or only gradients are rounded to float16;
- float16 throughout; as a card computes, whose first convolutions are in float32; and bfloat16
  in place of float16.
A card multiplies 16-bit numbers and adds up in float32; so does the CPU here. Networks that are not
part of Dreamlayer get their own weights if all are on this computer, else random ones. Ten minutes
on one core for 96 and 256 px, most of them for VGG16 in float64.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dreamlayer.networks.executors.cuda import precision
from dreamlayer.networks.executors.cuda.executor import CudaExecutor
from dreamlayer.networks.executors.cuda.precision import CastPass
from dreamlayer.networks.executors.tape import operations
from dreamlayer.networks.executors.tape.executor import TapeExecutor
from dreamlayer.networks.network import extract
from dreamlayer.networks.program.lowering import Program, program_of
from dreamlayer.networks.program.steps import Step
from dreamlayer.networks.registry import registry, user_store
from dreamlayer.networks.registry.catalogue import EMBEDDED
from tests.bench.card import NETWORKS
from tests.bench.speeds import steps
from tests.engine.looks import photo

LAYERS = NETWORKS | {"vgg16": "features.20"}  # of VGG16, what is bearable in float64
PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "raccoon.jpg", "china.jpg")
CPU = torch.device("cpu")


class FloatSums(TorchDispatchMode):
    """Convolutions of 16-bit numbers add up in float32, rounded once."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten.convolution.default and args[0].dtype.itemsize == 2:
            wide = [x.float() if isinstance(x, Tensor) else x for x in args]
            return func(*wide, **(kwargs or {})).to(args[0].dtype)
        return func(*args, **(kwargs or {}))


def gradient(executor: Any, x: Tensor) -> Tensor:
    """The gradient of the squares of a layer's cells; scaled on its way, as a card does."""
    computed = CastPass(executor.run(x), x.dtype)
    found: Tensor = computed.backward([2 * cells for cells in computed.maps])
    return found.double().flatten()


def cosine(one: Tensor, other: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(one, other, dim=0))


def rounded(numbers: Any) -> Any:
    """Numbers as float16 would have them, in their own format; anything else unchanged."""
    return numbers.half().to(numbers.dtype) if isinstance(numbers, Tensor) else numbers


class Rounding:
    """An operation of the tape whose maps, or gradients, are rounded."""

    def __init__(self, inner: Any, what: str) -> None:
        self._inner, self._what = inner, what

    def forward(self, run: Any, step: Step, inputs: list[Tensor]) -> tuple[Tensor, Any]:
        result, kept = self._inner.forward(run, step, inputs)
        return (rounded(result) if self._what == "maps" else result), kept

    def backward(self, run: Any, step: Step, grad: Tensor, kept: Any) -> list[Tensor]:
        grads = self._inner.backward(run, step, grad, kept)
        return [rounded(one) for one in grads] if self._what == "gradients" else grads


@contextlib.contextmanager
def rounding(what: str) -> Iterator[None]:
    """Within this context the tape rounds maps or gradients after each step."""
    kinds = {kind: Rounding(one, what) for kind, one in operations.OPERATIONS.items()}
    with mock.patch.dict(operations.OPERATIONS, kinds):
        yield


def with_rounded_weights(program: Program) -> Program:
    first, *others = program.steps
    fields = (
        replace(step, **{name: rounded(value) for name, value in vars(step).items()})
        for step in others
    )
    return Program((first, *fields), program.outputs)


def cosines(model: str, layer: str, side: int, pooling: str) -> dict[str, float]:
    """The least cosine of the photos, for each kind of numbers."""
    network = extract(model, [layer], pooling=pooling)
    narrow = program_of(network.module)
    double = extract(model, [layer], pooling=pooling).to(CPU, torch.float64)
    wide = program_of(double.module)
    assert narrow is not None
    assert wide is not None
    exact = TapeExecutor(wide)
    with mock.patch.object(precision, "front_length", lambda _: 1):
        throughout = CudaExecutor(narrow, CPU, "fp16")
    as_is = CudaExecutor(narrow, CPU)
    bfloat = CudaExecutor(narrow, CPU, "bf16")
    least: dict[str, float] = {}
    for name in PHOTOS:
        x = photo(name, max(side, network.minimum))
        expected = gradient(exact, x.double())
        found = {
            "float32": gradient(TapeExecutor(narrow), x),
            "weights": gradient(TapeExecutor(with_rounded_weights(wide)), x.double()),
        }
        for what in ("maps", "gradients"):
            with rounding(what):
                found[what] = gradient(exact, x.double())
        with FloatSums():
            found["float16"] = gradient(throughout, x)
            found["as on a card"] = gradient(as_is, x)
            found["bfloat16"] = gradient(bfloat, x)
        assert as_is.precision == "fp16"
        for kind, one in found.items():
            least[kind] = min(cosine(one, expected), least.get(kind, 1.0))
    return least


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sides", type=int, nargs="+", default=[96, 256], metavar="PX")
    parser.add_argument("--networks", nargs="+", choices=LAYERS, default=list(LAYERS))
    parser.add_argument("--pooling", choices=("max", "average"), default="max")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    specs = [registry.find(name) for name in arguments.networks]
    random, head = not all(map(registry.ready, specs)), False
    with tempfile.TemporaryDirectory() as folder:
        if random:
            user_store.keep_in(Path(folder) / "weights")
            steps.make_weights(Path(folder) / "weights", [])
        for model, spec in zip(arguments.networks, specs, strict=True):
            weights = ", random weights" if random and spec.weights != EMBEDDED else ""
            for side in arguments.sides:
                least = cosines(model, LAYERS[model], side, arguments.pooling)
                if not head:
                    print("| network, longer side |", " | ".join(least), "|")
                    print("|---" * (len(least) + 1) + "|")
                    head = True
                row = " | ".join(f"{value:.4f}" for value in least.values())
                print(f"| {model} {LAYERS[model]}{weights}, {side} px | {row} |", flush=True)


if __name__ == "__main__":
    main()
