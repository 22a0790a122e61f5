"""A network's program as the kernel computes it: which operations, forth and back, on which maps.

Values that are concatenated lie side by side in one map, the root, from the start, so that
concatenation costs nothing. ReLU belongs to what is in front of it, or to the maximum behind it.
The slopes at a root behind ReLUs are gated by whatever writes them: nobody sees them otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from torch import Tensor

from dreamlayer.models import kernel_library as kernel
from dreamlayer.models import steps
from dreamlayer.models.convolution import Pair
from dreamlayer.models.program import Program

GROUP = 16  # channels are held in groups of so many; steps.h
COLOURS = 3


class Uncovered(Exception):
    """The kernel has no operation for a step of the program."""


@dataclass(frozen=True)
class Place:
    """Some channels of a root: `depth` in whole groups, of which `channels` mean anything."""

    root: int
    first: int
    depth: int
    channels: int


@dataclass(frozen=True)
class Operation:
    """What gives the values, or the slopes, at `target`.

    Attributes:
        kind: of kernel_library's.
        source: what it reads; None: the picture's planes, or (CLEAR) nothing.
        target: what it gives; for GRADIENT, cells that hold `block` × `block` pixels.
        finish: of kernel_library's.
        kernel, pace, padding: of the windows that it slides over what it reads; of those of the
            pool itself, for MAX_BACK and MEAN_BACK.
        ceil: for a pool, whether windows that only begin inside count.
        origin: where the tiles of WINOGRAD begin.
        weight: (out, in, rows, columns), for a window of the source; None where there are none.
        bias: (out).
        chosen: MAX_POOL and MAX_BACK: the root at whose cells it was written what was chosen.
        seed: the number of the map whose slopes it brings in.
    """

    kind: int
    source: Place | None
    target: Place
    finish: int = 0
    kernel: Pair = (1, 1)
    pace: Pair = (1, 1)
    padding: Pair = (0, 0)
    ceil: bool = False
    count_padding: bool = False
    origin: Pair = (0, 0)
    weight: Tensor | None = None
    bias: Tensor | None = None
    chosen: int | None = None
    block: int = 1
    offset: Pair = (0, 0)
    scale: tuple[float, ...] = ()
    shift: tuple[float, ...] = ()
    seed: int | None = None


@dataclass(frozen=True)
class Graph:
    """The operations of a network, in order.

    Attributes:
        forward, backward: the operations; in `backward`, places are of the slopes.
        outputs: the places of the maps.
        depths: of each root.
        paces: pixels from one cell of each root to the next.
        marked: the roots whose marks ReLU writes; True where it does for all its channels.
    """

    forward: tuple[Operation, ...]
    backward: tuple[Operation, ...]
    outputs: tuple[Place, ...]
    depths: tuple[int, ...]
    paces: tuple[Pair, ...]
    marked: dict[int, bool]

    def sizes(self, length: int, axis: int) -> tuple[int, ...]:
        """Return the cells of each root along an axis of `length` pixels; ValueError if none."""
        found = [0] * len(self.depths)
        for one in self.forward:
            if one.source is None:
                found[one.target.root] = length
                continue
            found[one.target.root] = _size(one, found[one.source.root], axis)
            if found[one.target.root] < 1:
                raise ValueError("The picture is too small for the network.")
        return tuple(found)


def _size(one: Operation, length: int, axis: int) -> int:
    kernel_, pace, padding = one.kernel[axis], one.pace[axis], one.padding[axis]
    reach = length + 2 * padding - kernel_
    count = reach // pace + 1 if reach >= 0 else 0
    if one.ceil and reach % pace and count * pace < length + padding:
        count += 1
    return count


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
        backward = self._backward(outputs)
        return Graph(
            tuple(self.forward), tuple(backward), outputs,
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

    def _backward(self, outputs: Sequence[Place]) -> list[Operation]:
        """What brings the maps' slopes back, in the order in which the slopes become complete."""
        written = [
            Operation(kernel.COPY, None, place, seed=number) for number, place in enumerate(outputs)
        ]
        scale = next(one.scale for one in self.forward if one.kind == kernel.PICTURE)
        for one in reversed(self.forward):
            if one.source is not None:
                written.append(_back(one, scale))
        # All that is added to a root's slopes, one after the other, before anything reads them.
        last = {one.target.root: number for number, one in enumerate(written)}
        written.sort(key=lambda one: last[one.target.root])
        found: list[Operation] = []
        for root, group in groupby(written, key=lambda one: one.target.root):
            found += self._added(root, list(group))
        _check_order(self.forward)
        _check_order(found)
        return found

    def _added(self, root: int, parts: list[Operation]) -> Iterable[Operation]:
        """What is written into a root's slopes: the first all over, the others added to it."""
        if parts[0].kind == kernel.GRADIENT:
            yield parts[0]
            return
        whole = Place(root, 0, self.depths[root], self.depths[root])
        gate = kernel.GATE if root in self.marked else 0
        if parts[0].target.depth == whole.depth:
            yield replace(parts[0], finish=gate)
            parts = parts[1:]
        else:
            yield Operation(kernel.CLEAR, None, whole)
        for part in parts:
            yield replace(part, finish=gate | kernel.ADD)


