"""Stand-ins for a graphics card: tensors of the CPU that are treated as a card's, and counting."""

from __future__ import annotations

from collections import Counter

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dreamlayer.engine.ascent import conditioning, octave_steps, regularisers
from dreamlayer.engine.image import planes, pyramid, resampling
from dreamlayer.engine.painting import stage_painter
from dreamlayer.networks.executors.cuda.executor import CudaExecutor
from dreamlayer.networks.network import Network
from dreamlayer.networks.program.lowering import program_of
from tests.networks.recorders import Deferring

KNOW_CARDS = (
    conditioning, octave_steps, planes, pyramid, regularisers, resampling, stage_painter,
)  # fmt: skip
# Operations that launch nothing: they describe memory, or allocate it.
VIEWS = (
    "slice", "view", "permute", "detach", "expand", "split", "split_with_sizes", "select", "alias",
    "t", "transpose", "unsqueeze", "squeeze", "_unsafe_view", "_reshape_alias", "as_strided",
    "empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "unbind",
    "lift_fresh", "view_as_complex", "view_as_real",
)  # fmt: skip
READS = ("_local_scalar_dense", "item", "nonzero", "equal")
# What a backend is known to refuse or to get wrong, though torch has it.
FORBIDDEN = {
    "mps": {
        "number formats": (torch.float64, torch.complex128),
        "operations": ("remainder.Scalar int64", "clamp.out view"),
    },
    # Arc's first generation computes no doubles.
    "xpu": {"number formats": (torch.float64, torch.complex128), "operations": ()},
    "cuda": {"number formats": (), "operations": ()},
}


def pretend(monkeypatch) -> None:
    """Treat pictures on the CPU as a card's."""
    for module in KNOW_CARDS:
        monkeypatch.setattr(module, "is_card", lambda device: True)


def with_card(network: Network, precision: str = "fp32") -> Deferring:
    """Run a network as on a card that records; returns the stand-in for the recorder."""
    recorder = Deferring()
    vars(network)["_executor"] = CudaExecutor(
        program_of(network.module), network.device, precision, recorder
    )
    return recorder


class Operations(TorchDispatchMode):
    """Counts what a card would launch, and finds what it may not do.

    Attributes:
        launches: by the name of the operation.
        reads: operations after which the computer waits for the card.
        copies: from the computer's memory to the card, or back.
        mixes: operations with tensors on several devices that are no copies.
        formats: the number formats of all tensors on the card.
        doubtful: operations of `FORBIDDEN`.
    """

    def __init__(self, card: str) -> None:
        super().__init__()
        self.card = card
        self.launches = Counter()
        self.reads, self.copies, self.mixes, self.doubtful = [], [], [], []
        self.formats = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        before = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)]
        result = func(*args, **kwargs)
        if func is torch.ops.aten.convolution.default and self.card == "meta":
            result = _laid_out(result, args[:2])
        after = [x for x in tree_leaves(result) if isinstance(x, torch.Tensor)]
        name = func._schema.name.split("::")[1]
        devices = {x.device.type for x in (*before, *after) if x.dim() or x.device.type != "cpu"}
        if name in READS and self.card in devices:
            self.reads.append(name)
        if len(devices) > 1:
            (self.copies if name in ("copy_", "_to_copy") else self.mixes).append(name)
        elif self.card in devices and name not in VIEWS:
            self.launches[name] += 1
        if self.card in devices:
            self.formats |= {x.dtype for x in (*before, *after)}
            self._doubt(name, func, kwargs, before)
        return result

    def _doubt(self, name, func, kwargs, before) -> None:
        if name.startswith("remainder") and before[0].dtype == torch.int64:
            self.doubtful.append("remainder.Scalar int64")
        out = kwargs.get("out")
        if name == "clamp" and out is not None and out._is_view():
            self.doubtful.append("clamp.out view")


def _laid_out(result: torch.Tensor, inputs) -> torch.Tensor:
    """The result of a convolution, laid out as a card does; torch forgets it without memory."""
    last = any(x.is_contiguous(memory_format=torch.channels_last) for x in inputs)
    return result.contiguous(memory_format=torch.channels_last) if last else result
