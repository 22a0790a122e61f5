"""What the windows of both hosts show of a walk: nine cells, their texts, and the keys' moves."""

from __future__ import annotations

from ...recipe.recipe import Recipe
from .exploration import Cell
from .neighbours import COUNT
from .recipes import describe

CELLS = COUNT + 1
COLUMNS = 3
# A painted dream sees all of a layer, however large it is.
WHOLE = Recipe.of({"method": "painted", "context": 96})
LOOK_SIDE = 192  # pixels of a look's longer side: nine rough ones take less than two seconds
CELL_SIDE = 240  # pixels of a cell, at first
HINT = "Click a look to go on from it. Double-click it, or press “Use this”, to dream that."
TAKEN = "Dreams now of {}. Choose a preset to come back."
NOT_HERE = "not here: {}"
LOOK_HELP = "A look: click it to go on from it"
BACK_HELP = "To the looks before"
FORWARD_HELP = "To the looks after"
SURPRISE_HELP = "Something far away that fires in this picture"
USE_HELP = "Dream what the middle shows: its settings go to the form"


def details(cell: Cell) -> str:
    """What a cell dreams, or why it can't; "" before it is known."""
    return cell.text or (describe(cell.recipe) if cell.name else "")


def beside(place: int, across: int, down: int) -> int:
    """The cell so many columns and rows further; the same one at the border."""
    row, column = divmod(place, COLUMNS)
    row, column = row + down, column + across
    if 0 <= column < COLUMNS and 0 <= row < CELLS // COLUMNS:
        return row * COLUMNS + column
    return place
