"""Actions in the window Explore, and the looks that it must show."""

import sys

import case
from desk import PLUGIN
from screen import (
    DIALOG,
    find,
    pixels_of_screen,
    place_on_screen,
    titles,
    type_into,
    until,
)
from seen_window import packed

from dreamlink.client.launch import connect
from dreamlink.picture import Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.exploring.explorer import Explorer, LookSource
from dreamlink.session.exploring.nine_cells import CELL_SIDE, COLUMNS
from dreamlink.session.inputs import Pixels

sys.path.insert(0, str(PLUGIN))
from dreamlayer_gimp.dialog.pixbufs import pixbuf, thumbnail

WINDOW = "^Explore$"


class Walk:
    """The walk that the window must show, with the daemon's own looks."""

    def __init__(self, data, size, recipe, region=None, mask=None, order="RGBA"):
        """The picture has no more pixels than a look, so that it is not reduced."""
        picture = Picture(*size, "U8", order)
        source = LookSource(Pixels(picture, data), Region(*(region or picture.region)), mask)
        self._explorer = Explorer(
            source, source, 1.0, Recipe.of(recipe), lambda: None, lambda _text: None
        )
        self._finish()

    def go(self, way, *arguments):
        getattr(self._explorer, way)(*arguments)
        self._finish()

    @property
    def cells(self):
        return self._explorer.walk.place.cells

    @property
    def chosen(self):
        """What the dialog must get of the middle."""
        return self._explorer.chosen()

    def looks(self):
        """The nine looks as RGB bytes, as large as the window shows them."""
        assert all(cell.complete and cell.picture for cell in self.cells)
        return [shown(cell) for cell in self.cells]

    def _finish(self):
        client = connect()
        while not self._explorer.over:
            self._explorer.send(client)
            message = client.receive(60)
            assert message, "the daemon is silent"
            self._explorer.receive(*message)
        client.close()


def shown(cell):
    layout, pixels = cell.picture
    return packed(thumbnail(pixbuf(layout, bytes(pixels)), CELL_SIDE))


def open_window():
    type_into(DIALOG, "alt+x")
    find(WINDOW)
    leave_alone()


def leave_alone():
    """Move the pointer away: no tooltip in the way, no look under it."""
    case.xdotool("mousemove", "5", "5")


def wait_for_looks(looks):
    """Wait until all nine are visible, three in each row; returns their places."""
    found = []

    def all_are_seen():
        screen = pixels_of_screen()
        found[:] = [place_on_screen(look, CELL_SIDE, screen) for look in looks]
        return None not in found

    until(all_are_seen, "the nine looks are not seen", 90)
    across, down = ([place[axis] for place in found] for axis in (0, 1))
    for index in range(len(found)):
        row, column = divmod(index, COLUMNS)
        assert down[index] == down[row * COLUMNS] and across[index] == across[column], found
    assert across[0] < across[1] < across[2] and down[0] < down[3] < down[6], found
    return list(found)


def are_seen(looks):
    screen = pixels_of_screen()
    return [place_on_screen(look, CELL_SIDE, screen) is not None for look in looks]


def press(place, times=1):
    """Click into a look, and move the pointer away."""
    x, y = place
    case.xdotool("mousemove", str(x + 60), str(y + 40))
    case.xdotool("click", "--repeat", str(times), "--delay", "80", "1")
    leave_alone()


def closed():
    until(lambda: not titles(WINDOW), "the window does not close")


def leave():
    type_into(WINDOW, "Escape")
    closed()
    type_into(DIALOG, "Escape")
