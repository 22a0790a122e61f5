"""A network's program as the kernel computes it: which operations, forth and back, on which maps.

Values that are concatenated lie side by side in one map, the root, from the start, so that
concatenation costs nothing. ReLU belongs to what is in front of it, or to the maximum behind it.
"""

from __future__ import annotations

from dataclasses import replace

from dreamlayer.networks.executors.kernel import library as kernel
from dreamlayer.networks.executors.kernel.backward import backward, check_order
from dreamlayer.networks.executors.kernel.operations import (
    COLOURS,
    GROUP,
    Graph,
    Operation,
    Place,
    Uncovered,
)
from dreamlayer.networks.program import steps
from dreamlayer.networks.program.convolution import Pair
from dreamlayer.networks.program.lowering import Program

_RELU = kernel.RELU | kernel.MARK
_CHOOSE_POSITIVE = kernel.CHOOSE | kernel.RELU


def graph_of(program: Program) -> Graph:
    """Return the operations of a program; Uncovered if the kernel cannot run one of its steps."""
    return _Builder(program).graph()


class _Builder:
    """Takes a program step by step."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.readers: dict[int, list[steps.Step]] = {}
        for step in program.steps:
            for value in step.inputs:
                self.readers.setdefault(value, []).append(step)
        self.places: dict[int, Place] = {}  # of the values
        self.depths: list[int] = []
        self.paces: list[Pair] = []
        self.forward: list[Operation] = []
        self.marked: dict[int, list[Place]] = {}

    def graph(self) -> Graph:
        channels = self._channels()
        self._lay_out(channels)
        done: set[int] = set()
        for step in self.program.steps:
            if step.output not in done:
                done |= self._write(step)
        outputs = tuple(self.places[value] for value in self.program.outputs)
        marked = {
            root: sum(place.depth for place in places) == self.depths[root]
            for root, places in self.marked.items()
        }
        check_order(self.forward)
        back = backward(self.forward, outputs, self.depths, marked)
        return Graph(
            tuple(self.forward), tuple(back), outputs,
            tuple(self.depths), tuple(self.paces), marked,
        )  # fmt: skip

    def _channels(self) -> dict[int, int]:
        """The channels of each value."""
        found = {0: COLOURS}
        for step in self.program.steps:
            counts = [found[value] for value in step.inputs]
            if isinstance(step, steps.Conv):
                found[step.output] = step.weight.shape[0]
            elif isinstance(step, steps.Concat):
                found[step.output] = sum(counts)
            else:
                found[step.output] = counts[0]
        return found

    def _lay_out(self, channels: dict[int, int]) -> None:
        """Give each value its place: a concatenation first, then what it is made of, in it."""
        for step in reversed(self.program.steps):
            place = self.places.get(step.output) or self._root(step.output, channels[step.output])
            if not isinstance(step, steps.Concat):
                continue
            first = 0
            for value in step.inputs:
                count = channels[value]
                if value in self.places or value == 0 or first % GROUP:
                    raise Uncovered("A value that is concatenated twice, or not in whole groups.")
                depth = -(-count // GROUP) * GROUP
                self.places[value] = Place(place.root, place.first + first, depth, count)
                first += count

    def _root(self, value: int, channels: int) -> Place:
        depth = -(-channels // GROUP) * GROUP
        self.depths.append(depth)
        self.paces.append((1, 1))
        place = Place(len(self.depths) - 1, 0, depth, channels)
        self.places[value] = place
        return place

    def _alone(self, value: int) -> steps.Step | None:
        """The one step that reads a value which is no map; None if there are others, or none."""
        readers = self.readers.get(value, [])
        return readers[0] if len(readers) == 1 and value not in self.program.outputs else None

    def _write(self, step: steps.Step) -> set[int]:
        """Write down a step, and what becomes part of it; returns the values that are done."""
        value, done = step.output, {step.output}
        follower = self._alone(value)
        if isinstance(step, steps.Relu):
            if step.most is not None:
                raise Uncovered("ReLU6.")
            if isinstance(follower, steps.MaxPool):
                self._put(replace(self._pool(follower, step.inputs[0]), finish=_CHOOSE_POSITIVE))
                return done | {follower.output}
            copy = Operation(kernel.COPY, self.places[step.inputs[0]], self.places[value])
            self._put(replace(copy, finish=_RELU))
        elif isinstance(step, steps.Normalise):
            self._picture(step)
        elif isinstance(step, steps.MaxPool):
            self._put(self._pool(step, step.inputs[0]))
        elif isinstance(step, steps.AvgPool):
            self._put(self._mean(step))
        elif isinstance(step, steps.Conv | steps.Add):
            joined = isinstance(follower, steps.Relu) and follower.most is None
            behind = self._alone(follower.output) if joined and follower else None
            if follower is not None and joined and not isinstance(behind, steps.MaxPool):
                done.add(follower.output)
                self._sum(step, follower.output, _RELU)
            else:
                self._sum(step, value, 0)
        elif not isinstance(step, steps.Concat):
            raise Uncovered(f"{type(step).__name__}.")
        return done

    def _sum(self, step: steps.Step, value: int, finish: int) -> None:
        """A step that adds up, with what is done to the sum, which is then `value`."""
        if isinstance(step, steps.Conv):
            self._put(replace(self._convolution(step), target=self.places[value], finish=finish))
            return
        one, other = (self.places[read] for read in step.inputs)
        self._put(Operation(kernel.COPY, one, self.places[value]))
        self._put(Operation(kernel.COPY, other, self.places[value], finish=kernel.ADD | finish))

    def _put(self, one: Operation) -> None:
        root = one.target.root
        if one.finish & kernel.MARK:
            self.marked.setdefault(root, []).append(one.target)
        if one.source is not None:
            rows, columns = self.paces[one.source.root]
            self.paces[root] = (rows * one.pace[0], columns * one.pace[1])
        self.forward.append(one)

    def _picture(self, step: steps.Normalise) -> None:
        follower = self._alone(step.output)
        if step.inputs != (0,) or len(self.readers[0]) > 1 or not isinstance(follower, steps.Conv):
            raise Uncovered("A picture that something else than one convolution reads.")
        root = self.places[step.output].root
        self.depths[root] = COLOURS
        place = self.places[step.output] = Place(root, 0, COLOURS, COLOURS)
        scale = tuple((1 / step.std.double()).flatten().tolist())
        shift = tuple(step.mean.flatten().tolist())
        self._put(Operation(kernel.PICTURE, None, place, scale=scale, shift=shift))

    def _convolution(self, step: steps.Conv) -> Operation:
        source = self.places.get(step.inputs[0])
        if source is None or step.groups != 1:
            raise Uncovered("A convolution in groups, or of the picture as it is.")
        if step.stride != (1, 1) and source.depth != COLOURS:
            raise Uncovered("A convolution with a stride that is not the first.")
        sides = (step.weight.shape[2], step.weight.shape[3])
        tiled = sides == (3, 3) and source.depth != COLOURS
        return Operation(
            kernel.WINOGRAD if tiled else kernel.CONVOLVE,
            source, self.places[step.output], 0, sides, step.stride, step.padding,
            weight=step.weight, bias=step.bias,
        )  # fmt: skip

    def _pool(self, step: steps.MaxPool, value: int) -> Operation:
        if step.kernel[0] * step.kernel[1] >= 255 or value not in self.places:
            raise Uncovered("A pool with larger windows than a byte can number.")
        place = self.places[step.output]
        return Operation(
            kernel.MAX_POOL, self.places[value], place, kernel.CHOOSE,
            step.kernel, step.stride, step.padding, step.ceil, chosen=place.root,
        )  # fmt: skip

    def _mean(self, step: steps.AvgPool) -> Operation:
        return Operation(
            kernel.MEAN_POOL, self.places[step.inputs[0]], self.places[step.output], 0,
            step.kernel, step.stride, step.padding, step.ceil, step.count_padding,
        )  # fmt: skip
