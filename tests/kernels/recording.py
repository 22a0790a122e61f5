"""The kernel's work for a network, recorded: steps, pieces and the memory that they are about.

The record has no addresses: what was an address is the number of a region of memory and a place in
it. So `driver.cpp` can run it with a library for another processor.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dreamlayer.networks.executors.kernel import library, regions
from dreamlayer.networks.executors.kernel.executor import KernelExecutor
from dreamlayer.networks.executors.kernel.lowering import graph_of
from dreamlayer.networks.executors.kernel.memory_pool import MemoryPool
from dreamlayer.networks.program.lowering import Program

ADDRESSES = ("weights", "bias", "planes")
MAPS = ("in_", "out", "marks", "choices")
OFFSET_BITS = 40


@dataclass
class Region:
    """Memory that the work reads or writes; `before` is what was in it, None if it was free."""

    memory: Tensor
    before: bytes | None
    result: bool = False

    @property
    def begin(self) -> int:
        return self.memory.untyped_storage().data_ptr()

    @property
    def size(self) -> int:
        return self.memory.untyped_storage().nbytes()

    def contents(self) -> bytes:
        return ctypes.string_at(self.begin, self.size)


@dataclass
class Record:
    """Recorded work: `save` writes it for the driver; `results` are the numbers it computed."""

    variant: str
    regions: list[Region] = field(default_factory=list)
    calls: list[bytes] = field(default_factory=list)
    kinds: set[int] = field(default_factory=set)

    def add(self, memory: Tensor, *, free: bool = False, result: bool = False) -> None:
        """Know memory by its addresses, and, unless it is `free`, its present contents."""
        region = Region(memory, None, result)
        if all(known.begin != region.begin for known in self.regions):
            region.before = None if free else region.contents()
            self.regions.append(region)

    def call(
        self,
        steps: ctypes.Array[library.KernelStep],
        pieces: ctypes.Array[library.Piece],
        workspace: int,
    ) -> None:
        """Record one call of the library."""
        own = type(steps).from_buffer_copy(steps)
        for step in own:
            self.kinds.add(step.kind)
            for name in ADDRESSES:
                setattr(step, name, self._place(getattr(step, name)))
            for name in MAPS:
                getattr(step, name).data = self._place(getattr(step, name).data)
        numbers = struct.pack("<3q", len(own), len(pieces), self._place(workspace))
        self.calls.append(numbers + bytes(own) + bytes(pieces))

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            file.write(self.variant.encode().ljust(16, b"\0"))
            file.write(struct.pack("<2q", len(self.regions), len(self.calls)))
            for region in self.regions:
                stored = region.before is not None
                file.write(struct.pack("<3q", region.size, stored, region.result))
                file.write(region.before or b"")
            file.writelines(self.calls)

    def results(self) -> list[np.ndarray]:
        """Maps and gradients, as numbers in a row."""
        return [np.frombuffer(one.contents(), np.float32) for one in self.regions if one.result]

    def read_results(self, path: Path) -> list[np.ndarray]:
        """What the driver has written, in the order of `results`."""
        numbers = np.fromfile(path, np.float32)
        ends = np.cumsum([len(one) for one in self.results()])
        assert len(numbers) == ends[-1]
        return np.split(numbers, ends[:-1])

    def _place(self, address: int | None) -> int:
        if not address:
            return 0
        for number, region in enumerate(self.regions, 1):
            if 0 <= address - region.begin < region.size:
                return number << OFFSET_BITS | address - region.begin
        raise AssertionError("an address outside all known memory")


class RecordingPool(MemoryPool):
    """Tells the record of the memory that it lends."""

    record: Record

    def take(self, size: int) -> Tensor:
        memory = super().take(size)
        self.record.add(memory, free=True)
        return memory


@dataclass(frozen=True)
class RecordingLibrary(library.Library):
    """Records what it runs."""

    record: Record

    def run(self, steps, pieces, workspace, thread=0, shared=None):
        self.record.call(steps, pieces, workspace)
        super().run(steps, pieces, workspace, thread, shared)


class RecordingExecutor(KernelExecutor):
    """Runs a program with the kernel and records the work."""

    def __init__(self, kernel: library.Library, program: Program) -> None:
        self.record = Record(kernel.variant)
        recording = RecordingLibrary(**vars(kernel), record=self.record)
        super().__init__(recording, regions.with_good_origins(graph_of(program)), program)
        self._scratch = RecordingPool()
        self._scratch.record = self.record
        for direction in self._weights:
            for weights in direction:
                for memory in (weights.weight, weights.bias):
                    if memory is not None:
                        self.record.add(memory)

    def work(self, direction, plan, kept, elsewhere, planes, seeds=()):
        """See KernelExecutor.work."""
        self.record.add(kept)
        for memory in elsewhere.values():
            self.record.add(memory, free=True, result=True)
        backward = direction is plan.backward
        self.record.add(planes, free=backward, result=backward)
        for memory in seeds:
            self.record.add(memory)
        super().work(direction, plan, kept, elsewhere, planes, seeds)


def recorded(kernel: library.Library, program: Program, size: tuple[int, int]) -> Record:
    """Run a program forward and backward over a picture of noise; returns the work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        executor = RecordingExecutor(kernel, program)
        random = np.random.default_rng(7)  # the same numbers on every system, unlike torch's
        computed = executor.run(_noise(random, (1, 3, *size), 0.0))
        grads = [_noise(random, one.shape, -1.0) for one in computed.maps]
        computed.backward(grads)
    finally:
        torch.set_num_threads(threads)
    return executor.record


def _noise(random: np.random.Generator, shape: Sequence[int], least: float) -> Tensor:
    """Numbers from `least` to 1."""
    return torch.from_numpy(random.uniform(least, 1.0, shape).astype(np.float32))
