"""The interface between the daemon and what dreams for it, on this computer or on another one.

`studio.local.LocalStudio` and `server.remote.studio.RemoteStudio` fulfil `Studio`. This module
imports no torch: the daemon answers its first client before torch is loaded.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from dreamlayer.studio.progress import LooksProgress, Progress
from dreamlink.recipe.recipe import Recipe
from dreamlink.wire.looks import LooksRequest
from dreamlink.wire.messages import DreamRequest, Frame, Header
from dreamlink.wire.seeing import SeeRequest

Listing = dict[str, list[dict[str, object]]]  # lists of rows by name


class DreamOverlay(Protocol):
    """A finished dream that can be blended again with other live parameters."""

    @property
    def nbytes(self) -> int:
        """Bytes of this computer's memory that it takes."""

    def blend(self, recipe: Recipe) -> Frame:
        """The region's pixels, in the request's layout, with the recipe's live parameters.

        Raises:
            ValueError: the recipe needs a new dream, or the dream is gone; a sentence for the user.
        """


@dataclass(frozen=True)
class Finished:
    """A finished dream: the region's pixels in the request's layout, and how they were made.

    Attributes:
        pixels: of the region.
        overlay: makes these pixels again, with other live parameters.
        device: the device that computed them, in words.
        recipe: the request's, with the seed that was drawn.
        megapixel_steps: gradients computed, in megapixels.
        gain: how much more active the layer is than before, or None if that was not measured.
        notes: sentences for the user about what went wrong although the dream is complete.
    """

    pixels: Frame
    overlay: DreamOverlay
    device: str
    recipe: Recipe
    megapixel_steps: float
    gain: float | None
    notes: tuple[str, ...] = ()


class Studio(Protocol):
    """Turns requests into pixels. Used by one thread at a time."""

    @property
    def device(self) -> str:
        """The device that dreams, in words."""

    @property
    def networks(self) -> Sequence[str]:
        """The networks loaded here, e.g. "squeezenet1_1 features.10 on cpu (kernel)"."""

    def drop_idle(self) -> float | None:
        """Unload networks that have been idle for too long. To be called between two dreams.

        Returns the seconds until the next call is due, None: not before the next dream.
        """

    def models(self) -> list[dict[str, object]]:
        """The networks that can be dreamed with, a dictionary each, as `models` answers them."""

    def layers(self, model: str) -> Listing:
        """What of a network can be amplified: lists of its `layers` and of its `kinds` of things.

        Both as `layers` answers them. Raises ValueError for an unknown network.
        """

    def see(self, request: SeeRequest, frames: Sequence[Frame]) -> tuple[Header, list[Frame]]:
        """What answers to a part of a picture: the fields of `seen`, and its frames.

        Takes a fraction of a second once the networks are loaded, and checks for interruption.
        Raises ValueError with a sentence for the user.
        """

    def dream(
        self,
        request: DreamRequest,
        frames: Sequence[Frame],
        before: DreamOverlay | None = None,
    ) -> Generator[Progress, None, Finished]:
        """Dream as `request` says on the pixels `frames`.

        `before` is the dream to start from, an overlay that this same studio returned.

        Yields:
            Progress after every tile; closing the generator there cancels the dream.

        Raises:
            ValueError: with a sentence for the user.
        """

    def looks(
        self, request: LooksRequest, frames: Sequence[Frame]
    ) -> Generator[LooksProgress, None, None]:
        """Take looks of several recipes: a rough one of each first, then finer ones.

        What can't be dreamed is told in that recipe's look; the others go on.

        Yields:
            LooksProgress after every tile and with every look; closing the generator there cancels
            all.

        Raises:
            ValueError: with a sentence for the user.
        """
