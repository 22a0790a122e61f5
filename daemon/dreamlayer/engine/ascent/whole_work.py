"""A step as one piece of work on a card: which objectives allow it, and what if it does not fit."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from dreamlayer.engine.objectives.kind_terms import KindTerm
from dreamlayer.engine.objectives.objective import Objective
from dreamlayer.engine.objectives.regional import AnyObjective
from dreamlayer.engine.objectives.terms import (
    ChannelsTerm,
    DirectionTerm,
    GuideTerm,
    MeanTerm,
    SquaresTerm,
)
from dreamlayer.engine.tiling.receptive_layout import TileableNetwork
from dreamlayer.engine.tiling.tiled_gradient import BlockPass, TiledObjective
from dreamlayer.runtime.devices import errors, memory

# Terms whose gradient at a cell does not depend on where in the picture it is.
PLACELESS = (SquaresTerm, MeanTerm, ChannelsTerm, DirectionTerm, GuideTerm, KindTerm)


def is_placeless(objective: AnyObjective) -> bool:
    """Whether an objective's gradient is the same work for each shift of the picture."""
    return isinstance(objective, Objective) and all(
        isinstance(summand.term, PLACELESS) for summand in objective.terms
    )


def work_key(tiled: TiledObjective, there: BlockPass) -> Hashable:
    """What a step's work depends on but for numbers: it is another one for few shifts only."""
    counted = tuple(window.area for window in tiled.layout.counted)
    return there.crop.size, tuple(there.wanted), there.framed.relative_to(there.crop), counted


def do_whole(
    network: TileableNetwork, key: Hashable, work: Callable[[], None], pixels: int
) -> bool:
    """Do a piece of work (`Executor.run_step`); False if memory does not suffice.

    Then the work has changed nothing, if changing is the last that it does.
    """
    try:
        network.run_step(key, work, pixels)
    except (MemoryError, RuntimeError) as error:
        if not errors.is_out_of_memory(error):
            raise
    else:
        return True
    network.forget_steps()  # after the handler, whose traceback refers to partial results
    memory.free_memory()
    return False
