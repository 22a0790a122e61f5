"""The options of a film, and how each of its frames continues the dream of the previous one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from ..wire.messages import ZOOM_MAX

TIME_MAX = 1_000_000  # frames: the last time at which a film may begin or end
COUNT_MAX = 10_000  # frames of a dive
FRAMES, DIVE = "frames", "dive"
Film = TypeVar("Film", bound="FilmOptions")


class FilmError(ValueError):
    """A film that can't be made; the text is one sentence for the user."""


@dataclass(frozen=True)
class FilmOptions:
    """The options of a film; they are stored with it.

    Attributes:
        kind: FRAMES, all frames of an animation dream, or DIVE, each frame is the
            previous one, enlarged and dreamed on.
        first, last: the film's first frame, and the last one that dreams (of FRAMES).
        carry: how much of the previous dream each frame starts from, 0 to 1 (of FRAMES).
        count: how many frames a dive has.
        zoom: how many times a dive's picture is enlarged from frame to frame.
    """

    kind: str = FRAMES
    first: int = 0
    last: int = 0
    carry: float = 0.8
    count: int = 24
    zoom: float = 1.05

    @classmethod
    def of(cls: type[Film], values: Mapping[str, Any]) -> Film:
        """The options that were stored with a film; raises FilmError if they are invalid."""
        kinds = {"kind": str, "carry": float, "zoom": float}
        for name, default in asdict(cls()).items():
            if type(values.get(name, default)) is not kinds.get(name, int):
                raise FilmError(f"This film's settings can't be used: {name}.")
        options = cls(**{name: values[name] for name in asdict(cls()) if name in values})
        options.check()
        return options

    def check(self) -> None:
        """Raise FilmError for options that make no film."""
        if self.kind == FRAMES and self.last < self.first:
            raise FilmError("The last frame is before the first one: exchange them.")
        if not (
            self.kind in (FRAMES, DIVE)
            and 0 <= self.first <= TIME_MAX
            and self.last <= TIME_MAX
            and 0.0 <= self.carry <= 1.0
            and 1 <= self.count <= COUNT_MAX
            and 1.0 <= self.zoom <= ZOOM_MAX
        ):
            raise FilmError("This film's settings can't be used: they are out of range.")


def frame_fields(previous: str, carry: float = 0.0, zoom: float = 1.0) -> dict[str, Any]:
    """Fields of the request for one frame of a film.

    `previous` is the id of the previous frame's dream, "" for the first frame.
    """
    fields: dict[str, Any] = {}
    if previous and carry:
        fields.update(after=previous, carry=carry)
    if previous and zoom > 1.0:
        fields.update(zoom=zoom)
    return fields
