"""Several recipes on one small picture: a rough look of each first, then finer ones.

A look of each recipe is a quick dream of its own, and stops where it has something to show until
all others have, too. So no work is done twice, and each look is what the quick look would show.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from dreamlayer.runtime.interruption import Interrupted
from dreamlayer.runtime.torch_threads import one_thread
from dreamlayer.studio.previews import result_preview
from dreamlayer.studio.progress import LooksProgress, Progress, RecipeLook
from dreamlayer.studio.protocol import Finished
from dreamlink.picture import Picture
from dreamlink.wire.looks import LooksRequest
from dreamlink.wire.messages import DreamRequest, Frame

Dreaming = Generator[Progress, None, Finished]


def run_looks(
    request: LooksRequest,
    dream: Callable[[DreamRequest], Dreaming],
) -> Generator[LooksProgress, None, None]:
    """Take the looks; see `Studio.looks`.

    Args:
        dream: begins a quick dream of its pixels.
    """
    order = computing_order(request)
    looks = {index: _QuickDream(request.dreams[index], index, dream) for index in order}

    def done() -> float:
        return sum(look.fraction for look in looks.values()) / len(looks)

    try:
        for rough in (True, False):
            for index in order:
                yield from looks[index].go_on(rough, done)
    finally:
        for look in looks.values():
            look.close()


def computing_order(request: LooksRequest) -> list[int]:
    """The recipes' indices: the first one first, the same network's and layers' together.

    So a network is loaded once, and stays in the processor's cache.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, dream in enumerate(request.dreams):
        recipe = dream.recipe
        layers = tuple(sorted(recipe.expression().layers))
        groups.setdefault((recipe.model, recipe.pooling, layers), []).append(index)
    models = list(dict.fromkeys(dream.recipe.model for dream in request.dreams))
    return [
        index
        for model in models
        for group, indices in groups.items()
        if group[0] == model
        for index in indices
    ]


class _QuickDream:
    """One recipe's quick dream, which is continued from look to look.

    Attributes:
        fraction: how much of it is done.
    """

    def __init__(
        self,
        request: DreamRequest,
        index: int,
        dream: Callable[[DreamRequest], Dreaming],
    ) -> None:
        self.fraction = 0.0
        self._request = request
        self._index = index
        self._dream = dream
        self._steps: Dreaming | None = None
        self._over = False

    def go_on(self, rough: bool, done: Callable[[], float]) -> Generator[LooksProgress, None, None]:
        """Continue until the next look, or, unless `rough`, to the end. Errors become a look.

        `done` tells how much of all looks is done.
        """
        if self._steps is None:
            self._steps = self._dream(self._request)
        picture: tuple[Picture, Frame]
        while not self._over:
            try:
                with one_thread():
                    progress = next(self._steps)
            except StopIteration as end:
                self._over, self.fraction = True, 1.0
                finished: Finished = end.value
                picture = result_preview(finished.pixels, self._request.result, self._side)
                yield LooksProgress(done(), RecipeLook(self._index, True, picture))
            except Interrupted:
                raise
            except Exception as error:  # the other recipes may do
                self._over, self.fraction = True, 1.0
                yield LooksProgress(done(), RecipeLook(self._index, True, error=error))
            else:
                self.fraction = progress.fraction
                if progress.look and progress.preview is not None:
                    picture = progress.preview(self._side)
                    yield LooksProgress(done(), RecipeLook(self._index, False, picture))
                    if rough:
                        return
                else:
                    yield LooksProgress(done())

    def close(self) -> None:
        if self._steps is not None:
            self._steps.close()

    @property
    def _side(self) -> int:
        return max(self._request.region.width, self._request.region.height)
