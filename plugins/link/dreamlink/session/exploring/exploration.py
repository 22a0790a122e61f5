"""The state of Explore: a recipe in the middle, its neighbours, and the middles before and after.

It knows recipes and looks, but neither pixels' source nor connection: a host sends what `wanted`
tells, and gives back what arrives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...picture import Picture
from ...recipe.recipe import Recipe
from ...wire.looks import LookAnswer
from ...wire.messages import Frame
from ..look_size import reduced_recipe
from .neighbours import neighbours_of, surprise
from .recipes import Neighbour, describe, explorable
from .things import Thing

MIDDLE = 4  # index of the middle among the nine cells, which are counted row by row
HISTORY_MAX = 100  # middles that can be gone back to; their looks take about half a MB each
ENOUGH = 6  # things to choose neighbours from
NOW = "your settings"


@dataclass
class Cell:
    """One of nine: a recipe with a name, and the best look of it so far.

    Attributes:
        picture: layout and pixels, U8 RGB; None before there is a look.
        complete: whether no better look follows.
        text: why there is no look, or "".
    """

    name: str
    recipe: Recipe
    picture: tuple[Picture, Frame] | None = None
    complete: bool = False
    text: str = ""


@dataclass
class Place:
    """A middle and what is around it: nine cells, row by row."""

    cells: list[Cell] = field(default_factory=list)

    @property
    def middle(self) -> Cell:
        return self.cells[MIDDLE]


class Exploration:
    """A walk through recipes.

    Args:
        start: the first middle, as the user's settings are.
        things: what fires in the picture (`things_of`).
        reduced: how many times smaller the looks' picture is than the whole.
        seed: decides all neighbours and surprises of the walk.
    """

    def __init__(
        self, start: Recipe, things: Sequence[Thing], reduced: float, seed: int = 1
    ) -> None:
        self._things = tuple(things)
        self._reduced = reduced
        self._seed = seed
        self._made = 0  # grids so far, which tell one seed from the next
        self._position = 0
        recipe = explorable(start, reduced)
        more = recipe.octaves - start.octaves
        name = f"{NOW}, {more} octave{'s' if more > 1 else ''} more" if more else NOW
        self._places = [self._around(Cell(name, recipe))]

    @property
    def place(self) -> Place:
        """Where the walk is now."""
        return self._places[self._position]

    @property
    def middle(self) -> Cell:
        return self.place.middle

    @property
    def can_go_back(self) -> bool:
        return self._position > 0

    @property
    def can_go_forward(self) -> bool:
        return self._position < len(self._places) - 1

    def choose(self, index: int) -> None:
        """Make a cell the middle, with new neighbours; what was ahead is forgotten."""
        if index != MIDDLE:
            chosen = self.place.cells[index]
            self._go_on(Cell(describe(chosen.recipe), chosen.recipe, chosen.picture))

    def surprise(self) -> None:
        """Go far away."""
        been = [place.middle.recipe for place in self._places[: self._position + 1]]
        far = surprise(been, self._things, self._next_seed(), self._reduced)
        self._go_on(Cell(far.name, far.recipe))

    def back(self) -> None:
        """To the middle before; nothing if there is none."""
        self._position = max(0, self._position - 1)

    def forward(self) -> None:
        """To the middle after; nothing if there is none."""
        self._position = min(len(self._places) - 1, self._position + 1)

    def wanted(self) -> list[tuple[int, Recipe]]:
        """The cells that have no complete look yet, the middle first, with recipes for the look."""
        order = sorted(range(len(self.place.cells)), key=lambda index: index != MIDDLE)
        cells = self.place.cells
        return [
            (index, reduced_recipe(cells[index].recipe, self._reduced))
            for index in order
            if not cells[index].complete
        ]

    def take(self, index: int, look: LookAnswer) -> None:
        """Keep a look of the present place's cell."""
        cell = self.place.cells[index]
        cell.complete, cell.text = look.complete, look.text
        if look.picture is not None:
            cell.picture = look.picture

    def _around(self, middle: Cell, seen: Place | None = None) -> Place:
        """A middle with neighbours: if possible, things that were not `seen` just before."""
        shown = {cell.recipe.layer for cell in seen.cells} if seen else set()
        new = [thing for thing in self._things if thing.expression not in shown]
        things = new if len(new) >= ENOUGH else self._things
        near = neighbours_of(middle.recipe, things, self._next_seed(), self._reduced)
        cells = [_cell(neighbour) for neighbour in near]
        return Place([*cells[:MIDDLE], middle, *cells[MIDDLE:]])

    def _go_on(self, middle: Cell) -> None:
        self._places[self._position + 1 :] = [self._around(middle, self.place)]
        del self._places[:-HISTORY_MAX]
        self._position = len(self._places) - 1

    def _next_seed(self) -> int:
        self._made += 1
        return self._seed * 1_000_003 + self._made


def _cell(neighbour: Neighbour) -> Cell:
    return Cell(neighbour.name, neighbour.recipe)
