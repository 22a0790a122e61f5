"""From a network's program to the kernel's operations, forward and backward.

Concatenated values are written side by side into one map, the root, so that concatenation costs
nothing. A ReLU becomes part of the operation in front of it, or of the max pool behind it. A
convolution adds to the other summand of its sum directly.
"""

from __future__ import annotations

from dataclasses import replace

from dreamlayer.networks.executors.kernel import library as kernel
from dreamlayer.networks.executors.kernel.backward import backward, check_order
from dreamlayer.networks.executors.kernel.operations import (
    COLOURS,
    GROUP,
    ChannelSlice,
    KernelGraph,
    KernelOperation,
    UnsupportedStep,
)
from dreamlayer.networks.executors.kernel.rewriting import PaddedConv, rewritten
from dreamlayer.networks.program import steps
from dreamlayer.networks.program.convolution import Pair
from dreamlayer.networks.program.lowering import Program

_CHOOSE_POSITIVE = kernel.CHOOSE | kernel.RELU


def graph_of(program: Program) -> KernelGraph:
    """Return the operations of a program; UnsupportedStep for a step the kernel cannot run."""
    return _GraphBuilder(rewritten(program)).graph()


class _GraphBuilder:
    """Builds the graph of one program, step by step."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.readers: dict[int, list[steps.Step]] = {}
        for step in program.steps:
            for value in step.inputs:
                self.readers.setdefault(value, []).append(step)
        self.places: dict[int, ChannelSlice] = {}  # of the values
        self.depths: list[int] = []
        self.strides: list[Pair] = []
        self.forward: list[KernelOperation] = []
        self.done: set[int] = set()  # values that are written, or part of others
        self.marked: dict[int, list[ChannelSlice]] = {}

    def graph(self) -> KernelGraph:
        channels = self._channels()
        self._lay_out(channels)
        for step in self.program.steps:
            if step.output not in self.done:
                self.done |= self._write(step)
        outputs = tuple(self.places[value] for value in self.program.outputs)
        marked = {
            root: sum(place.depth for place in places) == self.depths[root]
            for root, places in self.marked.items()
        }
        check_order(self.forward)
        back = backward(self.forward, outputs, self.depths, marked)
        return KernelGraph(
            tuple(self.forward), tuple(back), outputs,
            tuple(self.depths), tuple(self.strides), marked,
        )  # fmt: skip

    def _channels(self) -> dict[int, int]:
        """The number of channels of each value."""
        channels = {0: COLOURS}
        for step in self.program.steps:
            counts = [channels[value] for value in step.inputs]
            if isinstance(step, steps.Conv):
                channels[step.output] = step.weight.shape[0]
            elif isinstance(step, steps.Concat):
                channels[step.output] = sum(counts)
            else:
                channels[step.output] = counts[0]
        return channels

    def _lay_out(self, channels: dict[int, int]) -> None:
        """Give each value its slice: concatenations first, then their inputs within them."""
        for step in reversed(self.program.steps):
            place = self.places.get(step.output) or self._root(step.output, channels[step.output])
            if not isinstance(step, steps.Concat):
                continue
            first = 0
            for value in step.inputs:
                count = channels[value]
                if value in self.places or value == 0 or first % GROUP:
                    raise UnsupportedStep(
                        "A value that is concatenated twice, or not in whole groups of channels."
                    )
                depth = -(-count // GROUP) * GROUP
                self.places[value] = ChannelSlice(place.root, place.first + first, depth, count)
                first += count

    def _root(self, value: int, channels: int) -> ChannelSlice:
        depth = -(-channels // GROUP) * GROUP
        self.depths.append(depth)
        self.strides.append((1, 1))
        place = ChannelSlice(len(self.depths) - 1, 0, depth, channels)
        self.places[value] = place
        return place

    def _only_reader(self, value: int) -> steps.Step | None:
        """The only reader of a value; None if it has several or none, or is an output."""
        readers = self.readers.get(value, [])
        return readers[0] if len(readers) == 1 and value not in self.program.outputs else None

    def _write(self, step: steps.Step) -> set[int]:
        """Add the operations of a step and of those fused with it; returns the values covered."""
        value, done = step.output, {step.output}
        follower = self._only_reader(value)
        if isinstance(step, steps.Relu):
            if isinstance(follower, steps.MaxPool) and step.most is None:
                self._put(replace(self._pool(follower, step.inputs[0]), finish=_CHOOSE_POSITIVE))
                return done | {follower.output}
            copy = KernelOperation(kernel.COPY, self.places[step.inputs[0]], self.places[value])
            self._put(_through(copy, step))
        elif isinstance(step, steps.Normalise):
            self._picture(step)
        elif isinstance(step, steps.MaxPool):
            self._put(self._pool(step, step.inputs[0]))
        elif isinstance(step, steps.AvgPool):
            self._put(self._mean(step))
        elif isinstance(step, PaddedConv):
            return done | self._summed(step)
        elif isinstance(step, steps.Add):
            first, second = (self.places[read] for read in step.inputs)
            return done | self._sum(step, first, KernelOperation(kernel.COPY, second, second))
        elif not isinstance(step, steps.Concat):
            raise UnsupportedStep(f"{type(step).__name__}.")
        return done

    def _summed(self, step: PaddedConv) -> set[int]:
        """Add a convolution, and the sum it is part of if the other summand is already there.

        Returns the values covered.
        """
        last, convolution = self._only_reader(step.output), self._convolution(step)
        if isinstance(last, steps.Add):
            first, second = last.inputs
            other = first if second == step.output else second
            if other in self.done:
                return {last.output} | self._sum(last, self.places[other], convolution)
        return self._finished(step, convolution)

    def _sum(self, step: steps.Add, first: ChannelSlice, second: KernelOperation) -> set[int]:
        """Add a sum: a copy of the first summand, and an operation that adds the second to it."""
        copy = KernelOperation(kernel.COPY, first, self._target(step))
        self._put(copy)
        return self._finished(step, replace(second, finish=kernel.ADD))

    def _finished(self, step: steps.Step, operation: KernelOperation) -> set[int]:
        """Add the operation that completes a step's output, and the ReLU behind it.

        Returns the values covered.
        """
        relu = self._fusible(step)
        operation = replace(operation, target=self._target(step))
        if relu is None:
            self._put(operation)
            return set()
        self._put(_through(operation, relu))
        return {relu.output}

    def _fusible(self, step: steps.Step) -> steps.Relu | None:
        """The ReLU behind a step, if it can be part of it."""
        relu = self._only_reader(step.output)
        if not isinstance(relu, steps.Relu):
            return None
        behind = self._only_reader(relu.output)
        return None if isinstance(behind, steps.MaxPool) and relu.most is None else relu

    def _target(self, step: steps.Step) -> ChannelSlice:
        """Where a step writes to: its own place, or that of the ReLU that is part of it."""
        relu = self._fusible(step)
        return self.places[relu.output if relu else step.output]

    def _put(self, operation: KernelOperation) -> None:
        root = operation.target.root
        if operation.finish & kernel.MARK:
            self.marked.setdefault(root, []).append(operation.target)
        if operation.source is not None:
            rows, columns = self.strides[operation.source.root]
            self.strides[root] = (rows * operation.stride[0], columns * operation.stride[1])
        self.forward.append(operation)

    def _picture(self, step: steps.Normalise) -> None:
        follower = self._only_reader(step.output)
        if step.inputs != (0,) or len(self.readers[0]) > 1 or not isinstance(follower, steps.Conv):
            raise UnsupportedStep("A picture that is read by something else than one convolution.")
        root = self.places[step.output].root
        self.depths[root] = COLOURS
        place = self.places[step.output] = ChannelSlice(root, 0, COLOURS, COLOURS)
        scale = tuple((1 / step.std.double()).flatten().tolist())
        shift = tuple(step.mean.flatten().tolist())
        self._put(KernelOperation(kernel.PICTURE, None, place, scale=scale, shift=shift))

    def _convolution(self, step: PaddedConv) -> KernelOperation:
        source = self.places.get(step.inputs[0])
        if source is None:
            raise UnsupportedStep("A convolution of the picture before its normalisation.")
        sides = (step.weight.shape[2], step.weight.shape[3])
        tiled = sides == (3, 3) and step.stride == (1, 1) and source.depth != COLOURS
        kind = kernel.WINOGRAD if tiled else kernel.CONVOLVE
        if step.groups != 1:
            if not step.groups == source.channels == len(step.weight) or source.depth == COLOURS:
                raise UnsupportedStep("A convolution in groups that is not depthwise.")
            kind = kernel.DEPTHWISE
        return KernelOperation(
            kind, source, self.places[step.output], 0, sides, step.stride, step.padding,
            step.behind, weight=step.weight, bias=step.bias,
        )  # fmt: skip

    def _pool(self, step: steps.MaxPool, value: int) -> KernelOperation:
        if step.kernel[0] * step.kernel[1] >= 255 or value not in self.places:
            raise UnsupportedStep(
                "A pool with windows of 255 cells or more, whose choices do not fit into a byte."
            )
        place = self.places[step.output]
        return KernelOperation(
            kernel.MAX_POOL, self.places[value], place, kernel.CHOOSE,
            step.kernel, step.stride, step.padding, step.padding, step.ceil, chosen=place.root,
        )  # fmt: skip

    def _mean(self, step: steps.AvgPool) -> KernelOperation:
        return KernelOperation(
            kernel.MEAN_POOL, self.places[step.inputs[0]], self.places[step.output], 0,
            step.kernel, step.stride, step.padding, step.padding, step.ceil, step.count_padding,
        )  # fmt: skip


def _through(operation: KernelOperation, relu: steps.Relu) -> KernelOperation:
    """An operation followed by a ReLU."""
    finish = operation.finish | kernel.RELU | kernel.MARK
    if relu.most is None:
        return replace(operation, finish=finish)
    return replace(operation, finish=finish | kernel.BOUND, most=relu.most)
