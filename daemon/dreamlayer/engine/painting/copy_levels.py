"""Measures the regions of a dream map in a small copy of the painting.

Each step of a painting sees another view, turned and noisy, so what is computed for its gradient
does not tell what has risen. The copy is the same for any tiles.
"""

from __future__ import annotations

from torch import Tensor

from dreamlayer.engine.ascent.ascent import APRON
from dreamlayer.engine.ascent.rises import RiseMeter
from dreamlayer.engine.image import resize
from dreamlayer.engine.objectives.regional import RegionalObjective
from dreamlayer.engine.tiling.canvas import PictureCanvas
from dreamlayer.engine.tiling.receptive_layout import TileableNetwork
from dreamlayer.engine.tiling.tiled_gradient import TiledObjective
from dreamlayer.geometry import Window

MEASURED_SIDE = 192  # px, of the longer side of the copy
MEASURED_EVERY = 5  # steps
UNSEEN = 0.5 / 255  # of the range: where less has changed, nothing has risen


class CopyLevels:
    """Gives the steps of a painting their objective, and learns what rises in it.

    Args:
        base: (1, 3, h, w), R, G, B in 0..1: the window without the dream, in the first stage.
    """

    def __init__(
        self, objective: RegionalObjective, network: TileableNetwork, base: Tensor
    ) -> None:
        self._rises = RiseMeter(objective, MEASURED_EVERY)
        size = (base.shape[-2], base.shape[-1])
        factor = min(1.0, MEASURED_SIDE / max(size))
        rows, columns = (max(network.minimum, round(length * factor)) for length in size)
        apron, wrap = APRON * network.stride, objective.shares.wrap
        canvas = PictureCanvas(rows, columns, 2 * apron, (apron, apron), wrap)
        self._tiled = TiledObjective(network, objective, canvas, Window.whole(rows, columns), 0)
        self.begin(base)

    def begin(self, base: Tensor) -> None:
        """Begin a stage; `base` is the window without the dream, at its size."""
        self._rises.forget_before()
        self._base = self._copy(base)
        self._measure(self._base)

    @property
    def objective(self) -> RegionalObjective:
        """Of the next step."""
        return self._rises.objective

    def begin_step(self) -> bool:
        """Count a step; returns whether to learn before it."""
        return self._rises.begin_step()

    def learn(self, picture: Tensor) -> None:
        """Learn from the window (1, 3, h, w) dreamed so far, at any size."""
        small = self._copy(picture)
        if float((small - self._base).abs().max()) > UNSEEN:
            self._measure(small)

    def _copy(self, picture: Tensor) -> Tensor:
        size, wrap = self._tiled.window.size, self._tiled.canvas.wrap
        return resize.resize(picture, size, wrap).clamp(0, 1)

    def _measure(self, small: Tensor) -> None:
        tally = self._rises.tally()
        self._tiled.measure(small, tally)
        self._rises.learn(tally)
