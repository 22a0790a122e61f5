"""The part of a layer that the dialog's preview shows, reduced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import floor
from typing import Any

from gi.repository import Gimp

from dreamlink.picture import Picture, Region
from dreamlink.recipe.recipe import Recipe
from dreamlink.session.exploring.explorer import LookSource
from dreamlink.session.inputs import Pixels, RequestInputs
from dreamlink.session.look_size import reduced_recipe, reduction
from dreamlink.session.seeing import Seeing
from dreamlink.wire.messages import QUICK_MAX, DreamRequest, Frame

from ..call.errors import CallRefused
from ..call.options import CallOptions
from ..layers import buffers
from ..layers.dream_map import DreamMapDrawable, read_sampled, refuse_other_image
from ..layers.guide import GuideDrawable
from ..layers.look import LayerLook
from ..layers.source import selected
from ..layers.strength_map import StrengthMap

SIDE = 360  # pixels of the preview; a dream of that size takes about a second
CENTRE = (0.5, 0.5)


@dataclass(frozen=True)
class PreviewArea:
    """A part of the area to dream in, in pixels of the layer reduced `reduced` times.

    Attributes:
        look: the layer's look.
        region: the part to dream on and show.
        seen: the region and the surroundings that the network sees.
        box: the whole area to dream in.
        whole: all of the layer that is seen.
        offsets: the layer's offsets in the image, not reduced.
    """

    image: Any
    look: LayerLook
    region: Region
    seen: Region
    box: Region
    whole: Region
    offsets: tuple[int, int]
    reduced: float

    @classmethod
    def of(
        cls,
        image: Any,
        drawable: Any,
        look: LayerLook,
        box: Region | None,
        recipe: Recipe,
        position: tuple[float, float],
        side: int = SIDE,
    ) -> PreviewArea:
        """The part at a position in `box`, 0 to 1 across and down, of `side` pixels at most.

        `box` is a part of the layer; None for the selection's, or the whole layer.

        GIMP does not tell plug-ins which part of an image its window shows. Raises CallRefused.
        """
        full = box or selected(image, drawable, look.whole)
        reduced = reduction(full, recipe, side)
        whole = _reduce(look.whole, reduced)
        box = _reduce(full, reduced).clip(whole)
        width, height = min(box.width, side), min(box.height, side)
        left = box.x + round((box.width - width) * position[0])
        top = box.y + round((box.height - height) * position[1])
        region = Region(left, top, width, height)
        around = min(round(recipe.context / reduced), (QUICK_MAX - SIDE) // 2)
        _, *offsets = drawable.get_offsets()
        seen = region.grow(around).clip(whole)
        return cls(image, look, region, seen, box, whole, (offsets[0], offsets[1]), reduced)

    @property
    def movable(self) -> tuple[int, int]:
        """How many pixels the part can be moved, across and down."""
        return self.box.width - self.region.width, self.box.height - self.region.height

    def recipe(self, recipe: Recipe) -> Recipe:
        """The recipe for the reduced picture."""
        wrap = recipe.wrap and not any(self.movable)  # the edges of a part don't meet
        return replace(reduced_recipe(recipe, self.reduced), wrap=wrap)

    def request(self, recipe: Recipe, options: CallOptions) -> tuple[DreamRequest, list[Frame]]:
        """The request for a quick look at this part, with its frames. Raises CallRefused."""
        guide = GuideDrawable.of(options.guide, recipe)
        inputs = RequestInputs(
            Pixels(self._layout(self.seen), self._read(self.seen)),
            self._selection(),
            self._strength(options),
            Pixels(guide.layout, guide.read()) if guide else None,
            self._dream_map(recipe, options),
        )
        request = inputs.request(
            self.recipe(recipe),
            self.region.moved(-self.seen.x, -self.seen.y),
            edges=self.region.edges(self.whole),
            preview=SIDE,
            quick=True,
            reduced=self.reduced,
        )
        return request, inputs.frames()

    def question(self, changed: Callable[[], None]) -> Seeing:
        """What the networks see in this part; nothing is asked yet.

        `changed` is called with each change.
        """
        return Seeing(*self.seen_source(), changed)

    def seen_source(self) -> LookSource:
        """What is asked about: with as much around it as a half of its longer side."""
        around = max(self.region.width, self.region.height) // 2
        return self._look_source(self.region.grow(around).clip(self.whole))

    def look_source(self) -> LookSource:
        """What several looks are taken of: the part with its surroundings. Raises CallRefused."""
        layout, pixels = self.source()
        samples = len(layout.order)
        if not any(memoryview(pixels)[samples - 1 :: samples]):  # looks would be black
            raise CallRefused("The layer is fully transparent there: choose one with content.")
        return self._look_source(self.seen)

    def _look_source(self, seen: Region) -> LookSource:
        picture = Pixels(self._layout(seen), self._read(seen))
        return LookSource(picture, self.region.moved(-seen.x, -seen.y), self._selection())

    def source(self) -> tuple[Picture, Frame]:
        """Layout and pixels of the part without a dream."""
        return self._layout(self.region), self._read(self.region)

    def _layout(self, area: Region) -> Picture:
        return Picture(area.width, area.height, "U8", "GA" if self._gray else "RGBA")

    @property
    def _gray(self) -> bool:
        return bool(self.image.get_base_type() == Gimp.ImageBaseType.GRAY)

    def _read(self, area: Region) -> Frame:
        form = "Y'A u8" if self._gray else "R'G'B'A u8"
        return buffers.read_scaled(self.look.buffer, area, form, 1 / self.reduced)

    def _read_of_image(self, drawable: Any, area: Region, form: str) -> Frame:
        """The part of another drawable of the image that lies on an area of the layer."""
        look = LayerLook.of(drawable, masked=True)
        _, left, top = drawable.get_offsets()
        dx, dy = self.offsets[0] - left, self.offsets[1] - top
        moved = area.moved(round(dx / self.reduced), round(dy / self.reduced))
        return buffers.read_scaled(look.buffer, moved, form, 1 / self.reduced)

    def _selection(self) -> Frame | None:
        """What is selected in the region; None where nothing is selected."""
        if Gimp.Selection.is_empty(self.image):
            return None
        return self._read_of_image(self.image.get_selection(), self.region, "Y u8")

    def _strength(self, options: CallOptions) -> Pixels | None:
        """The strength map's part in the region, reduced; None without one."""
        if options.strength is None:
            return None
        strength = StrengthMap.of(options.strength, self._box_in_image())
        layout = replace(strength.layout, width=self.region.width, height=self.region.height)
        return Pixels(layout, self._read_of_image(options.strength, self.region, strength.form))

    def _dream_map(self, recipe: Recipe, options: CallOptions) -> Pixels | None:
        """The dream map's part in the region, reduced without new colours; None without one."""
        refuse_other_image(self.image, options.dream_map)
        made = DreamMapDrawable.of(options.dream_map, self._box_in_image(), recipe)
        if made is None:
            return None
        _, left, top = made.drawable.get_offsets()
        x, y, width, height = self.region
        columns, rows = (
            [floor((place + 0.5) * self.reduced) + moved for place in range(start, start + count)]
            for start, count, moved in (
                (x, width, self.offsets[0] - left),
                (y, height, self.offsets[1] - top),
            )
        )
        return read_sampled(made.drawable, columns, rows)

    def _box_in_image(self) -> Region:
        """The whole area to dream in, in the image's coordinates and not reduced."""
        x, y, width, height = (round(value * self.reduced) for value in self.box)
        return Region(x, y, width, height).moved(*self.offsets)


def check_still_there(image: Any, drawable: Any) -> None:
    """Raise CallRefused if the layer was removed."""
    if not (image.is_valid() and drawable.is_valid()):
        raise CallRefused("The layer was removed.")


def _reduce(area: Region, reduced: float) -> Region:
    x, y = floor(area.x / reduced), floor(area.y / reduced)
    width = max(1, floor((area.x + area.width) / reduced) - x)
    height = max(1, floor((area.y + area.height) / reduced) - y)
    return Region(x, y, width, height)
