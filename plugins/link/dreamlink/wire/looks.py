"""The op `looks`: several recipes on one small picture, to choose among them by eye.

The picture is sent once. A rough look of each recipe comes first, so that there is soon something
of each, then finer ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..picture import Picture, PictureError, Region
from ..recipe.recipe import Recipe
from .messages import DreamRequest, Frame, Header, MessageError, new_id

LOOKS_MAX = 9  # recipes of a request
LOOKS_SIDE = 384  # pixels of a side of the picture
SHARED = ("id", "picture", "region", "mask", "reduced")  # fields that are those of a dream
INVALID = "The daemon's answer is invalid (look: {}); nothing was changed."


@dataclass(frozen=True)
class LooksRequest:
    """The fields of op "looks"; the picture's pixels follow as a frame, then the mask.

    A scheduler treats it as one quick dream: `quick`, `keep` and so on say what it is there.

    Attributes:
        dreams: a quick dream for each recipe, all of the same pixels and the same id; 1 to
            `LOOKS_MAX`.
    """

    dreams: tuple[DreamRequest, ...]

    quick = True
    keep = False
    carry = 0.0
    after = ""

    @classmethod
    def make(
        cls,
        recipes: Sequence[Recipe],
        picture: Picture,
        region: Region,
        mask: bool = False,
        reduced: float = 1.0,
    ) -> LooksRequest:
        """A request for looks at `region`.

        Args:
            recipes: for the reduced picture (`look_size.reduced_recipe`).
            picture: layout of the pixels, at most `LOOKS_SIDE` on each side.
            region: the part to dream in and to return.
            mask: whether there is a mask, as of a dream.
            reduced: how many times smaller the picture is than that of the whole dream.
        """
        request_id = new_id()
        return cls(
            tuple(
                DreamRequest(
                    recipe, picture, region, mask, quick=True, reduced=reduced, id=request_id
                )
                for recipe in recipes
            )
        )

    @property
    def id(self) -> str:
        return self.dreams[0].id

    @property
    def recipe(self) -> Recipe:
        """The first recipe, which stands for all in the log."""
        return self.dreams[0].recipe

    @property
    def picture(self) -> Picture:
        return self.dreams[0].picture

    @property
    def region(self) -> Region:
        return self.dreams[0].region

    @property
    def result(self) -> Picture:
        """Layout of the region, as of a dream."""
        return self.dreams[0].result

    def with_id(self, request_id: str) -> LooksRequest:
        """The same request under another id."""
        return LooksRequest(tuple(replace(dream, id=request_id) for dream in self.dreams))

    def header(self) -> Header:
        fields = self.dreams[0].header()
        recipes = [dream.recipe.to_dict() for dream in self.dreams]
        return {"op": "looks", "recipes": recipes, **{name: fields[name] for name in SHARED}}

    @classmethod
    def of(cls, header: Header, frames: Sequence[Frame]) -> LooksRequest:
        """Check a request, and the lengths of its frames, as those of dreams are checked.

        Raises:
            RecipeError, PictureError, MessageError: with one sentence for the user.
        """
        return cls.announced(header, [len(memoryview(frame).cast("B")) for frame in frames])

    @classmethod
    def announced(cls, header: Header, lengths: Sequence[int]) -> LooksRequest:
        """Like `of`, from the announced lengths, before the frames have arrived."""
        recipes = header.get("recipes")
        if not isinstance(recipes, list | tuple) or not 1 <= len(recipes) <= LOOKS_MAX:
            raise MessageError(f"Looks need a list of 1 to {LOOKS_MAX} recipes.")
        shared = {name: header[name] for name in SHARED if name in header}
        dreams = []
        for recipe in recipes:
            fields = {**shared, "op": "dream", "recipe": recipe, "quick": True}
            dreams.append(DreamRequest.announced(fields, lengths))
        picture = dreams[0].picture
        if max(picture.width, picture.height) > LOOKS_SIDE:
            raise PictureError(
                f"The picture of several looks has at most {LOOKS_SIDE} pixels on each side, not"
                f" {picture.width} × {picture.height}: reduce it."
            )
        return cls(tuple(dreams))


@dataclass(frozen=True)
class LookAnswer:
    """A checked answer `look`: how far one of the recipes is.

    Attributes:
        index: of the recipe in the request.
        complete: whether no finer look of it follows.
        text: why there is none of this recipe, a sentence for the user; or "".
        picture: layout and pixels of the region with the dream laid over it; None if there is none.
    """

    index: int
    complete: bool
    text: str
    picture: tuple[Picture, Frame] | None

    @classmethod
    def of(cls, header: Header, frames: Sequence[Frame], count: int) -> LookAnswer:
        """Check an answer to a request of `count` recipes; raises MessageError."""
        index, complete, text = header.get("index"), header.get("complete"), header.get("text", "")
        if type(index) is not int or not 0 <= index < count:
            raise MessageError(INVALID.format(f"there is no recipe {index!r:.20}"))
        if type(complete) is not bool or not isinstance(text, str):
            raise MessageError(INVALID.format("a field has another type"))
        if text:
            return cls(index, complete, text[:1000], None)
        try:
            layout = Picture.of(header.get("preview"))
        except PictureError as error:
            raise MessageError(INVALID.format(f"{error!s:.100}")) from error
        if [len(frame) for frame in frames] != [layout.nbytes]:
            raise MessageError(INVALID.format("the pixels don't fit"))
        if (layout.depth, layout.order) != ("U8", "RGB"):
            raise MessageError(INVALID.format("another layout"))
        return cls(index, complete, "", (layout, frames[0]))