def _check_order(operations: Sequence[Operation]) -> None:
    """Uncovered if anything reads some channels of a root before all of them are there."""
    read: set[int] = set()
    for one in operations:
        if one.target.root in read:
            raise Uncovered("A concatenation of which a part is made from another.")
        if one.source is not None:
            read.add(one.source.root)


_RELU = kernel.RELU | kernel.MARK
_CHOOSE_POSITIVE = kernel.CHOOSE | kernel.RELU


def _back(one: Operation, scale: tuple[float, ...]) -> Operation:
    """The operation from the slopes at a forward operation's target to those at its source."""
    if one.source is None:
        raise ValueError("The picture's planes have no slope of their own.")
    turned = replace(one, source=one.target, target=one.source, bias=None, finish=0)
    if one.kind == kernel.MAX_POOL:
        return replace(turned, kind=kernel.MAX_BACK)
    if one.kind == kernel.MEAN_POOL:
        return replace(turned, kind=kernel.MEAN_BACK)
    if one.weight is None:
        return turned
    if one.source.depth == COLOURS:
        return _gradient(one, scale)
    rows, columns = (side - 1 - p for side, p in zip(one.kernel, one.padding, strict=True))
    weight = one.weight.transpose(0, 1).flip(2, 3)
    return replace(turned, padding=(rows, columns), weight=weight)


def _gradient(one: Operation, scale: tuple[float, ...]) -> Operation:
    """The slope of the picture from that of the first convolution.

    With stride s, pixel y gets from cell o what the kernel's row y + padding − s·o gives. A block
    of f·f pixels, f a multiple of s, is one cell of a convolution with pace f/s over the slopes:
    its channels are the block's pixels' colours.
    """
    if one.weight is None or one.pace[0] != one.pace[1] or one.source is None:
        raise Uncovered("A first convolution with two strides.")
    stride, (rows, columns) = one.pace[0], one.kernel
    block = max(2, stride) // stride * stride
    pace = block // stride
    before = ((rows - 1) // stride, (columns - 1) // stride)
    sides = (pace + before[0], pace + before[1])
    outs = one.weight.shape[0]
    weight = one.weight.new_zeros(block, block, COLOURS, outs, *sides)
    for down in range(block):
        for y in range(sides[0]):
            row = down - stride * (y - before[0])
            for across in range(block):
                for x in range(sides[1]):
                    column = across - stride * (x - before[1])
                    if 0 <= row < rows and 0 <= column < columns:
                        weight[down, across, :, :, y, x] = one.weight[:, :, row, column].T
    channels = block * block * COLOURS
    depth = -(-channels // GROUP) * GROUP
    return Operation(
        kernel.GRADIENT, one.target, Place(one.source.root, 0, depth, channels), 0,
        sides, (pace, pace), before, weight=weight.flatten(0, 2), block=block,
        offset=one.padding, scale=scale,
    )  # fmt: skip
